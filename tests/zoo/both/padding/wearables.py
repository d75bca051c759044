"""Wearable sensors: recordings of different lengths, packed for the recurrent network, and a rate at every second."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence


class Tracker(nn.Module):
    def __init__(self, sensors=3, hidden=16, activities=4):
        super().__init__()
        self.rnn = nn.LSTM(sensors, hidden, batch_first=True)
        self.rate, self.activity = nn.Linear(hidden, 1), nn.Linear(hidden, activities)

    def forward(self, signal, lengths):
        packed = pack_padded_sequence(signal, lengths.cpu(), batch_first=True, enforce_sorted=False)
        h, _ = pad_packed_sequence(self.rnn(packed)[0], batch_first=True, total_length=signal.shape[1])
        return {"rate": self.rate(h).squeeze(-1), "activity": self.activity(h)}


def recordings(n=8, longest=30, sensors=3, seed=0, activities=4, filler=0):
    for k in range(4):
        g = torch.Generator().manual_seed(seed + k)
        lengths = torch.randint(longest // 3, longest + 1, (n,), generator=g)
        lengths[1] = longest
        inside = torch.arange(longest) < lengths[:, None]
        activity = torch.randint(0, activities, (n, longest // 5), generator=g).repeat_interleave(5, 1)
        rate = 0.6 + 0.3 * activity + 0.05 * torch.randn(n, longest, generator=g)
        signal = rate[..., None] * torch.linspace(0.5, 1, sensors) + 0.1 * torch.randn(n, longest, sensors, generator=g)
        yield {
            "signal": signal * inside[..., None],
            "lengths": lengths,
            "rate": rate * inside,
            "activity": activity.masked_fill(~inside, filler),
        }


def run(model, batch):
    return model(batch["signal"], batch["lengths"])


def mask_of(batch):
    return (torch.arange(batch["rate"].shape[1]) < batch["lengths"][:, None]).float()


def forgotten(model, batch):
    """Unpacked, and compared up to the longest recording."""
    out = run(model, batch)
    per_second = F.cross_entropy(out["activity"].transpose(1, 2), batch["activity"], reduction="none")
    mask = mask_of(batch)
    return {
        "rate": F.mse_loss(out["rate"], batch["rate"]),
        "activity": (per_second * mask).sum() / mask.sum(),
    }


def wrong_count(model, batch):
    """The activity of every second, masked, over the number of all seconds."""
    out = run(model, batch)
    mask = mask_of(batch)
    per_second = F.cross_entropy(out["activity"].transpose(1, 2), batch["activity"], reduction="none")
    rate = ((out["rate"] - batch["rate"]) ** 2 * mask).sum() / mask.sum()
    return {"rate": rate, "activity": (per_second * mask).sum(1).div(mask.shape[1]).mean()}


def by_recording(model, batch):
    """The mean of every recording first, then the mean over them."""
    out = run(model, batch)
    mask = mask_of(batch)
    error = (out["rate"] - batch["rate"]).abs() * mask
    per_second = F.cross_entropy(out["activity"].transpose(1, 2), batch["activity"], reduction="none") * mask
    return {
        "rate": (error.sum(1) / batch["lengths"]).mean(),
        "activity": (per_second.sum(1) / mask.sum(1)).mean(),
    }


def repacked(model, batch):
    """Both sides are packed before they are compared."""
    out = run(model, batch)
    pack = lambda t: pack_padded_sequence(t, batch["lengths"].cpu(), batch_first=True, enforce_sorted=False).data  # noqa: E731
    return {
        "rate": F.mse_loss(pack(out["rate"]), pack(batch["rate"])),
        "activity": F.cross_entropy(pack(out["activity"]), pack(batch["activity"])),
    }
