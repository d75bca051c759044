"""Generative models with the losses of their papers and reference implementations."""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F
from smooth_pictures import pics


def images():
    return [(pics(), torch.randint(0, 10, (4,))) for _ in range(4)]


def images_signed(seed=0):
    torch.manual_seed(seed)
    return [pics() * 2 - 1 for _ in range(4)]


def images_dict():
    return [{"image": pics()} for _ in range(4)]


# --- VAE pytorch/examples: BCE sum + KLD sum, mnist flattened
class ExampleVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.fc1 = nn.Linear(196, 64)
        self.fc21 = nn.Linear(64, 8)
        self.fc22 = nn.Linear(64, 8)
        self.fc3 = nn.Linear(8, 64)
        self.fc4 = nn.Linear(64, 196)

    def encode(self, x):
        h1 = F.relu(self.fc1(x))
        return self.fc21(h1), self.fc22(h1)

    def reparameterize(self, mu, logvar):
        std = torch.exp(0.5 * logvar)
        return mu + torch.randn_like(std) * std

    def decode(self, z):
        return torch.sigmoid(self.fc4(F.relu(self.fc3(z))))

    def forward(self, x):
        mu, logvar = self.encode(x.view(-1, 196))
        return self.decode(self.reparameterize(mu, logvar)), mu, logvar


def digits(seed=0):
    torch.manual_seed(seed)

    def one(n):
        x = pics(n, 1, 14)
        return ((x - 0.5) * 3).clamp(0, 1)

    return [(one(16), torch.randint(0, 10, (16,))) for _ in range(4)]


def vae_terms(output, batch):
    recon_x, mu, logvar = output
    x = batch[0]
    BCE = F.binary_cross_entropy(recon_x, x.view(-1, 196), reduction="sum")
    KLD = -0.5 * torch.sum(1 + logvar - mu.pow(2) - logvar.exp())
    return {"bce": BCE, "kld": KLD}


# --- PyTorch-VAE (AntixK): mse mean + kld_weight * mean(sum)
class ConvVAE(nn.Module):
    def __init__(self, c=3):
        super().__init__()
        self.encoder = nn.Sequential(
            nn.Conv2d(c, 16, 3, 2, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(),
            nn.Conv2d(16, 32, 3, 2, 1),
            nn.BatchNorm2d(32),
            nn.LeakyReLU(),
            nn.Flatten(),
        )
        self.fc_mu = nn.Linear(512, 16)
        self.fc_var = nn.Linear(512, 16)
        self.decoder_input = nn.Linear(16, 512)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 16, 3, 2, 1, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(),
            nn.ConvTranspose2d(16, 16, 3, 2, 1, 1),
            nn.BatchNorm2d(16),
            nn.LeakyReLU(),
            nn.Conv2d(16, c, 3, padding=1),
            nn.Tanh(),
        )

    def forward(self, image):
        h = self.encoder(image)
        mu, log_var = self.fc_mu(h), self.fc_var(h)
        z = torch.randn_like(mu) * torch.exp(0.5 * log_var) + mu
        return [self.decoder(self.decoder_input(z).view(-1, 32, 4, 4)), image, mu, log_var]


def betavae_step(model, batch):
    recons, image, mu, log_var = model(batch)
    return {
        "recon": F.mse_loss(recons, image),
        "kld": torch.mean(-0.5 * torch.sum(1 + log_var - mu**2 - log_var.exp(), dim=1), dim=0),
    }


# --- VQ-VAE (codebook + commitment, straight-through), zalandoresearch
class VectorQuantizer(nn.Module):
    def __init__(self, K=32, D=8, beta=0.25):
        super().__init__()
        self.K, self.D = K, D
        self._embedding = nn.Embedding(K, D)
        self._embedding.weight.data.uniform_(-1 / K, 1 / K)
        self.beta = beta

    def forward(self, inputs):
        inputs = inputs.permute(0, 2, 3, 1).contiguous()
        shape = inputs.shape
        flat = inputs.view(-1, self.D)
        distances = (
            torch.sum(flat**2, dim=1, keepdim=True)
            + torch.sum(self._embedding.weight**2, dim=1)
            - 2 * torch.matmul(flat, self._embedding.weight.t())
        )
        idx = torch.argmin(distances, dim=1).unsqueeze(1)
        enc = torch.zeros(idx.shape[0], self.K, device=inputs.device)
        enc.scatter_(1, idx, 1)
        quantized = torch.matmul(enc, self._embedding.weight).view(shape)
        e_latent = F.mse_loss(quantized.detach(), inputs)
        q_latent = F.mse_loss(quantized, inputs.detach())
        quantized = inputs + (quantized - inputs).detach()
        return q_latent, e_latent, quantized.permute(0, 3, 1, 2).contiguous()


class VQVAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Sequential(
            nn.Conv2d(3, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 32, 3, 1, 1), nn.ReLU(), nn.Conv2d(32, 8, 1)
        )
        self.vq = VectorQuantizer()
        self.dec = nn.Sequential(
            nn.Conv2d(8, 32, 3, 1, 1), nn.ReLU(), nn.ConvTranspose2d(32, 16, 4, 2, 1), nn.ReLU(), nn.Conv2d(16, 3, 1)
        )

    def forward(self, x):
        q, e, z = self.vq(self.enc(x))
        return {"q": q, "e": e, "recon": self.dec(z)}


def half_signed(seed=0):
    torch.manual_seed(seed)
    return [(pics() - 0.5,) for _ in range(4)]


def vqvae_step(model, batch):
    (data,) = batch
    out = model(data)
    return {"recon_error": F.mse_loss(out["recon"], data) / 0.06, "codebook": out["q"], "commitment": 0.25 * out["e"]}


# --- GAN hinge (SNGAN/SAGAN)
class G(nn.Module):
    def __init__(self, z=16):
        super().__init__()
        self.each = nn.Linear(z, 32 * 16)
        self.net = nn.Sequential(
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1),
            nn.Tanh(),
        )

    def forward(self, z):
        return self.net(self.each(z).view(-1, 32, 4, 4))


class D(nn.Module):
    def __init__(self, sn=False):
        super().__init__()
        w = nn.utils.parametrizations.spectral_norm if sn else (lambda m: m)
        self.f = nn.Sequential(
            w(nn.Conv2d(3, 16, 4, 2, 1)), nn.LeakyReLU(0.2), w(nn.Conv2d(16, 32, 4, 2, 1)), nn.LeakyReLU(0.2)
        )
        self.o = w(nn.Linear(512, 1))

    def forward(self, x, feats=False):
        h = self.f(x)
        y = self.o(h.flatten(1))
        return (y, h) if feats else y


class GAN(nn.Module):
    def __init__(self, sn=False):
        super().__init__()
        self.netG = G()
        self.netD = D(sn)


def sngan():
    return GAN(True)


def hinge_step(model, real):
    z = torch.randn(real.size(0), 16)
    fake = model.netG(z)
    d_real, d_fake = model.netD(real), model.netD(fake.detach())
    return {
        "discriminator": {"real": F.relu(1.0 - d_real).mean(), "fake": F.relu(1.0 + d_fake).mean()},
        "generator": {"adv": -model.netD(fake).mean()},
    }


def wgangp_step(model, real):
    z = torch.randn(real.size(0), 16)
    fake = model.netG(z)
    f = fake.detach()
    alpha = torch.rand(real.size(0), 1, 1, 1)
    inter = (alpha * real + (1 - alpha) * f).requires_grad_(True)
    out = model.netD(inter)
    grads = torch.autograd.grad(
        outputs=out, inputs=inter, grad_outputs=torch.ones_like(out), create_graph=True, retain_graph=True
    )[0]
    gp = ((grads.view(grads.size(0), -1).norm(2, dim=1) - 1) ** 2).mean()
    return {
        "critic": {"wasserstein": model.netD(f).mean() - model.netD(real).mean(), "gp": gp},
        "gen": {"g": -model.netD(fake).mean()},
    }


def lsgan_step(model, real):
    valid = torch.ones(real.size(0), 1)
    fakel = torch.zeros(real.size(0), 1)
    crit = nn.MSELoss()
    gen = model.netG(torch.randn(real.size(0), 16))
    return {
        "generator": {"g_loss": crit(model.netD(gen), valid)},
        "discriminator": {
            "real": 0.5 * crit(model.netD(real), valid),
            "fake": 0.5 * crit(model.netD(gen.detach()), fakel),
        },
    }


