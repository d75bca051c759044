"""Self-supervision, metric learning, distillation and semi-supervision, as published."""

import copy
import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from smooth_pictures import pics


def views(seed=0):
    torch.manual_seed(seed)

    def one():
        x = pics(8)
        return (x + 0.05 * torch.randn_like(x)).clamp(0, 1), (x.flip(-1) * 0.9 + 0.05 * torch.randn_like(x)).clamp(0, 1)

    return [one() for _ in range(4)]


def enc(o=32):
    return nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, 2, 1),
        nn.ReLU(),
        nn.AdaptiveAvgPool2d(2),
        nn.Flatten(),
        nn.Linear(128, o),
    )


class Barlow(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = enc()
        self.projector = nn.Sequential(
            nn.Linear(32, 64, bias=False), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 64, bias=False)
        )
        self.bn = nn.BatchNorm1d(64, affine=False)

    def forward(self, y1, y2):
        return self.bn(self.projector(self.backbone(y1))), self.bn(self.projector(self.backbone(y2)))


def off_diagonal(x):
    n, m = x.shape
    return x.flatten()[:-1].view(n - 1, n + 1)[:, 1:].flatten()


def barlow_step(m, b):
    z1, z2 = m(*b)
    c = z1.T @ z2
    c.div_(len(b[0]))
    on = torch.diagonal(c).add_(-1).pow_(2).sum()
    off = off_diagonal(c).pow_(2).sum()
    return {"on_diag": on, "off_diag": 0.0051 * off}


class VIC(nn.Module):
    def __init__(self):
        super().__init__()
        self.backbone = enc()
        self.projector = nn.Sequential(
            nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(True), nn.Linear(64, 32, bias=False)
        )

    def forward(self, x):
        return self.projector(self.backbone(x))


def vic_step(m, b):
    x, y = m(b[0]), m(b[1])
    n, d = x.shape
    rep = F.mse_loss(x, y)
    x = x - x.mean(0)
    y = y - y.mean(0)
    sx, sy = torch.sqrt(x.var(0) + 1e-4), torch.sqrt(y.var(0) + 1e-4)
    std = torch.mean(F.relu(1 - sx)) / 2 + torch.mean(F.relu(1 - sy)) / 2
    cx, cy = (x.T @ x) / (n - 1), (y.T @ y) / (n - 1)
    return {
        "invariance": rep,
        "variance": std,
        "covariance": off_diagonal(cx).pow_(2).sum().div(d) + off_diagonal(cy).pow_(2).sum().div(d),
    }


def simclr_step(m, b):
    z = F.normalize(torch.cat([m(b[0]), m(b[1])]), dim=1)
    n = len(b[0])
    labels = torch.cat([torch.arange(n)] * 2)
    lab = (labels[None] == labels[:, None]).float()
    sim = z @ z.T
    mask = torch.eye(2 * n, dtype=torch.bool)
    lab = lab[~mask].view(2 * n, -1)
    sim = sim[~mask].view(2 * n, -1)
    logits = torch.cat([sim[lab.bool()].view(2 * n, -1), sim[~lab.bool()].view(2 * n, -1)], 1) / 0.07
    return {"info_nce": nn.CrossEntropyLoss()(logits, torch.zeros(2 * n, dtype=torch.long))}


