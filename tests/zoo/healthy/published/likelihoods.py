"""Likelihoods whose output is not in the unit of the target, robust losses, ordinal and noisy-label classification."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from smooth_pictures import pics


def mlp(o):
    return nn.Sequential(nn.Linear(6, 64), nn.ReLU(), nn.Linear(64, o))


def mlp1():
    return mlp(1)


def mlp2():
    return mlp(2)


def mlp5():
    return mlp(5)


def times(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), -torch.log(torch.rand(32, 1)) / torch.exp(0.7 * x[:, :1])) for _ in range(4)]


def exponential(o, b):
    return {"nll": (torch.exp(o) * b[1] - o).mean()}  # output: log rate


def weibull(o, b):
    k = F.softplus(o[:, 1:]) + 0.5
    z = o[:, :1]
    y = b[1] + 1e-4
    return {"nll": -(torch.log(k) - k * z + (k - 1) * torch.log(y) - (y * torch.exp(-z)) ** k).mean()}


def gamma_dist(o, b):
    c, r = F.softplus(o).chunk(2, 1)
    return {"nll": -torch.distributions.Gamma(c + 0.1, r + 0.1).log_prob(b[1] + 1e-3).mean()}


def precision_nll(o, b):
    mu, lam = o.chunk(2, 1)
    return {"nll": (0.5 * torch.exp(lam) * (b[1] - mu) ** 2 - 0.5 * lam).mean()}


def cnt(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), torch.poisson(torch.exp(0.8 * x[:, :1]))) for _ in range(4)]


def negbin(o, b):
    return {"nb": -torch.distributions.NegativeBinomial(total_count=5.0, logits=o).log_prob(b[1]).mean()}


def negbin_p(o, b):
    p = torch.sigmoid(o)
    r = 5.0
    y = b[1]
    return {
        "nb": -(
            torch.lgamma(y + r)
            - torch.lgamma(y + 1)
            - math.lgamma(r)
            + r * torch.log(p + 1e-8)
            + y * torch.log(1 - p + 1e-8)
        ).mean()
    }  # success prob falls with the mean


def geometric(o, b):
    return {"geom": -(F.logsigmoid(o) + b[1] * F.logsigmoid(-o)).mean()}


def expsurv(seed=0):
    torch.manual_seed(seed)
    return [(torch.randn(32, 6), torch.rand(32, 1) * 10, (torch.rand(32, 1) < 0.6).float()) for _ in range(4)]


def exp_surv(o, b):
    _, t, e = b
    return {"surv": -(e * o - torch.exp(o) * t).mean()}


def energy_distance(o, b):
    return {"crps": (o - b[1]).abs().mean() - 0.5 * (o[:, :1] - o[torch.randperm(len(o)), 1:2]).abs().mean()}


# ordinal regression (CORAL), hinge SVM, asymmetric
def ordinal(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), (x[:, 0] * 1.2 + 2).clamp(0, 3.99).long()) for _ in range(4)]


class Coral(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 1, bias=False))
        self.b = nn.Parameter(torch.arange(3, 0, -1).float() / 3)

    def forward(self, x):
        return self.f(x) + self.b


def coral(o, b):
    lv = (b[1][:, None] > torch.arange(3)[None]).float()
    return {"coral": -torch.mean(torch.sum(F.logsigmoid(o) * lv + (F.logsigmoid(o) - o) * (1 - lv), 1))}


def svm_data(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), torch.sign(x[:, :1] + 0.2 * torch.randn(32, 1))) for _ in range(4)]


def hinge(o, b):
    return {
        "hinge": F.relu(1 - b[1] * o).mean(),
    }


def logit_pm1(o, b):
    return {"logistic": torch.log1p(torch.exp(-b[1] * o)).mean()}


def rank(o, b):
    i = torch.randperm(len(o))
    s = torch.sign(b[1] - b[1][i])
    return {"rank": F.margin_ranking_loss(o, o[i], s, margin=0.1)}


def distance_score(o, b):
    torch.randperm(len(o))
    y = (b[1] > b[1].median()).float()
    return {"deviation": ((1 - y) * o.abs() + y * F.relu(5 - o)).mean()}  # deviation networks


# anomaly: deep SVDD with a centre, one class, OE
class SVDD(nn.Module):
    def __init__(self):
        super().__init__()
        self.f = nn.Sequential(nn.Linear(6, 32, bias=False), nn.LeakyReLU(), nn.Linear(32, 8, bias=False))
        self.register_buffer("c", torch.full((8,), 0.3))

    def forward(self, x):
        return self.f(x)


def svdd_step(m, b):
    d = ((m(b[0]) - m.c) ** 2).sum(1)
    s = torch.where(torch.arange(len(d)) % 8 == 0, -1.0, 1.0)
    return {"sad": torch.where(s == 1, d, (d + 1e-6) ** s).mean()}


# evidential classification (Sensoy) with annealed KL
def evc(seed=0):
    torch.manual_seed(seed)
    return [(x := torch.randn(32, 6), (x[:, 0] * 1.5 + 2).clamp(0, 4.99).long()) for _ in range(4)]


def edl(o, b):
    y = F.one_hot(b[1], 5).float()
    a = F.softplus(o) + 1
    S = a.sum(1, keepdim=True)
    err = ((y - a / S) ** 2).sum(1)
    var = (a * (S - a) / (S * S * (S + 1))).sum(1)
    return {"mse": (err + var).mean()}


def ce_soft_margin(o, b):
    return {"multi_margin": F.multi_margin_loss(o, b[1]), "ce": F.cross_entropy(o, b[1], label_smoothing=0.05)}


def poly1(o, b):
    pt = (F.softmax(o, -1) * F.one_hot(b[1], 5)).sum(-1)
    return {"poly": (F.cross_entropy(o, b[1], reduction="none") + 1.0 * (1 - pt)).mean()}


def gce(o, b):
    p = F.softmax(o, 1).gather(1, b[1][:, None]).clamp(1e-7, 1)
    return {"gce": ((1 - p**0.7) / 0.7).mean()}


def sce(o, b):
    p = F.softmax(o, 1).clamp(1e-7, 1)
    h = F.one_hot(b[1], 5).float().clamp(1e-4, 1)
    return {"ce": 0.1 * F.cross_entropy(o, b[1]), "rce": (-(p * torch.log(h)).sum(1)).mean()}


def neglearn(o, b):
    k = (b[1] + torch.randint(1, 5, b[1].shape)) % 5
    return {"negative_learning": F.nll_loss(torch.log(torch.clamp(1 - F.softmax(o, -1), min=1e-5)), k)}


def confidence_penalty(o, b):
    lp = F.log_softmax(o, 1)
    return {"ce": F.nll_loss(lp, b[1]), "confidence": 0.1 * (lp.exp() * lp).sum(1).mean()}


# steganography/adversarial: FGSM/TRADES/PGD; VAT
def cls5():
    return nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU(), nn.AdaptiveAvgPool2d(4), nn.Flatten(), nn.Linear(256, 5))


def img5(seed=0):
    torch.manual_seed(seed)
    return [(pics(8), torch.randint(0, 5, (8,))) for _ in range(8)]


def trades(m, b):
    x, y = b
    was = m.training
    m.eval()
    adv = x.detach() + 0.001 * torch.randn_like(x)
    for _ in range(3):
        adv.requires_grad_()
        each = F.kl_div(F.log_softmax(m(adv), 1), F.softmax(m(x), 1), reduction="sum")
        g = torch.autograd.grad(each, adv)[0]
        adv = torch.min(torch.max(adv.detach() + 0.01 * g.sign(), x - 0.03), x + 0.03).clamp(0, 1)
    m.train(was)
    lo = m(x)
    return {
        "natural": F.cross_entropy(lo, y),
        "robust": 6.0 / len(x) * F.kl_div(F.log_softmax(m(adv.detach()), 1), F.softmax(lo, 1), reduction="sum"),
    }


def vat(m, b):
    x, y = b
    with torch.no_grad():
        p = F.softmax(m(x), 1)
    d = F.normalize(torch.randn_like(x).flatten(1), dim=1).view_as(x).requires_grad_()
    (g,) = torch.autograd.grad(F.kl_div(F.log_softmax(m(x + 10 * d), 1), p, reduction="batchmean"), d)
    r = F.normalize(g.flatten(1), dim=1).view_as(x)
    return {"ce": F.cross_entropy(m(x), y), "lds": F.kl_div(F.log_softmax(m(x + 2.5 * r), 1), p, reduction="batchmean")}


# robust: Barron general, log error, Cauchy, Wing, log-cosh, berHu, MAPE/SMAPE
def dpt():
    return nn.Sequential(nn.Conv2d(3, 24, 3, 1, 1), nn.ReLU(), nn.Conv2d(24, 1, 3, 1, 1))


def dimg(seed=0):
    torch.manual_seed(seed)
    return [((x := pics()), x.mean(1, True) * 4 + 0.2) for _ in range(4)]


def revisiting(o, b):
    def e(t):
        return torch.log(t.abs() + 0.5).mean()

    def gx(t):
        return t[..., 1:] - t[..., :-1]

    def gy(t):
        return t[..., 1:, :] - t[..., :-1, :]

    return {
        "depth": e(o - b[1]),
        "dx": e(gx(o) - gx(b[1])),
        "dy": e(gy(o) - gy(b[1])),
        "normal": (
            1
            - F.cosine_similarity(
                torch.cat([-gx(o)[..., 1:, :], -gy(o)[..., 1:], torch.ones_like(gx(o)[..., 1:, :])], 1),
                torch.cat([-gx(b[1])[..., 1:, :], -gy(b[1])[..., 1:], torch.ones_like(gx(b[1])[..., 1:, :])], 1),
                dim=1,
                eps=1e-8,
            )
        )
        .abs()
        .mean(),
    }


def berhu(o, b):
    d = (o - b[1]).abs()
    c = 0.2 * d.max().detach()
    return {"berhu": torch.where(d <= c, d, (d**2 + c**2) / (2 * c)).mean()}


def wing(o, b):
    d = (o - b[1]).abs()
    return {"wing": torch.where(d < 0.5, 0.5 * torch.log(1 + d / 0.2), d - (0.5 - 0.5 * math.log(1 + 2.5))).mean()}


def logcosh(o, b):
    d = o - b[1]
    return {"logcosh": (d + F.softplus(-2 * d) - math.log(2)).mean()}


def smape(o, b):
    return {"smape": (2 * (o - b[1]).abs() / (o.abs() + b[1].abs() + 1e-3)).mean(), "mae": 0.2 * F.l1_loss(o, b[1])}


def pearson(o, b):
    x, y = o.flatten(1), b[1].flatten(1)
    x = x - x.mean(1, keepdim=True)
    y = y - y.mean(1, keepdim=True)
    return {
        "ncc": 1 - ((x * y).sum(1) / (x.norm(dim=1) * y.norm(dim=1) + 1e-8)).mean(),
        "mse": 0.3 * F.mse_loss(o, b[1]),
    }


def laplace_aleatoric(m, b):
    o = m(b[0])
    mu, s = o.chunk(2, 1)
    return {"nll": (2**0.5 * torch.exp(-s) * (mu - b[1]).abs() + s).mean()}


def dpt2():
    return nn.Sequential(nn.Conv2d(3, 24, 3, 1, 1), nn.ReLU(), nn.Conv2d(24, 2, 3, 1, 1))


# registration voxelmorph: NCC + grad, learned by warping
class Voxel(nn.Module):
    def __init__(self):
        super().__init__()
        self.u = nn.Sequential(nn.Conv2d(2, 16, 3, 1, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 2, 3, 1, 1))
        nn.init.normal_(self.u[-1].weight, std=1e-5)
        nn.init.zeros_(self.u[-1].bias)

    def forward(self, s, t):
        f = self.u(torch.cat([s, t], 1))
        g = F.affine_grid(torch.eye(2, 3).expand(len(s), -1, -1), s.shape, align_corners=True)
        return F.grid_sample(s, g + f.permute(0, 2, 3, 1), align_corners=True), f


def regist(seed=0):
    torch.manual_seed(seed)
    return [{"moving": x[..., 2:18, 1:17], "fixed": x[..., 1:17, 2:18]} for x in (pics(4, 1, 20) for _ in range(4))]


def voxel(m, b):
    w, f = m(b["moving"], b["fixed"])
    dx, dy = f[..., 1:] - f[..., :-1], f[..., 1:, :] - f[..., :-1, :]
    return {"sim": F.mse_loss(w, b["fixed"]), "grad": 0.01 * ((dx**2).mean() + (dy**2).mean()) / 2}


# soft actor-like bandit, decision transformer, world model (KL balancing), contrastive predictive coding
class RSSM(nn.Module):
    def __init__(self):
        super().__init__()
        self.post = nn.Linear(12, 16)
        self.prior = nn.Linear(6, 16)
        self.dec = nn.Linear(8, 6)
        self.rew = nn.Linear(8, 1)


def wm(seed=0):
    torch.manual_seed(seed)
    return [{"obs": torch.randn(32, 6), "prev": torch.randn(32, 6), "reward": torch.randn(32, 1)} for _ in range(4)]


def dreamer(m, b):
    N = torch.distributions

    def mk(h):
        return N.Independent(N.Normal(h[:, :8], F.softplus(h[:, 8:]) + 0.1), 1)

    q, p = m.post(torch.cat([b["obs"], b["prev"]], 1)), m.prior(b["prev"])
    z = mk(q).rsample()
    kl = (
        0.8 * N.kl_divergence(mk(q.detach()), mk(p)).clamp(min=1.0).mean()
        + 0.2 * N.kl_divergence(mk(q), mk(p.detach())).clamp(min=1.0).mean()
    )
    return {
        "image": -N.Independent(N.Normal(m.dec(z), 1.0), 1).log_prob(b["obs"]).mean(),
        "reward": -N.Normal(m.rew(z), 1.0).log_prob(b["reward"]).mean(),
        "kl": kl,
    }


# MMD-VAE/WAE, InfoVAE; VAE with free bits
class MV(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))
        self.d = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 6))

    def forward(self, x):
        z = self.e(x[0] if isinstance(x, (tuple, list)) else x)
        return self.d(z), z


def wae(m, b):
    x = b[0]
    r, z = m(x)
    p = torch.randn_like(z)

    def k(a, c):
        return torch.exp(-torch.cdist(a, c).pow(2) / 8).mean()

    return {"recon": F.mse_loss(r, x), "mmd": k(z, z) + k(p, p) - 2 * k(z, p)}


def swd(m, b):
    x = b[0]
    r, z = m(x)
    th = F.normalize(torch.randn(16, 4), dim=1)
    return {
        "recon": (r - x).pow(2).sum(1).mean(),
        "swd": (torch.sort(z @ th.T, 0)[0] - torch.sort(torch.randn_like(z) @ th.T, 0)[0]).pow(2).mean(),
    }


class Sphere(nn.Module):
    def __init__(self):
        super().__init__()
        self.e = nn.Sequential(nn.Linear(6, 32), nn.ReLU(), nn.Linear(32, 4))


def itc(m, b):
    x, y = b
    z = m.e(x)
    w = m.e(x + 0.6 * torch.randn_like(x))
    n = F.normalize(z)
    q = F.normalize(w)
    return {
        "align": (n - q).norm(dim=1).pow(2).mean(),
        "uniform": (torch.pdist(n).pow(2).mul(-2).exp().mean().log() + torch.pdist(q).pow(2).mul(-2).exp().mean().log())
        / 2,
    }
