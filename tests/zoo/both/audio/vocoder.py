"""A vocoder and a recogniser: mel spectra in, samples out; CTC over characters."""

import torch
import torch.nn.functional as F
from torch import nn


def mel_matrix(n_mels=16, bins=33):
    centers = torch.linspace(0, bins - 1, n_mels + 2)
    axis = torch.arange(bins, dtype=torch.float32)
    up = (axis - centers[:-2, None]) / (centers[1:-1] - centers[:-2])[:, None]
    down = (centers[2:, None] - axis) / (centers[2:] - centers[1:-1])[:, None]
    return torch.minimum(up, down).clamp(min=0)


class MelLoss(nn.Module):
    def __init__(self, n_fft=64, log=True, eps=1e-5, p=1.0):
        super().__init__()
        self.n_fft, self.log, self.eps, self.p = n_fft, log, eps, p
        self.mel = mel_matrix()

    def spectrum(self, wave):
        s = torch.stft(wave, self.n_fft, 16, window=torch.hann_window(self.n_fft), return_complex=True)
        power = s.abs() ** self.p
        m = self.mel @ power
        return torch.log(m + self.eps) if self.log else m

    def forward(self, pred, target):
        return F.l1_loss(self.spectrum(pred), self.spectrum(target))


class Vocoder(nn.Module):
    def __init__(self, mels=16, hop=16, width=24):
        super().__init__()
        self.pre = nn.Conv1d(mels, width, 3, padding=1)
        self.up = nn.ConvTranspose1d(width, width // 2, 2 * hop, stride=hop, padding=hop // 2)
        self.post = nn.Conv1d(width // 2, 1, 7, padding=3)

    def forward(self, mel):
        h = F.leaky_relu(self.up(F.leaky_relu(self.pre(mel), 0.1)), 0.1)
        return torch.tanh(self.post(h))[:, 0]


class Clips(torch.utils.data.Dataset):
    def __init__(self, n=24, frames=40, hop=16, silence=False, gain=1.0, seed=0):
        g = torch.Generator().manual_seed(seed)
        t = torch.arange(frames * hop) / 4000
        f = 80 + 800 * torch.rand(n, 2, 1, generator=g)
        wave = 0.4 * torch.sin(6.2832 * f[:, 0] * t) + 0.2 * torch.sin(6.2832 * f[:, 1] * t)
        wave = wave * (1 + torch.sin(6.2832 * 3 * t)) / 2 + 0.01 * torch.randn(wave.shape, generator=g)
        if silence:
            wave[::3] = 0
        self.wave = wave * gain
        self.mel = MelLoss().spectrum(wave)[..., :frames]

    def __len__(self):
        return len(self.wave)

    def __getitem__(self, i):
        return self.mel[i], self.wave[i]


mel_l1 = MelLoss()
power_mel = MelLoss(log=True, eps=0.0, p=2.0)
db_mel = MelLoss(log=False, p=2.0)


def hifi(output, batch):
    """Mel term at HiFi-GAN's weight of 45 beside samples."""
    n = min(output.shape[-1], batch[1].shape[-1])
    return {"mel": mel_l1(output[:, :n], batch[1][:, :n]), "wave": F.l1_loss(output[:, :n], batch[1][:, :n])}


def no_floor(output, batch):
    n = min(output.shape[-1], batch[1].shape[-1])
    return {"mel": power_mel(output[:, :n], batch[1][:, :n]), "wave": F.l1_loss(output[:, :n], batch[1][:, :n])}


def full_scale(output, batch):
    n = min(output.shape[-1], batch[1].shape[-1])
    return {
        "wave": F.l1_loss(output[:, :n], batch[1][:, :n]),
        "slope": 0.1 * F.l1_loss(output[:, :n].diff(), batch[1][:, :n].diff()),
    }


def int16(output, batch):
    """Samples are scaled to 16 bit before they are compared."""
    n = min(output.shape[-1], batch[1].shape[-1])
    wave = F.mse_loss(output[:, :n] * 32767, batch[1][:, :n] * 32767)
    return {"mel": mel_l1(output[:, :n], batch[1][:, :n]), "wave": wave}


def linear_sum(output, batch):
    n = min(output.shape[-1], batch[1].shape[-1])
    a, b = mel_l1.spectrum(output[:, :n]), mel_l1.spectrum(batch[1][:, :n])
    return {"mel": torch.abs(a - b).sum() / len(a), "wave": F.l1_loss(output[:, :n], batch[1][:, :n])}


class Recogniser(nn.Module):
    def __init__(self, mels=16, symbols=11, width=32):
        super().__init__()
        self.conv = nn.Conv1d(mels, width, 5, padding=2)
        self.rnn = nn.GRU(width, width, batch_first=True, bidirectional=True)
        self.ctc = nn.Linear(2 * width, symbols)
        self.ce = nn.Linear(2 * width, symbols)

    def forward(self, mel):
        h, _ = self.rnn(F.relu(self.conv(mel)).transpose(1, 2))
        return {"ctc": self.ctc(h), "pool": self.ce(h.mean(1))}


def transcribed(n=8, frames=30, symbols=11, length=6):
    for seed in range(3):
        g = torch.Generator().manual_seed(seed)
        y = torch.randint(1, symbols, (n, length), generator=g)
        at = torch.linspace(0, length - 1, frames).long()
        mel = F.one_hot(y[:, at], 16).float().transpose(1, 2)
        lengths = torch.randint(3, length + 1, (n,), generator=g)
        yield {"input": mel + 0.1 * torch.randn(mel.shape, generator=g), "text": y, "lengths": lengths}


def ctc(output, batch):
    log_probs = output["ctc"].log_softmax(-1).transpose(0, 1)
    frames = torch.full((log_probs.shape[1],), log_probs.shape[0])
    return {
        "ctc": F.ctc_loss(log_probs, batch["text"], frames, batch["lengths"], zero_infinity=True),
        "first": F.cross_entropy(output["pool"], batch["text"][:, 0]),
    }


def ctc_of_probabilities(output, batch):
    probs = output["ctc"].softmax(-1).transpose(0, 1)
    frames = torch.full((probs.shape[1],), probs.shape[0])
    return {
        "ctc": F.ctc_loss(probs, batch["text"], frames, batch["lengths"]),
        "first": F.cross_entropy(output["pool"], batch["text"][:, 0]),
    }


def ctc_of_logits(output, batch):
    logits = output["ctc"].transpose(0, 1)
    frames = torch.full((logits.shape[1],), logits.shape[0])
    return {
        "ctc": nn.CTCLoss()(logits, batch["text"], frames, batch["lengths"]),
        "first": F.cross_entropy(output["pool"], batch["text"][:, 0]),
    }