def r1_step(model, real):  # StyleGAN2 non-saturating logistic with R1
    gen = model.netG(torch.randn(real.size(0), 16))
    real = real.detach().requires_grad_()
    rp = model.netD(real)
    (g,) = torch.autograd.grad(rp.sum(), real, create_graph=True)
    return {
        "d": {
            "real": F.softplus(-rp).mean(),
            "fake": F.softplus(model.netD(gen.detach())).mean(),
            "r1": g.pow(2).reshape(g.shape[0], -1).sum(1).mean(),
        },
        "g": {"nonsaturating": F.softplus(-model.netD(gen)).mean()},
    }


# --- pix2pix: L1*100 + GAN with BCEWithLogits, patch discriminator
class Pix(nn.Module):
    def __init__(self):
        super().__init__()
        self.netG = nn.Sequential(
            nn.Conv2d(1, 24, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(24, 24, 3, 1, 1),
            nn.ReLU(),
            nn.Conv2d(24, 3, 3, 1, 1),
            nn.Tanh(),
        )
        self.netD = nn.Sequential(nn.Conv2d(4, 16, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(16, 1, 4, 1, 1))


def pix_data(seed=0):
    torch.manual_seed(seed)
    r = []
    for _ in range(4):
        b = pics() * 2 - 1
        r.append({"A": b.mean(1, keepdim=True), "B": b})
    return r


class GANLoss(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("real", torch.tensor(1.0))
        self.register_buffer("fake", torch.tensor(0.0))
        self.loss = nn.BCEWithLogitsLoss()

    def __call__(self, p, is_real):
        return self.loss(p, (self.real if is_real else self.fake).expand_as(p))


def pix2pix_step(model, batch):
    gan = GANLoss()
    A, B = batch["A"], batch["B"]
    fake = model.netG(A)
    for p in model.netD.parameters():
        p.requires_grad = True
    pf = model.netD(torch.cat((A, fake.detach()), 1))
    pr = model.netD(torch.cat((A, B), 1))
    d = {"D_fake": gan(pf, False), "D_real": gan(pr, True)}
    return {"D": d, "G": {"G_GAN": gan(model.netD(torch.cat((A, fake), 1)), True), "G_L1": F.l1_loss(fake, B)}}


# --- CycleGAN with identity
class Cycle(nn.Module):
    def __init__(self):
        super().__init__()

        def g():
            return nn.Sequential(
                nn.Conv2d(3, 24, 3, 1, 1), nn.InstanceNorm2d(24), nn.ReLU(), nn.Conv2d(24, 3, 3, 1, 1), nn.Tanh()
            )

        self.G_A, self.G_B, self.D_A, self.D_B = g(), g(), D(), D()


def cycle_data(seed=0):
    torch.manual_seed(seed)
    return [(pics() * 2 - 1, pics().flip(1) * 1.6 - 0.9) for _ in range(4)]


def cycle_step(m, batch):
    a, b = batch
    fb, fa = m.G_A(a), m.G_B(b)
    ra, rb = m.G_B(fb), m.G_A(fa)
    L1 = nn.L1Loss()

    def ls(p, t):
        return ((p - t) ** 2).mean()

    g = {
        "idt_A": L1(m.G_A(b), b) * 5,
        "idt_B": L1(m.G_B(a), a) * 5,
        "G_A": ls(m.D_A(fb), 1.0),
        "G_B": ls(m.D_B(fa), 1.0),
        "cycle_A": L1(ra, a) * 10,
        "cycle_B": L1(rb, b) * 10,
    }
    return {
        "G": g,
        "D_A": {"r": ls(m.D_A(b), 1.0) * 0.5, "f": ls(m.D_A(fb.detach()), 0.0) * 0.5},
        "D_B": {"r": ls(m.D_B(a), 1.0) * 0.5, "f": ls(m.D_B(fa.detach()), 0.0) * 0.5},
    }


# --- DDPM epsilon with learned-variance VLB (improved diffusion, mean detached)
T = 100
betas = torch.linspace(1e-4, 0.02, T)
ac = torch.cumprod(1 - betas, 0)


class Eps(nn.Module):
    def __init__(self, out=3):
        super().__init__()
        self.te = nn.Sequential(nn.Linear(16, 32), nn.SiLU(), nn.Linear(32, 32))
        self.i = nn.Conv2d(3, 32, 3, 1, 1)
        self.m = nn.Sequential(nn.GroupNorm(8, 32), nn.SiLU(), nn.Conv2d(32, 32, 3, 1, 1), nn.SiLU())
        self.o = nn.Conv2d(32, out, 3, 1, 1)

    def forward(self, x, t):
        fr = torch.exp(-math.log(10000) * torch.arange(8) / 8)
        e = t[:, None].float() * fr
        h = self.te(torch.cat([e.sin(), e.cos()], -1))
        return self.o(self.m(self.i(x) + h[:, :, None, None]))


def eps6():
    return Eps(6)


def zero_eps():
    m = Eps()
    nn.init.zeros_(m.o.weight)
    nn.init.zeros_(m.o.bias)
    return m


def ddpm_step(model, x0):
    t = torch.randint(0, T, (x0.shape[0],))
    noise = torch.randn_like(x0)
    a = ac[t][:, None, None, None]
    return {"simple": F.mse_loss(model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t), noise)}


def kl_n(m1, lv1, m2, lv2):
    return 0.5 * (-1.0 + lv2 - lv1 + torch.exp(lv1 - lv2) + ((m1 - m2) ** 2) * torch.exp(-lv2))


def iddpm_step(model, x0):
    t = torch.randint(1, T, (x0.shape[0],))
    noise = torch.randn_like(x0)

    def e(v):
        return v[t][:, None, None, None]

    acp = torch.cat([torch.ones(1), ac[:-1]])
    xt = e(ac).sqrt() * x0 + (1 - e(ac)).sqrt() * noise
    eps, v = model(xt, t).chunk(2, 1)
    pv = betas * (1 - acp) / (1 - ac)
    pv[0] = pv[1]
    c1 = betas * acp.sqrt() / (1 - ac)
    c2 = (1 - acp) * (1 - betas).sqrt() / (1 - ac)
    tm = e(c1) * x0 + e(c2) * xt
    frac = (v + 1) / 2
    lv = frac * e(betas.log()) + (1 - frac) * e(pv.log())
    pe = eps.detach()
    px = (xt - (1 - e(ac)).sqrt() * pe) / e(ac).sqrt()
    mm = e(c1) * px + e(c2) * xt
    vb = kl_n(tm, e(pv.log()), mm, lv).mean(dim=[1, 2, 3]) / math.log(2.0)
    return {"mse": F.mse_loss(eps, noise), "vb": vb.mean()}


def minsnr_step(model, x0):  # v-prediction with min-SNR weights and offset noise
    t = torch.randint(0, T, (x0.shape[0],))
    noise = torch.randn_like(x0) + 0.1 * torch.randn(x0.shape[0], 3, 1, 1)
    a = ac[t][:, None, None, None]
    v = a.sqrt() * noise - (1 - a).sqrt() * x0
    out = model(a.sqrt() * x0 + (1 - a).sqrt() * noise, t)
    snr = ac[t] / (1 - ac[t])
    w = torch.stack([snr, 5 * torch.ones_like(t)], 1).min(1)[0] / (snr + 1)
    loss = F.mse_loss(out.float(), v.float(), reduction="none").mean(dim=list(range(1, 4))) * w
    return {"v": loss.mean()}


# --- RealNVP flow, NLL negative/positive; energy based; MADE-free
class Coupling(nn.Module):
    def __init__(self, flip):
        super().__init__()
        self.flip = flip
        self.s = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1), nn.Tanh())
        self.t = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))

    def forward(self, x):
        a, b = x.chunk(2, 1) if not self.flip else x.chunk(2, 1)[::-1]
        s = self.s(a)
        b = (b - self.t(a)) * torch.exp(-s)
        z = torch.cat([a, b] if not self.flip else [b, a], 1)
        return z, -s.sum(1)


