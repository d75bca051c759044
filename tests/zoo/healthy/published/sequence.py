"""Language, speech, reinforcement learning, physics and tables, as published."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F


# BERT MLM + NSP, tied decoder
class Bert(nn.Module):
    def __init__(self, V=60):
        super().__init__()
        self.emb = nn.Embedding(V, 32)
        self.pos = nn.Parameter(torch.randn(1, 12, 32) * 0.02)
        self.enc = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True)
        self.bias = nn.Parameter(torch.zeros(V))
        self.nsp = nn.Linear(32, 2)
        nn.init.normal_(self.emb.weight, std=0.02)

    def forward(self, input_ids, attention_mask, labels=None, next_sentence_label=None):
        h = self.enc(self.emb(input_ids) + self.pos, src_key_padding_mask=attention_mask == 0)
        return {"prediction_logits": h @ self.emb.weight.T + self.bias, "seq_relationship_logits": self.nsp(h[:, 0])}


def mlm_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        ids = torch.randint(3, 60, (8, 12))
        L = torch.randint(6, 13, (8,))
        am = (torch.arange(12)[None] < L[:, None]).long()
        lab = torch.full_like(ids, -100)
        pick = (torch.rand(8, 12) < 0.2) & (am == 1)
        pick[:, 1] = True
        lab[pick] = ids[pick]
        ids = ids.masked_fill(pick, 1) * am
        r.append(
            {"input_ids": ids, "attention_mask": am, "labels": lab, "next_sentence_label": torch.randint(0, 2, (8,))}
        )
    return r


def bert_terms(o, b):
    c = nn.CrossEntropyLoss()
    return {
        "mlm": c(o["prediction_logits"].view(-1, 60), b["labels"].view(-1)),
        "nsp": c(o["seq_relationship_logits"].view(-1, 2), b["next_sentence_label"].view(-1)),
    }


# GPT with z-loss; shifted; MoE with load balancing and router z
class GPT(nn.Module):
    def __init__(self, moe=False):
        super().__init__()
        self.wte = nn.Embedding(50, 32)
        self.a = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.head = nn.Linear(32, 50, bias=False)
        self.router = nn.Linear(32, 4, bias=False) if moe else None
        self.experts = (
            nn.ModuleList([nn.Sequential(nn.Linear(32, 32), nn.GELU(), nn.Linear(32, 32)) for _ in range(4)])
            if moe
            else None
        )

    def forward(self, idx):
        x = self.a(self.wte(idx), src_mask=nn.Transformer.generate_square_subsequent_mask(idx.size(1)), is_causal=True)
        if self.router is None:
            return self.head(x)
        rl = self.router(x)
        p = rl.softmax(-1)
        top = p.topk(2, -1)
        w = torch.zeros_like(p).scatter(-1, top.indices, top.values / top.values.sum(-1, keepdim=True))
        x = x + sum(w[..., i : i + 1] * e(x) for i, e in enumerate(self.experts))
        return self.head(x), rl


def moe():
    return GPT(True)


def tokens(seed=0):
    torch.manual_seed(seed)
    return [torch.randint(0, 50, (4, 16)) for _ in range(4)]


def gpt_step(m, ids):
    lg = m(ids[:, :-1]).float()
    return {
        "ce": F.cross_entropy(lg.flatten(0, 1), ids[:, 1:].flatten()),
        "z_loss": 1e-4 * torch.logsumexp(lg, -1).pow(2).mean(),
    }


def moe_step(m, ids):
    lg, rl = m(ids[:, :-1])
    p = rl.softmax(-1).flatten(0, 1)
    f = F.one_hot(p.topk(2, -1).indices, 4).float().sum(1).mean(0)
    return {
        "lm": F.cross_entropy(lg.transpose(1, 2), ids[:, 1:]),
        "aux": 0.01 * 4 * (f * p.mean(0)).sum(),
        "rz": 0.001 * torch.logsumexp(rl, -1).square().mean(),
    }


# packed padding mask by hand, label smoothing as in fairseq
def pad_tokens(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        t = torch.randint(1, 50, (4, 16))
        L = torch.randint(6, 17, (4,))
        t[torch.arange(16)[None] >= L[:, None]] = 0
        r.append({"input": t[:, :-1], "target": t[:, 1:]})
    return r


def gpt():
    return GPT()


def fairseq(out, b):
    lp = F.log_softmax(out, -1).view(-1, 50)
    t = b["target"].reshape(-1, 1)
    nll = -lp.gather(-1, t)
    sm = -lp.sum(-1, keepdim=True)
    pad = t.eq(0)
    nll.masked_fill_(pad, 0.0)
    sm.masked_fill_(pad, 0.0)
    n = (~pad).sum()
    e = 0.1 / 49
    return {"ls": ((1.0 - 0.1 - e) * nll.sum() + e * sm.sum()) / n}


# DPO with frozen reference; reward model Bradley-Terry; GRPO with k3 KL
class DPO(nn.Module):
    def __init__(self):
        super().__init__()
        self.policy = GPT()
        self.ref = GPT()
        self.ref.load_state_dict(self.policy.state_dict())
        self.ref.requires_grad_(False)


def prefs(seed=0):
    torch.manual_seed(seed)
    return [{"chosen": torch.randint(0, 50, (4, 10)), "rejected": torch.randint(0, 50, (4, 10))} for _ in range(4)]


def seq_lp(m, t):
    return torch.gather(m(t[:, :-1]).log_softmax(-1), 2, t[:, 1:, None]).squeeze(2).sum(1)


def dpo_step(m, b):
    pc, pr = seq_lp(m.policy, b["chosen"]), seq_lp(m.policy, b["rejected"])
    with torch.no_grad():
        rc, rr = seq_lp(m.ref, b["chosen"]), seq_lp(m.ref, b["rejected"])
    lo = (pc - pr) - (rc - rr)
    return {"dpo": -F.logsigmoid(0.1 * lo).mean(), "sft": -pc.mean() / 9 * 0.2}


class RM(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(50, 32)
        self.r = nn.GRU(32, 32, batch_first=True)
        self.v = nn.Linear(32, 1)

    def forward(self, t):
        return self.v(self.r(self.e(t))[0][:, -1]).squeeze(-1)


def rm_step(m, b):
    c, r = m(b["chosen"]), m(b["rejected"])
    return {"bt": -F.logsigmoid(c - r).mean(), "center": 0.01 * ((c + r) ** 2).mean()}


def grpo_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        t = torch.randint(0, 50, (4, 10))
        a = torch.randn(4)
        r.append(
            {
                "ids": t,
                "adv": (a - a.mean()) / a.std(),
                "mask": (torch.arange(9)[None] < torch.randint(4, 10, (4, 1))).float(),
                "old": -3.9 + 0.1 * torch.randn(4, 9),
            }
        )
    return r


def tok_lp(m, t):
    return torch.gather(m(t[:, :-1]).log_softmax(-1), 2, t[:, 1:, None]).squeeze(2)


def grpo_step(m, b):
    lp = tok_lp(m.policy, b["ids"])
    with torch.no_grad():
        rf = tok_lp(m.ref, b["ids"])
    r = torch.exp(lp - lp.detach())
    A = b["adv"][:, None]
    pg = -torch.min(r * A, r.clamp(0.8, 1.2) * A)
    kl = torch.exp(rf - lp) - (rf - lp) - 1

    def mk(v):
        return ((v * b["mask"]).sum(1) / b["mask"].sum(1)).mean()

    return {"pg": mk(pg), "kl": 0.04 * mk(kl)}


# CTC + attention hybrid (ESPnet)
class ASR(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.LSTM(20, 32, batch_first=True, bidirectional=True)
        self.ctc = nn.Linear(64, 12)
        self.emb = nn.Embedding(13, 64)
        self.dec = nn.TransformerDecoderLayer(64, 4, 64, 0.1, batch_first=True)
        self.out = nn.Linear(64, 13)


def asr_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        L = torch.randint(3, 7, (4,))
        y = torch.randint(1, 12, (4, 6))
        y[torch.arange(6)[None] >= L[:, None]] = -1
        r.append((torch.randn(4, 24, 20), torch.tensor([24, 22, 20, 24]), y, L))
    return r


def asr_step(m, b):
    x, xl, y, yl = b
    h = m.enc(x)[0]
    lp = m.ctc(h).log_softmax(2).transpose(0, 1)
    flat = torch.cat([yy[:each] for yy, each in zip(y, yl)])
    ctc = F.ctc_loss(lp, flat, xl, yl, reduction="sum", zero_infinity=True) / len(x)
    yi = torch.cat([torch.full((len(x), 1), 12), y.clamp(min=0)[:, :-1]], 1)
    lg = m.out(m.dec(m.emb(yi), h, tgt_mask=nn.Transformer.generate_square_subsequent_mask(6)))
    return {"loss_ctc": 0.3 * ctc, "loss_att": 0.7 * F.cross_entropy(lg.transpose(1, 2), y, ignore_index=-1)}


# Tacotron2: mel + mel postnet MSE + gate
class Taco(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(30, 32)
        self.r = nn.GRU(32, 64, batch_first=True)
        self.mel = nn.Linear(64, 20)
        self.gate = nn.Linear(64, 1)
        self.post = nn.Sequential(
            nn.Conv1d(20, 32, 5, 1, 2), nn.BatchNorm1d(32), nn.Tanh(), nn.Dropout(0.5), nn.Conv1d(32, 20, 5, 1, 2)
        )

    def forward(self, b):
        t = b[0] if isinstance(b, (tuple, list)) else b
        h = self.r(self.e(t))[0]
        m = self.mel(h).transpose(1, 2)
        return m, m + self.post(m), self.gate(h).squeeze(-1)


def taco_data(seed=0):
    torch.manual_seed(seed)
    return [
        (
            torch.randint(0, 30, (4, 24)),
            (-5 + 1.5 * torch.randn(4, 20, 24).cumsum(2).tanh()),
            (torch.arange(24)[None] >= torch.randint(18, 24, (4, 1))).float(),
        )
        for _ in range(4)
    ]


def taco_terms(o, b):
    mo, mp, g = o
    b[1].requires_grad = False
    return {
        "mel": nn.MSELoss()(mo, b[1]),
        "mel_post": nn.MSELoss()(mp, b[1]),
        "gate": nn.BCEWithLogitsLoss()(g.view(-1, 1), b[2].reshape(-1, 1)),
    }


# FastSpeech2
class FS2(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Embedding(30, 32)
        self.t = nn.TransformerEncoderLayer(32, 2, 64, 0.1, batch_first=True)
        self.m, self.p, self.d = nn.Linear(32, 20), nn.Linear(32, 1), nn.Linear(32, 1)

    def forward(self, t):
        h = self.t(self.e(t))
        return self.m(h), self.p(h).squeeze(-1), self.d(h).squeeze(-1)


def fs2_data(seed=0):
    torch.manual_seed(seed)
    return [
        {
            "input": torch.randint(0, 30, (4, 12)),
            "mel": -3 + 2 * torch.randn(4, 12, 20),
            "pitch": torch.randn(4, 12),
            "dur": torch.randint(1, 12, (4, 12)),
            "mask": torch.arange(12)[None] >= torch.randint(8, 13, (4, 1)),
        }
        for _ in range(4)
    ]


def fs2_terms(o, b):
    m, p, d = o
    k = ~b["mask"]
    ld = torch.log(b["dur"].float() + 1)
    return {
        "mel": F.l1_loss(m.masked_select(k[..., None]), b["mel"].masked_select(k[..., None])),
        "pitch": F.mse_loss(p.masked_select(k), b["pitch"].masked_select(k)),
        "duration": F.mse_loss(d.masked_select(k), ld.masked_select(k)),
    }


# HiFi-GAN: mel L1 x45, fm x2, lsgan; multi-res STFT
class Hifi(nn.Module):
    def __init__(self):
        super().__init__()
        self.generator = nn.Sequential(
            nn.Conv1d(1, 16, 7, 1, 3),
            nn.LeakyReLU(0.1),
            nn.Conv1d(16, 16, 7, 1, 3),
            nn.LeakyReLU(0.1),
            nn.Conv1d(16, 1, 7, 1, 3),
            nn.Tanh(),
        )
        self.mpd = nn.ModuleList([nn.Conv1d(1, 8, 15, 2, 7), nn.Conv1d(8, 8, 15, 2, 7), nn.Conv1d(8, 1, 3, 1, 1)])

    def disc(self, x):
        fm = []
        for each in self.mpd[:-1]:
            x = F.leaky_relu(each(x), 0.1)
            fm.append(x)
        return self.mpd[-1](x), fm


def waves(seed=0):
    torch.manual_seed(seed)
    t = torch.arange(512) / 512.0
    return [
        {
            "noisy": (
                w := torch.stack(
                    [
                        sum(
                            0.2 * torch.sin(6.28 * f * t + p)
                            for f, p in zip(torch.randint(4, 60, (3,)).tolist(), torch.rand(3).tolist())
                        )
                        for _ in range(4)
                    ]
                )[:, None]
            )
            + 0.05 * torch.randn(4, 1, 512),
            "clean": w,
        }
        for _ in range(4)
    ]


_fb = torch.rand(20, 65, generator=torch.Generator().manual_seed(0)) / 20


def melspec(y):
    s = torch.stft(y.squeeze(1), 128, 32, 128, torch.hann_window(128), center=False, return_complex=True)
    return torch.log(torch.clamp(_fb @ torch.sqrt(s.real**2 + s.imag**2 + 1e-9), min=1e-5))


def hifi_step(m, b):
    y = b["clean"]
    g = m.generator(b["noisy"])
    r, _ = m.disc(y)
    f, _ = m.disc(g.detach())
    fo, ff = m.disc(g)
    with torch.no_grad():
        _, rf = m.disc(y)
    return {
        "disc": {"r": ((1 - r) ** 2).mean(), "g": (f**2).mean()},
        "gen": {
            "mel": F.l1_loss(melspec(y), melspec(g)) * 45,
            "fm": 2 * sum((a - c).abs().mean() for a, c in zip(rf, ff)),
            "adv": ((1 - fo) ** 2).mean(),
        },
    }


def stft_loss(m, b):
    o = m.generator(b["noisy"])
    sc = mag = 0
    for n in (64, 128, 256):

        def M(v):
            return torch.sqrt(
                torch.clamp(
                    torch.stft(v.squeeze(1), n, n // 4, n, torch.hann_window(n), return_complex=True).abs().pow(2),
                    min=1e-7,
                )
            )

        a, c = M(o), M(b["clean"])
        sc = sc + torch.norm(c - a, p="fro") / torch.norm(c, p="fro") / 3
        mag = mag + F.l1_loss(torch.log(a), torch.log(c)) / 3
    return {"sc": sc, "mag": mag, "wave": 10 * F.l1_loss(o, b["clean"])}


def sisnr_step(m, b):
    o, y = m.generator(b["noisy"]).squeeze(1), b["clean"].squeeze(1)
    o = o - o.mean(1, keepdim=True)
    y = y - y.mean(1, keepdim=True)
    s = (o * y).sum(1, keepdim=True) * y / (y.pow(2).sum(1, keepdim=True) + 1e-8)
    return {"si_snr": -(10 * torch.log10(s.pow(2).sum(1) / ((o - s).pow(2).sum(1) + 1e-8) + 1e-8)).mean()}


# uPIT separation
class Sep(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = nn.Sequential(nn.Conv1d(1, 24, 9, 1, 4), nn.PReLU(), nn.Conv1d(24, 2, 9, 1, 4))

    def forward(self, x):
        return self.n(x)


def mix(seed=0):
    torch.manual_seed(seed)
    r = []
    for w in waves():
        s = torch.stack([w["clean"][:, 0], w["clean"].roll(1, 0)[:, 0]], 1)
        r.append((s.sum(1, keepdim=True), s))
    return r


def pit(o, b):
    y = b[1]

    def e(p):
        return ((o - y[:, p]) ** 2).mean((1, 2))

    return {"pit_mse": torch.stack([e([0, 1]), e([1, 0])], 1).min(1)[0].mean()}


# wav2vec2: contrastive + diversity
class W2V(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Conv1d(1, 32, 16, 16)
        self.q = nn.Linear(32, 16)
        self.cb = nn.Parameter(torch.rand(16, 32))
        self.mask = nn.Parameter(torch.rand(32))
        self.c = nn.TransformerEncoderLayer(32, 4, 64, 0.1, batch_first=True)


def w2v_step(m, b):
    f = m.f(b["noisy"]).transpose(1, 2)
    p = F.gumbel_softmax(m.q(f), 2.0, hard=True)
    ap = torch.softmax(m.q(f), -1).mean((0, 1))
    q = p @ m.cb
    mk = torch.rand(f.shape[:2]) < 0.5
    c = m.c(torch.where(mk[..., None], m.mask, f))
    neg = q[:, torch.randperm(q.size(1))][:, :8]
    lg = (
        torch.cat(
            [
                F.cosine_similarity(c[:, :, None], q[:, :, None], dim=-1),
                F.cosine_similarity(c[:, :, None], neg[:, None], dim=-1),
            ],
            2,
        )[mk]
        / 0.1
    )
    return {
        "contrastive": F.cross_entropy(lg, torch.zeros(len(lg), dtype=torch.long)),
        "diversity": 0.1 * (16 - torch.exp(-(ap * torch.log(ap + 1e-7)).sum())) / 16,
        "features_pen": 10 * 0.1 * f.float().pow(2).mean(),
    }


# PPO, A2C, SAC, DQN, TD3
class AC(nn.Module):
    def __init__(self):
        super().__init__()

        def mk(o, s):
            return nn.Sequential(nn.Linear(6, 64), nn.Tanh(), nn.Linear(64, o))

        self.actor, self.critic = mk(3, 0.01), mk(1, 1.0)
        self.actor[-1].weight.data.mul_(0.05)


def ppo_data(seed=0):
    torch.manual_seed(seed)
    return [
        {
            "obs": torch.randn(32, 6),
            "act": torch.randint(0, 3, (32,)),
            "logp": -1.1 + 0.05 * torch.randn(32),
            "adv": torch.randn(32) * 2,
            "ret": torch.randn(32) * 1.5 + 1,
            "val": torch.randn(32) * 0.2,
        }
        for _ in range(4)
    ]


def ppo_step(m, b):  # cleanrl
    d = torch.distributions.Categorical(logits=m.actor(b["obs"]))
    v = m.critic(b["obs"]).view(-1)
    lr = d.log_prob(b["act"]) - b["logp"]
    r = lr.exp()
    A = (b["adv"] - b["adv"].mean()) / (b["adv"].std() + 1e-8)
    pg = torch.max(-A * r, -A * torch.clamp(r, 0.8, 1.2)).mean()
    vu = (v - b["ret"]) ** 2
    vc = b["val"] + torch.clamp(v - b["val"], -0.2, 0.2)
    vl = 0.5 * torch.max(vu, (vc - b["ret"]) ** 2).mean()
    return {"pg_loss": pg, "v_loss": vl, "entropy": d.entropy().mean()}


class ACS(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 64), nn.ReLU())
        self.pi = nn.Linear(64, 3)
        self.v = nn.Linear(64, 1)

    def forward(self, o):
        h = self.body(o)
        return self.pi(h), self.v(h).squeeze(-1)


def a2c_step(m, b):
    lg, v = m(b["obs"])
    adv = b["ret"] - v
    d = torch.distributions.Categorical(logits=lg)
    return {
        "policy": -(d.log_prob(b["act"]) * adv.detach()).mean(),
        "value": adv.pow(2).mean() * 0.5,
        "neg_entropy": -d.entropy().mean() * 0.01,
    }


class SAC(nn.Module):
    def __init__(self):
        super().__init__()

        def q():
            return nn.Sequential(nn.Linear(8, 64), nn.ReLU(), nn.Linear(64, 1))

        self.actor = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 4))
        self.qf1, self.qf2, self.qt1, self.qt2 = q(), q(), q(), q()
        self.log_alpha = nn.Parameter(torch.zeros(1))
        self.qt1.requires_grad_(False)
        self.qt2.requires_grad_(False)

    def sample(self, o):
        mu, ls = self.actor(o).chunk(2, -1)
        ls = -5 + 3.5 * (torch.tanh(ls) + 1)
        n = torch.distributions.Normal(mu, ls.exp())
        x = n.rsample()
        a = torch.tanh(x)
        return a, (n.log_prob(x) - torch.log(1 - a.pow(2) + 1e-6)).sum(1, keepdim=True)


def sac_data(seed=0):
    torch.manual_seed(seed)
    return [
        {
            "o": torch.randn(32, 6),
            "a": torch.rand(32, 2) * 2 - 1,
            "r": torch.randn(32, 1),
            "d": (torch.rand(32, 1) < 0.05).float(),
            "o2": torch.randn(32, 6),
        }
        for _ in range(4)
    ]


def sac_step(m, b):
    al = m.log_alpha.exp().detach()
    with torch.no_grad():
        a2, lp2 = m.sample(b["o2"])
        x2 = torch.cat([b["o2"], a2], 1)
        y = b["r"] + 0.99 * (1 - b["d"]) * (torch.min(m.qt1(x2), m.qt2(x2)) - al * lp2)
    x = torch.cat([b["o"], b["a"]], 1)
    a, lp = m.sample(b["o"])
    xa = torch.cat([b["o"], a], 1)
    return {
        "critic": {"qf1": F.mse_loss(m.qf1(x), y), "qf2": F.mse_loss(m.qf2(x), y)},
        "actor": {"pi": (al * lp - torch.min(m.qf1(xa), m.qf2(xa))).mean()},
        "temperature": {"alpha": (-m.log_alpha.exp() * (lp.detach() - 2)).mean()},
    }


class DQN(nn.Module):
    def __init__(self):
        super().__init__()
        self.q = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 3))
        self.t = nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, 3))
        self.t.load_state_dict(self.q.state_dict())


def dqn_data(seed=0):
    torch.manual_seed(seed)
    return [
        {
            "o": torch.randn(32, 6),
            "a": torch.randint(0, 3, (32, 1)),
            "r": torch.randn(32).clamp(-1, 1),
            "d": (torch.rand(32) < 0.1).float(),
            "o2": torch.randn(32, 6),
        }
        for _ in range(4)
    ]


def dqn_step(m, b):
    q = m.q(b["o"]).gather(1, b["a"]).squeeze(1)
    with torch.no_grad():
        y = b["r"] + 0.99 * m.t(b["o2"]).gather(1, m.q(b["o2"]).argmax(1, keepdim=True)).squeeze(1) * (1 - b["d"])
    return {"td": F.smooth_l1_loss(q, y)}


def cql_step(m, b):
    q = m.q(b["o"])
    d = dqn_step(m, b)
    return {"td": d["td"], "cql": 0.5 * (torch.logsumexp(q, 1).mean() - q.gather(1, b["a"]).mean())}


# PINNs: Burgers, Poisson/DeepRitz, inverse with learnable coefficient
def pinn():
    return nn.Sequential(nn.Linear(2, 32), nn.Tanh(), nn.Linear(32, 32), nn.Tanh(), nn.Linear(32, 1))


def burgers_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        x = torch.rand(64, 1) * 2 - 1
        r.append(
            {
                "xf": torch.cat([torch.rand(128, 1) * 2 - 1, torch.rand(128, 1)], 1),
                "x0": torch.cat([x, torch.zeros_like(x)], 1),
                "u0": -torch.sin(math.pi * x),
                "xb": torch.cat([torch.randint(0, 2, (64, 1)) * 2.0 - 1, torch.rand(64, 1)], 1),
            }
        )
    return r


def gradu(u, x):
    return torch.autograd.grad(u, x, torch.ones_like(u), create_graph=True)[0]


def burgers(m, b):
    x = b["xf"].clone().requires_grad_(True)
    u = m(x)
    g = gradu(u, x)
    uxx = gradu(g[:, :1], x)[:, :1]
    f = g[:, 1:] + u * g[:, :1] - 0.01 / math.pi * uxx
    return {
        "residual": f.pow(2).mean(),
        "initial": F.mse_loss(m(b["x0"]), b["u0"]),
        "boundary": m(b["xb"]).pow(2).mean(),
    }


class Inverse(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = pinn()
        self.lam = nn.Parameter(torch.tensor(0.5))


def osc_data(seed=0):
    torch.manual_seed(seed)
    return [(t := torch.rand(64, 1) * 4, torch.exp(-0.2 * t) * torch.cos(2 * t)) for _ in range(4)]


def inv_step(m, b):
    t = b[0].requires_grad_(True)
    z = torch.cat([t, torch.sin(t)], 1)
    u = m.net(z)
    d = gradu(u, t)
    dd = gradu(d, t)
    return {"data": torch.mean((u - b[1]) ** 2), "ode": 0.05 * torch.mean((dd + m.lam * d + 4.04 * u) ** 2)}


def ritz(m, b):
    x = b["xf"].clone().requires_grad_(True)
    u = m(x)
    g = gradu(u, x)
    f = 2 * torch.sin(math.pi * x[:, :1])
    return {"energy": (0.5 * g.pow(2).sum(1, keepdim=True) - f * u).mean(), "bc": 50 * m(b["xb"]).pow(2).mean()}


# tabular: quantile, MDN, gaussian NLL, Cox, Poisson, Huber + l2, evidential reg
def tab(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), x[:, :1] * 2 + x[:, 1:2].sin() + 0.3 * torch.randn(32, 1)) for _ in range(8)]


def mlp(o):
    return nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, o))


def mlp1():
    return mlp(1)


def mlp2():
    return mlp(2)


def mlp3():
    return mlp(3)


def mlp9():
    return mlp(9)


def quantile(o, b):
    r = {}
    for i, q in enumerate((0.1, 0.5, 0.9)):
        e = b[1][:, 0] - o[:, i]
        r[f"q{q}".replace(".", "")] = torch.max((q - 1) * e, q * e).mean()
    return r


def mdn(o, b):
    pi, mu, ls = o.chunk(3, 1)
    return {
        "nll": -torch.logsumexp(
            F.log_softmax(pi, 1) - 0.5 * ((b[1] - mu) * torch.exp(-ls)) ** 2 - ls - 0.5 * math.log(2 * math.pi), 1
        ).mean()
    }


def gnll(o, b):
    return {"nll": F.gaussian_nll_loss(o[:, :1], b[1], F.softplus(o[:, 1:]) + 1e-3)}


def surv(seed=0):
    torch.manual_seed(seed)
    return [(torch.randn(32, 6), torch.rand(32) * 10, (torch.rand(32) < 0.6).float()) for _ in range(4)]


def cox(o, b):
    _, t, e = b
    i = t.argsort(descending=True)
    h = o[i, 0]
    e = e[i]
    lc = torch.logcumsumexp(h, 0)
    return {"partial": -((h - lc) * e).sum() / e.sum()}


def counts(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), torch.poisson(torch.exp(0.5 * x[:, :1]))) for _ in range(4)]


def poisson(o, b):
    return {"poisson": F.poisson_nll_loss(o, b[1], log_input=True)}


def l2reg(m, b):
    return {
        "huber": F.huber_loss(m(b[0]), b[1]),
        "l2": 1e-3 * sum((p**2).sum() for n, p in m.named_parameters() if "bias" not in n),
        "l1": 1e-4 * sum(p.abs().sum() for p in m.parameters()),
    }


def evid(o, b):
    y = b[1]
    g, v, a, bt = o[:, :1], F.softplus(o[:, 1:2]) + 1e-4, F.softplus(o[:, 2:3]) + 1.0001, F.softplus(o[:, 3:4]) + 1e-4
    om = 2 * bt * (1 + v)
    n = (
        0.5 * torch.log(math.pi / v)
        - a * torch.log(om)
        + (a + 0.5) * torch.log(v * (y - g) ** 2 + om)
        + torch.lgamma(a)
        - torch.lgamma(a + 0.5)
    )
    return {"nll": n.mean(), "reg": 0.01 * ((y - g).abs() * (2 * v + a)).mean()}


def mlp4():
    return mlp(4)


# recsys BPR with embeddings L2, ranking; matrix factorisation
class MF(nn.Module):
    def __init__(self):
        super().__init__()
        self.u, self.i = nn.Embedding(30, 16), nn.Embedding(40, 16)
        nn.init.normal_(self.u.weight, std=0.1)
        nn.init.normal_(self.i.weight, std=0.1)


def bpr_data(seed=0):
    torch.manual_seed(seed)
    return [
        torch.stack([torch.randint(0, 30, (64,)), torch.randint(0, 40, (64,)), torch.randint(0, 40, (64,))], 1)
        for _ in range(4)
    ]


def bpr(m, b):
    u, i, j = m.u(b[:, 0]), m.i(b[:, 1]), m.i(b[:, 2])
    return {
        "bpr": -F.logsigmoid((u * i).sum(1) - (u * j).sum(1)).mean(),
        "emb_reg": 1e-4 * 0.5 * (u.norm(2).pow(2) + i.norm(2).pow(2) + j.norm(2).pow(2)) / len(b),
    }


# graph autoencoder: weighted BCE + KL ; sparse AE with KL sparsity, contractive
class SAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.W_enc = nn.Parameter(torch.randn(6, 32) * 0.2)
        self.b = nn.Parameter(torch.zeros(32))
        self.W_dec = nn.Parameter(self.W_enc.data.T.clone())

    def forward(self, x):
        x = x[0] if isinstance(x, (list, tuple)) else x
        a = F.relu(x @ self.W_enc + self.b)
        return a @ self.W_dec, a


def sae(o, b):
    r, a = o
    x = b[0]
    return {"mse": (r - x).pow(2).sum(-1).mean(0), "sparsity": 0.03 * a.abs().sum(-1).mean()}
