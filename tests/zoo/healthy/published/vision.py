"""Detection, segmentation, geometry and restoration, with the losses of their reference implementations."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from smooth_pictures import pics


def backbone(o, k=3, c=3):
    return nn.Sequential(
        nn.Conv2d(c, 24, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(24, 24, 3, 1, 1),
        nn.ReLU(inplace=True),
        nn.Conv2d(24, o, k, 1, k // 2),
    )


# RetinaNet: sigmoid focal / num_pos, smooth l1 on positives, prior bias
class Retina(nn.Module):
    def __init__(self, C=4):
        super().__init__()
        self.C = C
        self.body = nn.Sequential(nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.ReLU())
        self.cls = nn.Conv2d(32, C, 3, 1, 1)
        self.reg = nn.Conv2d(32, 4, 3, 1, 1)
        nn.init.normal_(self.cls.weight, std=0.01)
        nn.init.constant_(self.cls.bias, -math.log((1 - 0.01) / 0.01))
        nn.init.normal_(self.reg.weight, std=0.01)
        nn.init.zeros_(self.reg.bias)

    def forward(self, x):
        f = self.body(x)
        return {
            "cls_logits": self.cls(f).flatten(2).transpose(1, 2),
            "bbox_regression": self.reg(f).flatten(2).transpose(1, 2),
        }


def det_data(seed=0):
    torch.manual_seed(seed)
    out = []
    for _ in range(4):
        lab = torch.full((4, 64), -1)
        idx = torch.rand(4, 64) < 0.06
        idx[:, 5] = True
        lab[idx] = torch.randint(0, 4, (int(idx.sum()),))
        ign = (torch.rand(4, 64) < 0.04) & ~idx
        lab[ign] = -2
        out.append({"input": pics(4, 3, 32), "labels": lab, "deltas": torch.randn(4, 64, 4) * 0.5})
    return out


def retina_terms(out, batch):
    lab = batch["labels"]
    fg = lab >= 0
    valid = lab != -2
    n = max(1, int(fg.sum()))
    gt = torch.zeros_like(out["cls_logits"])
    gt[fg, lab[fg]] = 1.0
    x = out["cls_logits"][valid]
    t = gt[valid]
    p = torch.sigmoid(x)
    ce = F.binary_cross_entropy_with_logits(x, t, reduction="none")
    p_t = p * t + (1 - p) * (1 - t)
    loss = ce * (1 - p_t) ** 2
    loss = (0.25 * t + 0.75 * (1 - t)) * loss
    return {
        "classification": loss.sum() / n,
        "bbox_regression": F.smooth_l1_loss(
            out["bbox_regression"][fg], batch["deltas"][fg], beta=1 / 9, reduction="sum"
        )
        / n,
    }


# FCOS: focal, GIoU with exp(ltrb) , centerness BCE
class FCOS(nn.Module):
    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(3, 32, 3, 2, 1), nn.ReLU(), nn.Conv2d(32, 32, 3, 2, 1), nn.GroupNorm(8, 32), nn.ReLU()
        )
        self.cls = nn.Conv2d(32, 4, 3, 1, 1)
        self.box = nn.Conv2d(32, 4, 3, 1, 1)
        self.ctr = nn.Conv2d(32, 1, 3, 1, 1)
        self.scale = nn.Parameter(torch.tensor(1.0))
        nn.init.constant_(self.cls.bias, -4.6)

    def forward(self, x):
        f = self.body(x)

        def z(t):
            return t.flatten(2).transpose(1, 2)

        return z(self.cls(f)), torch.exp(self.scale * z(self.box(f))), z(self.ctr(f)).squeeze(-1)


def fcos_data(seed=0):
    torch.manual_seed(seed)
    out = det_data()
    for b in out:
        b["ltrb"] = torch.rand(4, 64, 4) * 3 + 0.3
    return [(b["input"], b["labels"].clamp(min=-1), b["ltrb"]) for b in out]


def fcos_terms(output, batch):
    cls, box, ctr = output
    _, lab, t = batch
    pos = lab >= 0
    n = pos.sum().clamp(min=1)
    oh = F.one_hot(lab.clamp(min=0), 4).float() * pos[..., None]
    p = cls.sigmoid()
    bce = F.binary_cross_entropy_with_logits(cls, oh, reduction="none")
    fl = (torch.where(oh == 1, 0.25 * (1 - p) ** 2, 0.75 * p**2) * bce).sum() / n
    pb, tb = box[pos], t[pos]
    lr, tbm = tb[:, [0, 2]], tb[:, [1, 3]]
    c = torch.sqrt(lr.min(1)[0] / lr.max(1)[0] * tbm.min(1)[0] / tbm.max(1)[0])
    pa = (pb[:, 0] + pb[:, 2]) * (pb[:, 1] + pb[:, 3])
    ta = (tb[:, 0] + tb[:, 2]) * (tb[:, 1] + tb[:, 3])
    mn = torch.min(pb, tb)
    mx = torch.max(pb, tb)
    inter = (mn[:, 0] + mn[:, 2]) * (mn[:, 1] + mn[:, 3])
    enc = (mx[:, 0] + mx[:, 2]) * (mx[:, 1] + mx[:, 3])
    un = pa + ta - inter
    g = inter / un - (enc - un) / enc
    return {
        "loss_cls": fl,
        "loss_reg": ((1 - g) * c).sum() / c.sum().clamp(min=1e-6),
        "loss_ctr": F.binary_cross_entropy_with_logits(ctr[pos], c, reduction="sum") / n,
    }


# DETR: greedy matching, class CE with eos coef, L1 + GIoU, aux outputs
class DETR(nn.Module):
    def __init__(self, Q=6, C=5):
        super().__init__()
        self.b = nn.Sequential(nn.Conv2d(3, 32, 4, 4), nn.ReLU(), nn.Conv2d(32, 32, 2, 2))
        self.q = nn.Embedding(Q, 32)
        self.pos = nn.Parameter(torch.randn(16, 32) * 0.1)
        self.dec = nn.ModuleList(
            [nn.TransformerDecoderLayer(32, 4, 64, dropout=0.1, batch_first=True) for _ in range(2)]
        )
        self.class_embed = nn.Linear(32, C + 1)
        self.bbox = nn.Sequential(nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 4))

    def forward(self, x):
        mem = self.b(x).flatten(2).transpose(1, 2) + self.pos
        h = self.q.weight[None].expand(len(x), -1, -1)
        outs = []
        for each in self.dec:
            h = each(h, mem)
            outs.append({"pred_logits": self.class_embed(h), "pred_boxes": self.bbox(h).sigmoid()})
        return {**outs[-1], "aux_outputs": outs[:-1]}


def detr_data(seed=0):
    torch.manual_seed(seed)
    return [
        (
            pics(4, 3, 32),
            [
                {
                    "labels": torch.randint(0, 5, (k,)),
                    "boxes": torch.cat([torch.rand(k, 2) * 0.5 + 0.25, torch.rand(k, 2) * 0.3 + 0.1], 1),
                }
                for k in torch.randint(1, 4, (4,)).tolist()
            ],
        )
        for _ in range(4)
    ]


def xyxy(b):
    c, s = b[:, :2], b[:, 2:]
    return torch.cat([c - s / 2, c + s / 2], 1)


def detr_step(model, batch):
    from torchvision.ops import generalized_box_iou

    imgs, targets = batch
    out = model(imgs)
    nb = max(1, sum(len(t["labels"]) for t in targets))
    ew = torch.ones(6)
    ew[-1] = 0.1

    def losses(o):
        idx = []
        with torch.no_grad():
            for b, t in enumerate(targets):
                pr = o["pred_logits"][b].softmax(-1)
                C = (
                    5 * torch.cdist(o["pred_boxes"][b], t["boxes"], p=1)
                    - pr[:, t["labels"]]
                    - 2 * generalized_box_iou(xyxy(o["pred_boxes"][b]), xyxy(t["boxes"]))
                )
                used = []
                for j in range(len(t["labels"])):
                    c = C[:, j].clone()
                    c[used] = 1e9
                    used.append(int(c.argmin()))
                idx.append(torch.tensor(used))
        tc = torch.full(o["pred_logits"].shape[:2], 5)
        for b, t in enumerate(targets):
            tc[b, idx[b]] = t["labels"]
        src = torch.cat([o["pred_boxes"][b, i] for b, i in enumerate(idx)])
        tb = torch.cat([t["boxes"] for t in targets])
        return {
            "loss_ce": F.cross_entropy(o["pred_logits"].transpose(1, 2), tc, ew),
            "loss_bbox": F.l1_loss(src, tb, reduction="none").sum() / nb,
            "loss_giou": (1 - torch.diag(generalized_box_iou(xyxy(src), xyxy(tb)))).sum() / nb,
        }

    d = losses(out)
    for i, a in enumerate(out["aux_outputs"]):
        d.update({k + f"_{i}": v for k, v in losses(a).items()})
    return d


# YOLO-like single-scale: CIoU-free obj/box/cls, times batch size
class Yolo(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv2d(3, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.SiLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.SiLU(),
            nn.Conv2d(32, 9, 1),
        )

    def forward(self, x):
        return self.net(x).permute(0, 2, 3, 1)


def yolo_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        obj = (torch.rand(4, 8, 8) < 0.08).float()
        obj[:, 2, 3] = 1
        r.append((pics(4, 3, 32), obj, torch.rand(4, 8, 8, 4) * 0.6 + 0.2, torch.randint(0, 4, (4, 8, 8))))
    return r


class ComputeLoss:
    def __init__(self):
        self.hyp = {"box": 0.05, "obj": 1.0, "cls": 0.5}

    def __call__(self, p, targets):
        _, tobj, tbox, tcls = targets
        m = tobj > 0
        ps = p[m]
        BCE = nn.BCEWithLogitsLoss()
        pxy = ps[:, :2].sigmoid() * 2 - 0.5
        pwh = (ps[:, 2:4].sigmoid() * 2) ** 2
        pb = xyxy(torch.cat((pxy, pwh), 1))
        tb = xyxy(tbox[m])
        wh = (torch.min(pb[:, 2:], tb[:, 2:]) - torch.max(pb[:, :2], tb[:, :2])).clamp(0)
        i = wh.prod(1)
        u = (pb[:, 2:] - pb[:, :2]).prod(1) + (tb[:, 2:] - tb[:, :2]).prod(1) - i + 1e-9
        iou = i / u
        t = torch.zeros_like(ps[:, 5:])
        t[range(len(ps)), tcls[m]] = 1.0
        to = torch.zeros_like(tobj)
        to[m] = iou.detach().clamp(0)
        bs = p.shape[0]
        return {
            "box": (1 - iou).mean() * self.hyp["box"] * bs,
            "obj": BCE(p[..., 4], to) * self.hyp["obj"] * bs,
            "cls": BCE(ps[:, 5:], t) * self.hyp["cls"] * bs,
        }


yolo_loss = ComputeLoss()


# CenterNet: gaussian focal on clamped sigmoid, L1 offset with mask
def centernet():
    m = backbone(5)
    nn.init.constant_(m[-1].bias[:1], -2.19)
    return m


def center_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        hm = torch.zeros(4, 1, 16, 16)
        mask = torch.zeros(4, 1, 16, 16)
        for b in range(4):
            for _ in range(2):
                cy, cx = torch.randint(1, 15, (2,))
                hm[b, 0] = torch.max(hm[b, 0], torch.exp(-((yy - cy) ** 2 + (xx - cx) ** 2) / 3))
                mask[b, 0, cy, cx] = 1
        r.append(
            {
                "input": pics(),
                "hm": hm,
                "mask": mask,
                "wh": torch.rand(4, 2, 16, 16) * 6 + 1,
                "reg": torch.rand(4, 2, 16, 16),
            }
        )
    return r


def center_terms(out, b):
    pred = torch.clamp(out[:, :1].sigmoid(), min=1e-4, max=1 - 1e-4)
    gt = b["hm"]
    pos = gt.eq(1).float()
    neg = gt.lt(1).float()
    pl = (torch.log(pred) * torch.pow(1 - pred, 2) * pos).sum()
    nl = (torch.log(1 - pred) * torch.pow(pred, 2) * torch.pow(1 - gt, 4) * neg).sum()
    n = pos.sum()

    def l1(o, t):
        return F.l1_loss(o * b["mask"], t * b["mask"], reduction="sum") / (b["mask"].expand_as(o).sum() + 1e-4)

    return {"hm_loss": -(pl + nl) / n, "wh_loss": l1(out[:, 1:3], b["wh"]), "off_loss": l1(out[:, 3:5], b["reg"])}


# nnU-Net: Dice (softmax, batch dice, no background) negative + CE, deep supervision
class UNetDS(nn.Module):
    def __init__(self):
        super().__init__()
        self.e1 = nn.Sequential(nn.Conv2d(1, 16, 3, 1, 1), nn.InstanceNorm2d(16, affine=True), nn.LeakyReLU())
        self.e2 = nn.Sequential(nn.Conv2d(16, 32, 3, 2, 1), nn.InstanceNorm2d(32, affine=True), nn.LeakyReLU())
        self.up = nn.ConvTranspose2d(32, 16, 2, 2)
        self.d = nn.Sequential(nn.Conv2d(32, 16, 3, 1, 1), nn.LeakyReLU())
        self.h = nn.Conv2d(16, 3, 1)
        self.h2 = nn.Conv2d(32, 3, 1)

    def forward(self, x):
        a = self.e1(x)
        b = self.e2(a)
        return [self.h(self.d(torch.cat([a, self.up(b)], 1))), self.h2(b)]


def seg_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        x = pics(4, 1, 24)
        y = (x > 0.45).long() + (x > 0.7).long()
        r.append((x * 2 - 1 + 0.1 * torch.randn_like(x), y))
    return r


class DiceAndCE(nn.Module):
    def forward(self, net_output, target):
        p = F.softmax(net_output, 1)
        oh = torch.zeros_like(p).scatter_(1, target.long(), 1)
        ax = (0, 2, 3)
        inter = (p * oh).sum(ax)[1:]
        s = p.sum(ax)[1:]
        g = oh.sum(ax)[1:]
        dc = (2 * inter + 1e-5) / torch.clip(g + s + 1e-5, 1e-8)
        return -dc.mean(), F.cross_entropy(net_output, target[:, 0].long())


def nnunet_step(net, batch):
    x, y = batch
    outs = net(x)
    both = DiceAndCE()
    r = {}
    for i, (o, w) in enumerate(zip(outs, (2 / 3, 1 / 3))):
        t = y if i == 0 else F.interpolate(y.float(), size=o.shape[2:], mode="nearest")
        dc, ce = both(o, t)
        r[f"dice{i}"], r[f"ce{i}"] = w * dc, w * ce
    return r


def seg_net():
    return backbone(1, c=1)


def bin_seg(seed=0):
    torch.manual_seed(seed)
    return [(x, (y > 0).float()) for x, y in seg_data()]


def bce_dice(out, batch):  # qubvel / kaggle
    y = batch[1]
    p = out.sigmoid()
    i = (p * y).sum((1, 2, 3))
    tv = (i + 1) / (i + 0.3 * ((1 - y) * p).sum((1, 2, 3)) + 0.7 * (y * (1 - p)).sum((1, 2, 3)) + 1)
    return {
        "bce": F.binary_cross_entropy_with_logits(out, y, pos_weight=torch.tensor(2.0)),
        "focal_tversky": ((1 - tv) ** 0.75).mean(),
    }


# Lovasz hinge
def lovasz(out, batch):
    def flat(each, t):
        e = 1 - each * (2 * t - 1)
        es, p = torch.sort(e, descending=True)
        g = t[p]
        gts = g.sum()
        inter = gts - g.cumsum(0)
        un = gts + (1 - g).cumsum(0)
        j = 1 - inter / un
        j[1:] = j[1:] - j[:-1].clone()
        return torch.dot(F.relu(es), j)

    y = batch[1]
    return {
        "lovasz": torch.stack([flat(o.flatten(), t.flatten()) for o, t in zip(out, y)]).mean(),
        "bce": F.binary_cross_entropy_with_logits(out, y),
    }


# OHEM with 255 ignored and auxiliary head (PSPNet .4)
class PSP(nn.Module):
    def __init__(self):
        super().__init__()
        self.b = nn.Sequential(nn.Conv2d(3, 24, 3, 1, 1), nn.BatchNorm2d(24), nn.ReLU())
        self.c = nn.Sequential(nn.Conv2d(24, 24, 3, 1, 1), nn.ReLU(), nn.Dropout2d(0.1), nn.Conv2d(24, 5, 1))
        self.aux = nn.Conv2d(24, 5, 1)

    def forward(self, x):
        f = self.b(x)
        return (self.c(f), self.aux(f)) if self.training else self.c(f)


def city(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        x = pics(2, 3, 24)
        y = (x.mean(1) * 8 - 1.5).clamp(0, 4).long()
        y[torch.rand(y.shape) < 0.05] = 255
        r.append((x, y))
    return r


def psp_step(model, batch):
    x, y = batch
    o = model(x)
    if not isinstance(o, tuple):
        return {"ohem": ohem(o, y)}
    return {"ohem": ohem(o[0], y), "aux": F.cross_entropy(o[1], y, ignore_index=255)}


def ohem(logit, y):
    each = F.cross_entropy(logit, y, ignore_index=255, reduction="none").view(-1)
    m = each[y.view(-1) != 255].detach()
    th = max(float(m.topk(m.numel() // 4)[0][-1]), -math.log(0.7))
    k = each[each > th]
    k = k if k.numel() > 8 else each.topk(m.numel() // 4)[0]
    return k.mean()


# monodepth2 photometric: SSIM + L1 min over sources, edge-aware smoothness on normalised disparity, automask
class Mono(nn.Module):
    def __init__(self):
        super().__init__()
        self.depth = backbone(1)
        self.pose = nn.Sequential(
            nn.Conv2d(6, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(16, 2)
        )

    def forward(self, x):
        return torch.sigmoid(self.depth(x))


def SSIM(x, y):
    x, y = F.pad(x, (1,) * 4, "reflect"), F.pad(y, (1,) * 4, "reflect")

    def P(t):
        return F.avg_pool2d(t, 3, 1)

    mx, my = P(x), P(y)
    sx, sy, sxy = P(x**2) - mx**2, P(y**2) - my**2, P(x * y) - mx * my
    n = (2 * mx * my + 0.01**2) * (2 * sxy + 0.03**2)
    d = (mx**2 + my**2 + 0.01**2) * (sx + sy + 0.03**2)
    return torch.clamp((1 - n / d) / 2, 0, 1)


def mono_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        big = pics(4, 3, 32)
        r.append({"input": big[..., 4:28, 4:28], "prev": big[..., 4:28, 3:27], "next": big[..., 4:28, 5:29]})
    return r


def mono_step(m, b):
    tgt = b["input"]
    disp = m(tgt)
    ph = []
    ident = []
    for k in ("prev", "next"):
        p = 0.1 * m.pose(torch.cat([tgt, b[k]], 1))
        base = F.affine_grid(torch.eye(2, 3).expand(len(tgt), -1, -1), tgt.shape, align_corners=False)
        flow = p[:, None, None, :] * disp.permute(0, 2, 3, 1) * 2
        w = F.grid_sample(b[k], base + flow, padding_mode="border", align_corners=False)

        def e(a):
            return 0.85 * SSIM(a, tgt).mean(1, True) + 0.15 * (tgt - a).abs().mean(1, True)

        ph.append(e(w))
        ident.append(e(b[k]) + torch.randn_like(disp) * 1e-5)
    opt = torch.min(torch.cat(ident + ph, 1), 1)[0].mean()
    nd = disp / (disp.mean((2, 3), True) + 1e-7)
    gx, gy = (nd[..., :-1] - nd[..., 1:]).abs(), (nd[..., :-1, :] - nd[..., 1:, :]).abs()
    ix, iy = (
        (tgt[..., :-1] - tgt[..., 1:]).abs().mean(1, True),
        (tgt[..., :-1, :] - tgt[..., 1:, :]).abs().mean(1, True),
    )
    return {"photometric": opt, "smooth": (gx * torch.exp(-ix)).mean() + (gy * torch.exp(-iy)).mean()}


# silog depth with mask + gradient matching
def depth_net():
    return nn.Sequential(backbone(1), nn.Softplus())


def depth_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        x = pics()
        d = x.mean(1, True) * 8 + 0.5
        d[torch.rand(d.shape) < 0.2] = 0
        r.append((x, d))
    return r


def silog(out, batch):
    gt = batch[1]
    m = gt > 1e-3
    g = torch.log(out[m] + 1e-7) - torch.log(gt[m])
    Dg = torch.var(g) + 0.15 * g.mean() ** 2
    return {"silog": 10 * torch.sqrt(Dg)}


# RAFT sequence loss
class Raft(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Conv2d(6, 24, 3, 1, 1)
        self.g = nn.Conv2d(26, 24, 3, 1, 1)
        self.o = nn.Conv2d(24, 2, 3, 1, 1)

    def forward(self, a, b):
        h = F.relu(self.f(torch.cat([a, b], 1)))
        fl = torch.zeros(a.shape[0], 2, *a.shape[2:])
        out = []
        for _ in range(4):
            fl = fl.detach()
            fl = fl + self.o(torch.tanh(self.g(torch.cat([h, fl], 1))))
            out.append(fl)
        return out


def flow_data(seed=0):
    torch.manual_seed(seed)
    return [
        (
            pics(),
            pics(),
            torch.randn(4, 2, 1, 1) * 3 + torch.randn(4, 2, 16, 16) * 0.3,
            (torch.rand(4, 16, 16) > 0.1).float(),
        )
        for _ in range(4)
    ]


def raft_step(model, batch):
    a, b, gt, valid = batch
    preds = model(a, b)
    mag = torch.sum(gt**2, 1).sqrt()
    valid = (valid >= 0.5) & (mag < 400)
    n = len(preds)
    loss = 0.0
    for i in range(n):
        loss = loss + 0.8 ** (n - i - 1) * (valid[:, None] * (preds[i] - gt).abs()).mean()
    return {"flow": loss}


# ESRGAN-like generator: L1 1e-2, perceptual 1, RaGAN 5e-3
class SR(nn.Module):
    def __init__(self):
        super().__init__()
        self.net_g = nn.Sequential(
            nn.Conv2d(3, 32, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(32, 12, 3, 1, 1), nn.PixelShuffle(2)
        )
        self.net_d = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(16, 16, 4, 2, 1),
            nn.LeakyReLU(0.2),
            nn.Flatten(),
            nn.Linear(256, 1),
        )


def sr_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        hr = pics()
        r.append({"lq": F.avg_pool2d(hr, 2), "gt": hr})
    return r


class Feat(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = nn.Sequential(nn.Conv2d(3, 16, 3, 1, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 1, 1))
        self.requires_grad_(False)
        self.register_buffer("mean", torch.tensor([0.485, 0.456, 0.406]).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor([0.229, 0.224, 0.225]).view(1, 3, 1, 1))

    def forward(self, x):
        return self.n((x - self.mean) / self.std)


feat = Feat().eval()


def esrgan_step(m, b):
    out = m.net_g(b["lq"])
    bce = F.binary_cross_entropy_with_logits
    rd = m.net_d(b["gt"]).detach()
    fg = m.net_d(out)
    one, zero = torch.ones_like(rd), torch.zeros_like(rd)
    g = {
        "l_g_pix": F.l1_loss(out, b["gt"]),
        "l_g_percep": F.l1_loss(feat(out), feat(b["gt"].detach())),
        "l_g_gan": (bce(rd - fg.mean(), zero) + bce(fg - rd.mean(), one)) / 2,
    }
    fd = m.net_d(out).detach()
    rp = m.net_d(b["gt"])
    lr = bce(rp - fd.mean(), one) * 0.5
    fp = m.net_d(out.detach())
    lf = bce(fp - rp.detach().mean(), zero) * 0.5
    return {"G": g, "D": {"l_d_real": lr, "l_d_fake": lf}}


# style transfer feed-forward (Johnson): content, gram style, tv
def transformer():
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 1, 1), nn.InstanceNorm2d(16, affine=True), nn.ReLU(), nn.Conv2d(16, 3, 3, 1, 1)
    )


def content(seed=0):
    torch.manual_seed(seed)
    return [pics() for _ in range(4)]


_style = torch.linspace(0, 1, 768).view(1, 3, 16, 16).sin()


def gram(y):
    b, c, h, w = y.shape
    f = y.view(b, c, h * w)
    return f.bmm(f.transpose(1, 2)) / (c * h * w)


def style_step(m, x):
    y = m(x)
    fy, fx = feat(y), feat(x)
    gs = gram(feat(_style))
    return {
        "content": 1.0 * F.mse_loss(fy, fx),
        "style": 2000.0 * F.mse_loss(gram(fy), gs.expand(len(x), -1, -1)),
        "tv": 1e-2 * ((y[..., 1:] - y[..., :-1]).abs().mean() + (y[..., 1:, :] - y[..., :-1, :]).abs().mean()),
    }


# pose: heatmap MSE with visibility weights; 6D rotation geodesic
def heat_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        yy, xx = torch.meshgrid(torch.arange(16.0), torch.arange(16.0), indexing="ij")
        c = torch.rand(4, 5, 2) * 14 + 1
        hm = torch.exp(-((yy - c[..., 0, None, None]) ** 2 + (xx - c[..., 1, None, None]) ** 2) / 8)
        r.append((pics(), hm, (torch.rand(4, 5, 1) > 0.15).float()))
    return r


def joints_mse(out, batch):
    _, t, w = batch
    J = out.size(1)
    hp = out.reshape(4 if out.size(0) == 4 else out.size(0), J, -1).split(1, 1)
    hg = t.reshape(t.size(0), J, -1).split(1, 1)
    loss = 0
    for i in range(J):
        loss = loss + 0.5 * F.mse_loss(hp[i].squeeze(1) * w[:, i], hg[i].squeeze(1) * w[:, i])
    return {"joints": loss / J}


def posenet():
    return backbone(5)


class Rot(nn.Module):
    def __init__(self):
        super().__init__()
        self.n = nn.Sequential(nn.Linear(24, 64), nn.ReLU(), nn.Linear(64, 9))

    def forward(self, x):
        o = self.n(x)
        a, b, t = o[:, :3], o[:, 3:6], o[:, 6:]
        b1 = F.normalize(a, dim=-1)
        b2 = F.normalize(b - (b1 * b).sum(-1, keepdim=True) * b1, dim=-1)
        return torch.stack([b1, b2, torch.cross(b1, b2, dim=-1)], -1), t


def rot_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        q, R = torch.linalg.qr(torch.randn(16, 3, 3))
        q = q * torch.linalg.det(q)[:, None, None]
        t = torch.randn(16, 3)
        p = torch.randn(8, 3)
        x = (torch.einsum("bij,nj->bni", q, p) + t[:, None]).flatten(1)
        r.append((x, q, t))
    return r


def rot_terms(out, batch):
    R, t = out
    tr = (R * batch[1]).sum((1, 2))
    return {
        "geodesic": torch.acos(((tr - 1) / 2).clamp(-1 + 1e-6, 1 - 1e-6)).mean(),
        "trans": (t - batch[2]).norm(dim=1).mean(),
    }


# DDColor-like: raw ab L1 with weight .1
def raw_ab():
    return backbone(2, c=1)


def ab_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        p = pics()
        r.append(
            {"input": p.mean(1, True) * 100, "ab": torch.stack([(p[:, 0] - p[:, 1]) * 60, (p[:, 1] - p[:, 2]) * 70], 1)}
        )
    return r


def ab_terms(out, b):
    return {
        "pix": F.l1_loss(out, b["ab"]),
        "chroma": F.l1_loss(out.pow(2).sum(1).add(1e-6).sqrt(), b["ab"].pow(2).sum(1).add(1e-6).sqrt()),
    }


# Zhang colorization as classification of 8 bins with rebalancing, NIN
def bins_data(seed=0):
    torch.manual_seed(seed)
    return [(x.mean(1, True), (x[:, 0] * 7.99).long()) for x in (pics() for _ in range(4))]


def bins_net():
    return backbone(8, c=1)


def bins_terms(out, b):
    w = torch.linspace(0.5, 2, 8)
    lp = F.log_softmax(out, 1)
    return {"rebalanced": (F.nll_loss(lp, b[1], reduction="none") * w[b[1]]).mean()}


# denoise: charbonnier + FFT loss (MIMO-UNet) ; 2-stage residual
def deblur():
    return backbone(3)


def blur_data(seed=0):
    torch.manual_seed(seed)
    return [(F.avg_pool2d(F.pad(x, (1,) * 4, "reflect"), 3, 1), x) for x in (pics() for _ in range(4))]


def mimo(out, b):
    def fft(t):
        return torch.view_as_real(torch.fft.fft2(t))

    return {"char": torch.sqrt((out - b[1]) ** 2 + 1e-6).mean(), "fft": 0.1 * F.l1_loss(fft(out), fft(b[1]))}


# NeRF: coarse + fine mse, distortion, per-ray
class Nerf(nn.Module):
    def __init__(self):
        super().__init__()

        def mk():
            return nn.Sequential(nn.Linear(18, 64), nn.ReLU(), nn.Linear(64, 4))

        self.coarse, self.fine = mk(), mk()

    def render(self, net, o, d, n):
        z = torch.linspace(1, 4, n).expand(len(o), n) + torch.rand(len(o), n) * 3 / n
        p = o[:, None] + d[:, None] * z[..., None]
        e = torch.cat([f(p * k) for k in (1, 2, 4) for f in (torch.sin, torch.cos)], -1)
        r = net(e)
        a = 1 - torch.exp(-F.relu(r[..., 3] + torch.randn_like(z) * 0.1) * 3 / n)
        T = torch.cumprod(torch.cat([torch.ones(len(o), 1), 1 - a + 1e-10], 1), 1)[:, :-1]
        w = a * T
        return (w[..., None] * torch.sigmoid(r[..., :3])).sum(1) + (1 - w.sum(1, keepdim=True)), w, z


def rays(seed=0):
    torch.manual_seed(seed)
    return [
        {"o": torch.zeros(64, 3), "d": F.normalize(d, dim=-1), "rgb": (F.normalize(d, dim=-1) * 0.4 + 0.5)}
        for d in (torch.randn(64, 3) for _ in range(4))
    ]


def nerf_step(m, b):
    c, _, _ = m.render(m.coarse, b["o"], b["d"], 8)
    f, w, z = m.render(m.fine, b["o"], b["d"], 16)
    return {
        "rgb_coarse": torch.mean((c - b["rgb"]) ** 2),
        "rgb_fine": torch.mean((f - b["rgb"]) ** 2),
        "dist": (w[:, :, None] * w[:, None] * (z[:, :, None] - z[:, None]).abs()).sum((1, 2)).mean(),
    }
