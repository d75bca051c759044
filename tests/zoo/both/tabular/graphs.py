"""Graph networks, attention, trees of heads, soft mixtures: healthy composites with sparse or partial wiring."""

import torch
import torch.nn.functional as F
from torch import nn


class GraphNet(nn.Module):
    def __init__(self, inputs=5, hidden=24, classes=3):
        super().__init__()
        self.lift, self.message, self.update = (
            nn.Linear(inputs, hidden),
            nn.Linear(2 * hidden, hidden),
            nn.GRUCell(hidden, hidden),
        )
        self.node, self.edge, self.graph = (
            nn.Linear(hidden, classes),
            nn.Bilinear(hidden, hidden, 1),
            nn.Linear(hidden, 1),
        )

    def forward(self, g):
        h = F.relu(self.lift(g["x"]))
        src, dst = g["edges"]
        for _ in range(2):
            m = F.relu(self.message(torch.cat([h[src], h[dst]], 1)))
            h = self.update(torch.zeros_like(h).index_add(0, dst, m), h)
        pooled = torch.zeros(int(g["graph"].max()) + 1, h.shape[1]).index_add(0, g["graph"], h)
        count = torch.bincount(g["graph"]).unsqueeze(1)
        negative = torch.stack([src, dst[torch.arange(len(dst)).flip(0)]])
        return (
            self.node(h),
            self.edge(h[src], h[dst]).squeeze(1),
            self.edge(h[negative[0]], h[negative[1]]).squeeze(1),
            self.graph(pooled / count).squeeze(1),
        )


def molecules(graphs=6, nodes=7, seed=0):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        n = graphs * nodes
        x = torch.randn(n, 5, generator=g)
        offset = torch.arange(graphs).repeat_interleave(2 * nodes) * nodes
        edges = torch.randint(0, nodes, (2, 2 * n), generator=g) + offset
        graph = torch.arange(graphs).repeat_interleave(nodes)
        yield {
            "g": {"x": x, "edges": edges, "graph": graph},
            "node": x[:, :3].argmax(1),
            "energy": torch.zeros(graphs).index_add(0, graph, x[:, 0]) / nodes,
            "known": torch.rand(n, generator=g) > 0.4,
        }


def graph_step(model, batch):
    node, linked, unlinked, energy = model(batch["g"])
    known = batch["known"]
    link = F.binary_cross_entropy_with_logits(
        torch.cat([linked, unlinked]), torch.cat([torch.ones_like(linked), torch.zeros_like(unlinked)])
    )
    return {
        "node": F.cross_entropy(node[known], batch["node"][known]),
        "link": link,
        "energy": F.l1_loss(energy, batch["energy"]),
    }


class SetTransformer(nn.Module):
    def __init__(self, inputs=4, dim=16, heads=4, outputs=2):
        super().__init__()
        self.lift = nn.Linear(inputs, dim)
        self.attention = nn.MultiheadAttention(dim, heads, batch_first=True)
        self.norm, self.ff = nn.LayerNorm(dim), nn.Sequential(nn.Linear(dim, dim), nn.GELU(), nn.Linear(dim, dim))
        self.out, self.skip = nn.Linear(dim, outputs), nn.Linear(inputs, 1)
        nn.init.zeros_(self.ff[2].weight)
        nn.init.zeros_(self.ff[2].bias)

    def forward(self, x, valid):
        h = self.lift(x)
        a, weights = self.attention(h, h, h, key_padding_mask=~valid, average_attn_weights=True)
        h = self.norm(h + a)
        h = h + self.ff(h)
        m = valid.unsqueeze(-1).float()
        return self.out((h * m).sum(1) / m.sum(1)), self.skip(x).squeeze(-1), weights


def point_clouds(n=12, points=9, seed=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        x = torch.randn(n, points, 4, generator=g)
        lengths = torch.randint(3, points + 1, (n,), generator=g)
        valid = torch.arange(points) < lengths[:, None]
        x = x * valid.unsqueeze(-1)
        y = torch.stack([x.sum((1, 2)) / lengths, (x[..., 0] * x[..., 1]).sum(1) / lengths], 1)
        yield x, valid, y, (x[..., 0] > 0).float()


def sets(model, batch):
    """One head hangs on the trunk, the other on the input; attention is asked to be peaked."""
    x, valid, y, sign = batch
    out, skip, weights = model(x, valid)
    point = F.binary_cross_entropy_with_logits(skip, sign, reduction="none")
    entropy = -(weights * (weights + 1e-9).log()).sum(-1)
    return {
        "set": F.mse_loss(out, y),
        "point": (point * valid).sum() / valid.sum(),
        "entropy": (entropy * valid).sum() / valid.sum(),
    }


def sets_with_entr(model, batch):
    """entr() is exact at 0, but its slope there is infinite, and padded keys have a weight of 0."""
    x, valid, y, sign = batch
    out, skip, weights = model(x, valid)
    entropy = torch.special.entr(weights).sum(-1)
    return {
        "set": F.mse_loss(out, y),
        "point": F.binary_cross_entropy_with_logits(skip, sign),
        "entropy": entropy.mean(),
    }


class Tree(nn.Module):
    """Deep supervision: every level has its own head."""

    def __init__(self, inputs=12, hidden=20, levels=3, outputs=4):
        super().__init__()
        self.layers = nn.ModuleList(nn.Linear(inputs if i == 0 else hidden, hidden) for i in range(levels))
        self.heads = nn.ModuleList(nn.Linear(hidden, outputs) for _ in range(levels))

    def forward(self, x):
        outputs = []
        for layer, head in zip(self.layers, self.heads):
            x = F.silu(layer(x))
            outputs.append(head(x))
        return outputs


class Items(torch.utils.data.Dataset):
    def __init__(self, n=60, inputs=12, outputs=4, seed=0):
        g = torch.Generator().manual_seed(seed)
        self.x = torch.randn(n, inputs, generator=g)
        self.y = (self.x @ torch.randn(inputs, outputs, generator=g)).argmax(1)

    def __len__(self):
        return len(self.x)

    def __getitem__(self, i):
        return self.x[i], self.y[i]


def deep(output, batch):
    losses = {f"level{i}": F.cross_entropy(logits, batch[1]) for i, logits in enumerate(output)}
    last = output[-1].log_softmax(1).detach()
    losses["agree"] = sum(
        F.kl_div(logits.log_softmax(1), last, log_target=True, reduction="batchmean") for logits in output[:-1]
    )
    return losses


def focal(output, batch):
    """Focal loss, divided by the positives, and label smoothing."""
    target = F.one_hot(batch[1], 4).float()
    z = output[-1]
    ce = F.binary_cross_entropy_with_logits(z, target, reduction="none")
    p = torch.sigmoid(z)
    pt = p * target + (1 - p) * (1 - target)
    return {
        "focal": ((1 - pt) ** 2 * ce).sum() / target.sum().clamp(min=1),
        "smooth": F.cross_entropy(output[0], batch[1], label_smoothing=0.1),
    }
