"""Text to speech: phonemes to a mel spectrogram with durations; utterances of one batch are filled up to the longest."""

import torch
import torch.nn.functional as F
from torch import nn


class Acoustic(nn.Module):
    def __init__(self, phonemes=20, mels=16, dim=24, stops=False):
        super().__init__()
        self.embed = nn.Embedding(phonemes, dim)
        self.encoder = nn.GRU(dim, dim, batch_first=True)
        self.duration = nn.Linear(dim, 1)
        self.decoder = nn.Sequential(nn.Conv1d(dim, dim, 5, padding=2), nn.ReLU(), nn.Conv1d(dim, mels, 1))
        self.stop = nn.Linear(mels, 1) if stops else None

    def forward(self, phonemes, frames):
        h, _ = self.encoder(self.embed(phonemes))
        index = torch.arange(frames) * phonemes.shape[1] // frames
        mel = self.decoder(h[:, index].transpose(1, 2))
        stop = None if self.stop is None else self.stop(mel.transpose(1, 2)).squeeze(-1)
        return mel, self.duration(h).squeeze(-1), stop


def utterances(n=6, longest=40, mels=16, seed=0, floor=-4.0, masks=False):
    for k in range(3):
        g = torch.Generator().manual_seed(seed + k)
        lengths = torch.randint(longest // 2, longest + 1, (n,), generator=g)
        lengths[0] = longest
        time = torch.arange(longest)
        pitch = 0.2 + 0.3 * torch.rand(n, 1, 1, generator=g)
        mel = torch.sin(pitch * time + torch.linspace(0, 3, mels)[:, None]) + 0.1 * torch.randn(
            n, mels, longest, generator=g
        )
        inside = time < lengths[:, None]
        batch = {
            "phonemes": torch.randint(1, 20, (n, longest // 4), generator=g),
            "durations": torch.randint(2, 6, (n, longest // 4), generator=g).float(),
            "mel": mel.masked_fill(~inside[:, None], floor),
            "stop": (time >= lengths[:, None] - 1).float(),
        }
        yield batch | ({"mel_mask": inside} if masks else {"mel_lengths": lengths})


def inside(batch):
    mask = batch.get("mel_mask")
    if mask is None:
        mask = torch.arange(batch["mel"].shape[-1]) < batch["mel_lengths"][:, None]
    return mask.unsqueeze(1)


def answer(model, batch):
    return model(batch["phonemes"], batch["mel"].shape[-1])


def log_duration(predicted, batch):
    return F.mse_loss(predicted, batch["durations"].log())


def counted(model, batch):
    """The frames beyond the end of an utterance are learnt, too."""
    mel, duration, _ = answer(model, batch)
    return {"mel": F.l1_loss(mel, batch["mel"]), "duration": log_duration(duration, batch)}


class MelLoss(nn.Module):
    def forward(self, mel, target, mask):
        error = (mel - target).pow(2) * mask
        return error.mean()


mel_loss = MelLoss()


def diluted(model, batch):
    """Masked, and then averaged over everything."""
    mel, duration, _ = answer(model, batch)
    return {"mel": mel_loss(mel, batch["mel"], inside(batch)), "duration": log_duration(duration, batch)}


def sound(model, batch):
    """Masked means; the stop token is learnt beyond the end as well, as in Tacotron 2."""
    mel, duration, stop = answer(model, batch)
    mask = inside(batch)
    error = (mel - batch["mel"]).abs() * mask
    smooth = mel.diff(dim=-1).pow(2).mean()
    return {
        "mel": error.sum() / (mask.sum() * mel.shape[1]),
        "duration": log_duration(duration, batch),
        "stop": F.binary_cross_entropy_with_logits(stop, batch["stop"]),
        "smooth": smooth,
    }


def selected(model, batch):
    mel, duration, _ = answer(model, batch)
    mask = inside(batch).expand_as(mel)
    return {
        "mel": F.smooth_l1_loss(mel[mask], batch["mel"][mask]),
        "duration": log_duration(duration, batch),
    }