class MoCo(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder_q = enc()
        self.encoder_k = copy.deepcopy(self.encoder_q)
        [p.requires_grad_(False) for p in self.encoder_k.parameters()]
        self.register_buffer("queue", F.normalize(torch.randn(32, 64), dim=0))

    def forward(self, q, k):
        q = F.normalize(self.encoder_q(q), dim=1)
        with torch.no_grad():
            k = F.normalize(self.encoder_k(k), dim=1)
        pos = torch.einsum("nc,nc->n", q, k).unsqueeze(-1)
        neg = torch.einsum("nc,ck->nk", q, self.queue.clone().detach())
        return torch.cat([pos, neg], 1) / 0.07, torch.zeros(len(q), dtype=torch.long)


def moco_step(m, b):
    o, t = m(*b)
    return {"contrast": F.cross_entropy(o, t)}


class BYOL(nn.Module):
    def __init__(self):
        super().__init__()
        self.online = enc()
        self.target = copy.deepcopy(self.online)
        self.predictor = nn.Sequential(nn.Linear(32, 64), nn.BatchNorm1d(64), nn.ReLU(), nn.Linear(64, 32))
        self.target.requires_grad_(False)


def byol_step(m, b):
    def reg(x, y):
        x, y = F.normalize(x, dim=-1, p=2), F.normalize(y, dim=-1, p=2)
        return 2 - 2 * (x * y).sum(-1)

    p1, p2 = m.predictor(m.online(b[0])), m.predictor(m.online(b[1]))
    with torch.no_grad():
        t1, t2 = m.target(b[0]), m.target(b[1])
    return {"byol": (reg(p1, t2.detach()) + reg(p2, t1.detach())).mean()}


class Siam(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = enc()
        self.h = nn.Sequential(nn.Linear(32, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 32))


def simsiam_step(m, b):
    z1, z2 = m.f(b[0]), m.f(b[1])

    def D(p, z):
        return -F.cosine_similarity(p, z.detach(), dim=-1).mean()

    return {"d12": D(m.h(z1), z2) / 2, "d21": D(m.h(z2), z1) / 2}


class DINO(nn.Module):
    def __init__(self):
        super().__init__()
        self.student = enc(48)
        self.teacher = enc(48)
        self.teacher.load_state_dict(self.student.state_dict())
        self.teacher.requires_grad_(False)
        self.register_buffer("center", torch.zeros(1, 48))


def dino_step(m, b):
    s = [m.student(v) / 0.1 for v in b]
    t = [F.softmax((m.teacher(v) - m.center) / 0.04, -1).detach() for v in b]
    return {
        "dino": (
            torch.sum(-t[0] * F.log_softmax(s[1], -1), -1).mean()
            + torch.sum(-t[1] * F.log_softmax(s[0], -1), -1).mean()
        )
        / 2
    }


class CLIP(nn.Module):
    def __init__(self):
        super().__init__()
        self.visual = enc()
        self.text = nn.Embedding(50, 32)
        self.ln = nn.Linear(32, 32)
        self.logit_scale = nn.Parameter(torch.ones([]) * math.log(1 / 0.07))

    def forward(self, image, text):
        i = F.normalize(self.visual(image), dim=-1)
        t = F.normalize(self.ln(self.text(text).mean(1)), dim=-1)
        s = self.logit_scale.exp()
        return s * i @ t.t(), s * t @ i.t()


def pairs(seed=0):
    torch.manual_seed(seed)
    return [{"image": pics(8), "text": torch.randint(0, 50, (8, 6))} for _ in range(4)]


def clip_terms(o, b):
    each = torch.arange(len(o[0]))
    return {"image_to_text": F.cross_entropy(o[0], each) / 2, "text_to_image": F.cross_entropy(o[1], each) / 2}


def siglip_step(m, b):
    li, _ = m(**b)
    n = len(li)
    lab = 2 * torch.eye(n) - torch.ones(n, n)
    return {"sig": -F.logsigmoid(lab * (li - 10)).sum() / n}


# supervised metric
def faces(seed=0):
    torch.manual_seed(seed)
    return [(pics(8) * 2 - 1, torch.arange(8) % 4) for _ in range(4)]


def facenet_hard(emb, batch):
    e = F.normalize(emb)
    y = batch[1]
    d = torch.cdist(e, e)
    same = y[:, None] == y[None]
    hp = (d * same).max(1)[0]
    hn = (d + 10 * same).min(1)[0]
    return {"triplet": F.relu(hp - hn + 0.3).mean()}


def facenet():
    return enc()


def triplet_step(m, batch):
    a, p, n = m(batch[0][:2]), m(batch[0][4:6]), m(batch[0][2:4])
    return {"margin": nn.TripletMarginLoss(margin=1.0, p=2)(a, p, n)}


class Arc(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = enc()
        self.weight = nn.Parameter(torch.empty(4, 32))
        nn.init.xavier_uniform_(self.weight)

    def forward(self, x):
        return F.linear(F.normalize(self.net(x)), F.normalize(self.weight))


def arc_step(m, b):
    x, y = b
    cos = m(x)
    sin = torch.sqrt((1 - cos.pow(2)).clamp(1e-7, 1))
    phi = cos * math.cos(0.5) - sin * math.sin(0.5)
    phi = torch.where(cos > math.cos(math.pi - 0.5), phi, cos - math.sin(math.pi - 0.5) * 0.5)
    oh = F.one_hot(y, 4).float()
    return {"arcface": F.cross_entropy((oh * phi + (1 - oh) * cos) * 30.0, y)}


class Center(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = enc()
        self.fc = nn.Linear(32, 4)
        self.centers = nn.Parameter(torch.randn(4, 32))


def center_step(m, b):
    f = m.f(b[0])
    return {
        "xent": F.cross_entropy(m.fc(f), b[1]),
        "center": 0.0005 * (f - m.centers[b[1]]).pow(2).sum(1).clamp(1e-12, 1e12).mean(),
    }


def center_step2(m, b):
    f = m.f(b[0])
    return {
        "xent": F.cross_entropy(m.fc(f), b[1]),
        "center": 0.05 * (f - m.centers[b[1]]).pow(2).sum(1).clamp(1e-12, 1e12).mean(),
    }


# supcon
def supcon(o, b):
    f = F.normalize(o, dim=1)
    m = (b[1][:, None] == b[1][None]).float()
    each = f @ f.T / 0.1
    each = each - each.max(1, keepdim=True)[0].detach()
    lm = 1 - torch.eye(len(f))
    m = m * lm
    lp = each - torch.log((torch.exp(each) * lm).sum(1, keepdim=True))
    return {"supcon": -(m * lp).sum(1).div(m.sum(1).clamp(min=1)).mean()}


# distillation, hinton with T^2; teacher in train mode, hint loss with regressor; DeiT KLDiv sum/numel
class KD(nn.Module):
    def __init__(self):
        super().__init__()
        self.student = enc(10)
        self.teacher = nn.Sequential(enc(64), nn.ReLU(), nn.Linear(64, 10))
        self.teacher.requires_grad_(False)
        nn.init.normal_(self.teacher[-1].weight, std=0.7)


def labelled(seed=0):
    torch.manual_seed(seed)
    return [(pics(8), torch.randint(0, 10, (8,))) for _ in range(4)]


def kd_step(m, b):
    x, y = b
    s = m.student(x)
    m.teacher.eval()
    with torch.no_grad():
        t = m.teacher(x)
    T = 4.0
    return {
        "ce": 0.1 * F.cross_entropy(s, y),
        "kd": 0.9 * nn.KLDivLoss(reduction="batchmean")(F.log_softmax(s / T, 1), F.softmax(t / T, 1)) * T * T,
    }


def deit_step(m, b):
    x, y = b
    s = m.student(x)
    soft = F.one_hot(y, 10) * 0.9 + 0.01
    m.teacher.eval()
    with torch.no_grad():
        t = m.teacher(x)
    T = 3.0
    return {
        "base": torch.sum(-soft * F.log_softmax(s, -1), -1).mean() * 0.5,
        "distill": F.kl_div(F.log_softmax(s / T, 1), F.log_softmax(t / T, 1), reduction="sum", log_target=True)
        * (T * T)
        / s.numel()
        * 0.5,
    }


class Hint(nn.Module):
    def __init__(self):
        super().__init__()
        self.s1 = nn.Conv2d(3, 8, 3, 2, 1)
        self.reg = nn.Sequential(nn.Conv2d(8, 16, 1, bias=False), nn.BatchNorm2d(16))
        self.fc = nn.Linear(8, 10)
        self.t1 = nn.Conv2d(3, 16, 3, 2, 1).requires_grad_(False)


def at_step(m, b):
    f = F.relu(m.s1(b[0]))
    with torch.no_grad():
        g = F.relu(m.t1(b[0]))

    def at(v):
        return F.normalize(v.pow(2).mean(1).view(v.size(0), -1))

    return {
        "cls": F.cross_entropy(m.fc(f.mean((2, 3))), b[1]),
        "attention": (at(f) - at(g)).pow(2).mean() * 1000 / 2,
        "hint": F.mse_loss(m.reg(f), g),
    }


# mean teacher with consistency mse on softmax, ema
class MT(nn.Module):
    def __init__(self):
        super().__init__()
        self.model = enc(10)
        self.ema_model = copy.deepcopy(self.model)
        [p.detach_() for p in self.ema_model.parameters()]


def mt_data(seed=0):
    torch.manual_seed(seed)
    return [{"x": pics(8), "y": torch.cat([torch.randint(0, 10, (4,)), torch.full((4,), -1)])} for _ in range(4)]


def mt_step(m, b):
    def n():
        return b["x"] + 0.1 * torch.randn_like(b["x"])

    o = m.model(n())
    e = m.ema_model(n()).detach()
    return {
        "class": nn.CrossEntropyLoss(reduction="sum", ignore_index=-1)(o, b["y"]) / len(b["y"]),
        "consistency": F.mse_loss(F.softmax(o, 1), F.softmax(e, 1), reduction="sum") / 10 / len(o),
    }


# fixmatch
def fm_data(seed=0):
    torch.manual_seed(seed)
    return [
        {
            "lb": pics(4),
            "y": torch.randint(0, 10, (4,)),
            "weak": (x := pics(12)),
            "strong": (x + 0.2 * torch.randn_like(x)).clamp(0, 1),
        }
        for _ in range(4)
    ]


def clsnet():
    m = enc(10)
    m[-1].weight.data.mul_(25)
    return m


def fixmatch_step(m, b):
    o = m(torch.cat([b["lb"], b["weak"], b["strong"]]))
    w, s = o[4:].chunk(2)
    pl = torch.softmax(w.detach(), -1)
    mp, t = pl.max(-1)
    mask = mp.ge(0.6).float()
    return {"Lx": F.cross_entropy(o[:4], b["y"]), "Lu": (F.cross_entropy(s, t, reduction="none") * mask).mean()}


# mixup, label smoothing, LDAM-ish, evidential
def mixup_step(m, b):
    x, y = b
    lam = torch.distributions.Beta(0.4, 0.4).sample()
    i = torch.randperm(len(x))
    o = m(lam * x + (1 - lam) * x[i])
    c = nn.CrossEntropyLoss(label_smoothing=0.1)
    return {"mixup": lam * c(o, y) + (1 - lam) * c(o, y[i])}


def cls10():
    return enc(10)


def coteach(o, b):
    each = F.log_softmax(o, 1)
    return {"nll": F.nll_loss(F.log_softmax(each, 1), b[1])}


# kendall & gradnorm-ish weights, DWA
class Kendall(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Sequential(nn.Conv2d(3, 24, 3, 1, 1), nn.ReLU())
        self.sem = nn.Conv2d(24, 4, 1)
        self.dep = nn.Conv2d(24, 1, 1)
        self.log_vars = nn.Parameter(torch.zeros(2))


def mtl_data(seed=0):
    torch.manual_seed(seed)
    return [{"x": (x := pics()), "sem": (x.mean(1) * 3.99).long(), "dep": x.mean(1, True) * 2 + 0.1} for _ in range(4)]


def kendall_step(m, b):
    h = m.trunk(b["x"])
    s = m.log_vars
    return {
        "sem": torch.exp(-s[0]) * F.cross_entropy(m.sem(h), b["sem"]) + s[0] / 2,
        "depth": 0.5 * torch.exp(-s[1]) * F.l1_loss(m.dep(h), b["dep"]) + s[1] / 2,
    }


# domain-adversarial (gradient reversal), entropy minimisation
class GRL(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, a):
        ctx.a = a
        return x.view_as(x)

    @staticmethod
    def backward(ctx, g):
        return g.neg() * ctx.a, None


class DANN(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = enc()
        self.c = nn.Linear(32, 10)
        self.d = nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 2))


def dann_data(seed=0):
    torch.manual_seed(seed)
    return [(pics(8), torch.randint(0, 10, (8,)), pics(8).flip(1) * 0.8) for _ in range(4)]


def dann_step(m, b):
    s, y, t = b
    fs, ft = m.f(s), m.f(t)

    def dom(f, k):
        return F.nll_loss(F.log_softmax(m.d(GRL.apply(f, 0.5)), 1), torch.full((len(f),), k))

    return {
        "err_s_label": F.nll_loss(F.log_softmax(m.c(fs), 1), y),
        "err_s_domain": dom(fs, 0),
        "err_t_domain": dom(ft, 1),
    }


# MAE with norm_pix
class MAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Linear(48, 32)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, 32))
        self.pos = nn.Parameter(torch.randn(1, 16, 32) * 0.02)
        self.b = nn.TransformerEncoderLayer(32, 4, 64, 0.0, batch_first=True)
        self.h = nn.Linear(32, 48)


def mae_step(m, imgs):
    p = imgs.unfold(2, 4, 4).unfold(3, 4, 4).permute(0, 2, 3, 4, 5, 1).reshape(len(imgs), 16, 48)
    r = torch.rand(len(imgs), 16)
    mask = (r.argsort(1).argsort(1) >= 4).float()
    x = m.e(p) * (1 - mask[..., None]) + m.mask_token * mask[..., None]
    pred = m.h(m.b(x + m.pos))
    t = (p - p.mean(-1, keepdim=True)) / (p.var(-1, keepdim=True) + 1e-6) ** 0.5
    loss = ((pred - t) ** 2).mean(-1)
    return {"recon": (loss * mask).sum() / mask.sum()}


def imgs(seed=0):
    torch.manual_seed(seed)
    return [pics() for _ in range(4)]


# pytorch-metric style proxy, ddp zero term
def ddp_step(m, b):
    o = m.student(b[0])
    z = sum(p.sum() for p in m.student.parameters()) * 0.0
    return {"ce": F.cross_entropy(o, b[1]) + z}
