"""Speech enhancement with a waveform L1 and a multi-resolution STFT loss (Yamamoto et al. 2020)."""

import torch
import torch.nn.functional as F
from torch import nn


class Denoiser(nn.Module):
    def __init__(self, channels=16):
        super().__init__()
        self.net = nn.Sequential(
            nn.Conv1d(1, channels, 9, padding=4),
            nn.PReLU(),
            nn.Conv1d(channels, channels, 9, padding=8, dilation=2),
            nn.PReLU(),
            nn.Conv1d(channels, 1, 9, padding=4),
        )

    def forward(self, noisy):
        return noisy + self.net(noisy)


class STFTLoss(nn.Module):
    def __init__(self, fft_size, hop):
        super().__init__()
        self.fft_size, self.hop = fft_size, hop
        self.register_buffer("window", torch.hann_window(fft_size))

    def magnitude(self, x):
        spectrum = torch.stft(x.squeeze(1), self.fft_size, self.hop, window=self.window, return_complex=True)
        return torch.sqrt(torch.clamp(spectrum.real**2 + spectrum.imag**2, min=1e-7))

    def forward(self, prediction, target):
        p, t = self.magnitude(prediction), self.magnitude(target)
        convergence = torch.norm(t - p, p="fro") / torch.norm(t, p="fro")
        return convergence, F.l1_loss(torch.log(p), torch.log(t))


resolutions = nn.ModuleList([STFTLoss(128, 32), STFTLoss(256, 64), STFTLoss(64, 16)])


def batches():
    time = torch.arange(2048) / 8000
    for seed in range(4):
        generator = torch.Generator().manual_seed(seed)
        pitch = 100 + 400 * torch.rand(4, 1, 1, generator=generator)
        clean = 0.4 * torch.sin(2 * torch.pi * pitch * time)
        yield clean + 0.1 * torch.randn(clean.shape, generator=generator), clean


def losses(model, batch):
    noisy, clean = batch
    enhanced = model(noisy)
    pairs = [stft(enhanced, clean) for stft in resolutions]
    return {
        "waveform": F.l1_loss(enhanced, clean),
        "convergence": sum(c for c, _ in pairs) / len(pairs),
        "magnitude": sum(m for _, m in pairs) / len(pairs),
    }