class NVP(nn.Module):
    def __init__(self):
        super().__init__()
        self.each = nn.ModuleList([Coupling(i % 2 == 1) for i in range(4)])

    def log_prob(self, x):
        ld = 0
        for each in self.each:
            x, d = each(x)
            ld = ld + d
        return torch.distributions.MultivariateNormal(torch.zeros(2), torch.eye(2)).log_prob(x) + ld

    def forward(self, x):
        return self.log_prob(x)


def moons(seed=0):
    torch.manual_seed(seed)

    def one():
        t = math.pi * torch.rand(64)
        c = (torch.rand(64) > 0.5).float()
        x = torch.stack([torch.cos(t) + c, torch.sin(t) * (1 - 2 * c) + 0.5 * c], 1)
        return x + 0.05 * torch.randn(64, 2)

    return [one() for _ in range(4)]


def flow_step(model, x):
    return {"nll": -model.log_prob(x).mean()}


def energy_model():
    return nn.Sequential(nn.Linear(2, 64), nn.SiLU(), nn.Linear(64, 1))


def ebm_step(model, x):  # Du & Mordatch: contrastive divergence + L2 of energies
    s = torch.rand_like(x) * 4 - 2
    for _ in range(5):
        s = s.detach().requires_grad_()
        (g,) = torch.autograd.grad(model(s).sum(), s)
        s = s - 0.1 * g + 0.01 * torch.randn_like(s)
    s = s.detach()
    ep, en = model(x), model(s)
    return {"cd": ep.mean() - en.mean(), "reg": 0.1 * (ep**2 + en**2).mean()}


