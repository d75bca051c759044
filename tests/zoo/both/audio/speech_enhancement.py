"""Enhancement of noisy speech: a convolutional mask in the STFT domain, waveform, spectrum and log-spectrum terms."""

import math

import torch
import torch.nn.functional as F
from torch import nn


class Masker(nn.Module):
    def __init__(self, n_fft=64, hidden=32):
        super().__init__()
        self.n_fft = n_fft
        self.register_buffer("window", torch.hann_window(n_fft))
        self.net = nn.Sequential(
            nn.Conv1d(n_fft // 2 + 1, hidden, 3, padding=1), nn.PReLU(), nn.Conv1d(hidden, n_fft // 2 + 1, 3, padding=1)
        )

    def forward(self, wave):
        spec = torch.stft(wave, self.n_fft, window=self.window, return_complex=True)
        mask = torch.sigmoid(self.net(torch.log1p(spec.abs())))
        return torch.istft(spec * mask, self.n_fft, window=self.window, length=wave.shape[-1])


class WaveNet(nn.Module):
    """Works on the samples themselves."""

    def __init__(self, channels=12, bounded=False):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, channels, 9, padding=4),
            nn.LeakyReLU(),
            nn.Conv1d(channels, channels, 9, padding=4),
            nn.LeakyReLU(),
            nn.Conv1d(channels, 1, 9, padding=4),
        )
        self.bounded = bounded

    def forward(self, wave):
        y = self.net(wave[:, None])[:, 0]
        return torch.tanh(y) if self.bounded else y


def utterances(n=6, length=640, silent=0, scale=1.0, seed=0, tail=False):
    """Voiced stretches of a few harmonics; with `silent`, some clips hold digital silence."""
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        t = torch.arange(length) / 8000
        pitch = 100 + 150 * torch.rand(n, 1, generator=g)
        voice = sum(torch.sin(2 * math.pi * h * pitch * t + 6 * torch.rand(n, 1, generator=g)) / h for h in (1, 2, 3))
        clean = 0.25 * voice * torch.hann_window(length) + 1e-4 * torch.randn(n, length, generator=g)
        noisy = clean + 0.05 * torch.randn(n, length, generator=g)
        if silent:
            clean[:silent], noisy[:silent] = 0, 0
        if tail:
            clean[:, length // 2 :], noisy[:, length // 2 :] = 0, 0
        yield (noisy * scale).round() if scale > 1 else noisy, (clean * scale).round() if scale > 1 else clean


def stft(x, n_fft):
    return torch.stft(x, n_fft, n_fft // 4, window=torch.hann_window(n_fft), return_complex=True)


def magnitude(x, n_fft, eps=1e-7):
    s = stft(x, n_fft)
    return torch.sqrt(torch.clamp(s.real**2 + s.imag**2, min=eps))


def multi_resolution(pred, target):
    total = 0
    for n_fft in (32, 64, 128):
        p, t = magnitude(pred, n_fft), magnitude(target, n_fft)
        total = total + (t - p).norm() / t.norm().clamp(min=1e-5) + F.l1_loss(p.log(), t.log())
    return total / 3


def good(output, batch):
    return {"wave": F.l1_loss(output, batch[1]), "spectrum": multi_resolution(output, batch[1])}


def raw_root(x, n_fft=64):
    s = stft(x, n_fft)
    return torch.sqrt(s.real.pow(2) + s.imag.pow(2))


def spectral_root(output, batch):
    return {"wave": F.l1_loss(output, batch[1]), "spectrum": F.l1_loss(raw_root(output), raw_root(batch[1]))}


def log_spectrum(output, batch):
    p, t = stft(output, 64).abs(), stft(batch[1], 64).abs()
    return {"wave": F.mse_loss(output, batch[1]), "log": F.l1_loss(torch.log(p), torch.log(t))}


def guarded_value_only(output, batch):
    """where() hides the value of silence, not its gradient."""
    s = stft(output, 64)
    power = s.real**2 + s.imag**2
    p = torch.where(power > 0, torch.sqrt(power), torch.zeros_like(power))
    return {"wave": F.l1_loss(output, batch[1]), "spectrum": F.l1_loss(p, stft(batch[1], 64).abs())}


def spectrum_summed(output, batch):
    p, t = magnitude(output, 64), magnitude(batch[1], 64)
    return {"wave": F.l1_loss(output, batch[1]), "spectrum": (p - t).abs().sum()}


def si_sdr(output, batch):
    """Negative scale-invariant SDR is below zero once it works."""
    x, y = output, batch[1]
    alpha = (x * y).sum(-1, keepdim=True) / (y.pow(2).sum(-1, keepdim=True) + 1e-8)
    ratio = (alpha * y).pow(2).sum(-1) / ((alpha * y - x).pow(2).sum(-1) + 1e-8)
    return {"si_sdr": -10 * torch.log10(ratio + 1e-8).mean(), "spectrum": 10 * multi_resolution(x, y)}


def sdr_reward(output, batch):
    """SI-SDR in dB, higher is better, goes in as it is."""
    x, y = output, batch[1]
    noise = (x - y).pow(2).mean(-1)
    sdr = 10 * torch.log10(y.pow(2).mean(-1) / (noise + 1e-8) + 1e-8)
    return {"sdr": sdr.mean(), "spectrum": multi_resolution(x, y)}


def sixteen_bit(output, batch):
    return {"wave": F.mse_loss(output, batch[1]), "spectrum": multi_resolution(output, batch[1])}


def target_in_full_scale(output, batch):
    return {
        "wave": F.l1_loss(output, batch[1]),
        "energy": (output.pow(2).mean(-1).add(1e-6).log() - batch[1].pow(2).mean(-1).add(1e-6).log()).abs().mean(),
    }