def dsm_step(model, x):  # denoising score matching, sum over dims
    sigma = torch.exp(torch.rand(x.size(0), 1) * 3 - 3)
    n = torch.randn_like(x)
    score = model(torch.cat([x + sigma * n, sigma.log()], 1)) / sigma
    return {"dsm": 0.5 * ((score * sigma + n) ** 2).sum(-1).mean()}


def score_net():
    return nn.Sequential(nn.Linear(3, 64), nn.SiLU(), nn.Linear(64, 64), nn.SiLU(), nn.Linear(64, 2))


def fm_step(model, x1):  # conditional flow matching
    x0 = torch.randn_like(x1)
    t = torch.rand(len(x1), 1)
    xt = (1 - t) * x0 + t * x1
    return {"cfm": torch.mean((model(torch.cat([xt, t], -1)) - (x1 - x0)) ** 2)}


# VQGAN-like: adaptive weight detached, LPIPS-like map broadcast
class VQG(nn.Module):
    def __init__(self):
        super().__init__()
        self.ae = VQVAE()
        self.disc = D()


class Frozen(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(7)
        self.n = nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.ReLU(), nn.Conv2d(8, 16, 3, 2, 1))
        [p.requires_grad_(False) for p in self.parameters()]

    def forward(self, a, b):
        fa, fb = self.n(a), self.n(b)
        na = fa / (fa.norm(dim=1, keepdim=True) + 1e-10)
        nb = fb / (fb.norm(dim=1, keepdim=True) + 1e-10)
        return ((na - nb) ** 2).sum(1, keepdim=True).mean([2, 3], keepdim=True)


with torch.random.fork_rng():
    LP = Frozen().eval()


def vqgan_step(m, x):
    o = m.ae(x)
    xr = o["recon"]
    rec = torch.abs(x.contiguous() - xr.contiguous())
    rec = rec + 1.0 * LP(x, xr)
    nll = rec.mean()
    g = -m.disc(xr).mean()
    last = m.ae.dec[-1].weight
    ng = torch.autograd.grad(nll, last, retain_graph=True)[0]
    gg = torch.autograd.grad(g, last, retain_graph=True)[0]
    dw = torch.clamp(torch.norm(ng) / (torch.norm(gg) + 1e-4), 0.0, 1e4).detach() * 0.8
    return {
        "ae": {"nll": nll, "adv": dw * g, "codebook": o["q"] + 0.25 * o["e"]},
        "disc": {"real": F.relu(1 - m.disc(x)).mean() * 0.5, "fake": F.relu(1 + m.disc(xr.detach())).mean() * 0.5},
    }
