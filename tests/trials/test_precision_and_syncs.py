"""The training step against the loop that torch's documentation writes, bit by bit; and what waits for the device."""

from __future__ import annotations

import math

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from lossdoctor.config.schema import Schedule, TrialConfig
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.trials.loop import run
from lossdoctor.trials.optimizers import trained_objectives
from lossdoctor.trials.training import Training, start_training

STEPS = 12
RAMP = {"from": 0.0, "to": 2.0, "start": 1, "over": 8, "shape": "cosine"}


def model():
    torch.manual_seed(1)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.3), nn.Linear(8, 2))


def batches(count):
    generator = torch.Generator().manual_seed(2)
    return [(torch.randn(16, 4, generator=generator), torch.randn(16, 2, generator=generator)) for _ in range(count)]


def components(model, batch, scale=1.0):
    output = model(batch[0])
    return {"square": scale * F.mse_loss(output, batch[1]), "absolute": scale * F.l1_loss(output, batch[1])}, output


def trained(trial, supply, *, scale=1.0, **options):
    def loss(model, batch):
        terms, output = components(model, batch, scale)
        return Losses({"total": terms}, output)

    setup = Setup(model(), batches(1), loss, **options)
    training = start_training(setup, trial, setup.batches[0])
    torch.manual_seed(3)
    return training, run(training, iter(supply))


def assert_same(ours, theirs):
    for (name, mine), wanted in zip(ours.state_dict().items(), theirs.state_dict().values(), strict=True):
        assert torch.equal(mine, wanted), name


@pytest.mark.parametrize("clip", [None, 0.1])
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
@pytest.mark.parametrize("accumulate", [1, 3])
def test_is_the_loop_of_the_documentation(precision, accumulate, clip):
    """With all at once: autocast, GradScaler, accumulation, clipping, a rate and a weight that change."""
    trial = TrialConfig(steps=STEPS, lr=0.01, schedule="cosine", warmup=2, accumulate=accumulate, clip=clip)
    scale = 30.0 if precision == "fp16" else 1.0  # so that the first steps overflow, and are left out
    training, outcome = trained(
        trial,
        batches(STEPS * accumulate),
        scale=scale,
        precision=precision,
        weights={"square": 0.5},
        schedules={"absolute": Schedule(**RAMP)},
    )

    net, supply = model(), iter(batches(STEPS * accumulate))
    optimizer = torch.optim.Adam(net.parameters(), lr=0.01)
    scaler = torch.amp.GradScaler("cpu", enabled=precision == "fp16")
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}.get(precision, torch.bfloat16)
    skipped = []
    torch.manual_seed(3)
    for step in range(STEPS):
        for _ in range(accumulate):
            with torch.autocast("cpu", dtype=dtype, enabled=precision != "fp32"):
                terms, _ = components(net, next(supply), scale)
            terms = {name: term.float() for name, term in terms.items()}
            total = 0.5 * terms["square"] + Schedule(**RAMP).at(step) * terms["absolute"]
            scaler.scale(total / accumulate).backward()
        if clip:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(net.parameters(), clip)
        cosine = (1 + math.cos(math.pi * (step - 2) / (STEPS - 2))) / 2
        optimizer.param_groups[0]["lr"] = 0.01 * ((step + 1) / 2 if step < 2 else cosine)
        before = scaler.get_scale()
        scaler.step(optimizer)
        scaler.update()
        skipped.append(scaler.get_scale() < before)
        optimizer.zero_grad()
    assert any(skipped) == (precision == "fp16")
    assert not all(skipped)
    assert outcome.steps == STEPS
    assert_same(training.setup.model, net)


OPTIONS = [
    {},
    {"optimizer": "sgd", "options": {"momentum": 0.9}},
    {"clip": 1.0, "accumulate": 2, "schedule": "linear", "warmup": 3},
]


def prepared(trial, device):
    def loss(model, batch):
        terms, output = components(model, batch)
        return Losses({"total": terms}, output)

    net = model().to(device)
    scheduled = {"schedules": {"absolute": Schedule(**RAMP)}, "weights": {"square": 0.5}}
    setup = Setup(net, batches(1), loss, device=torch.device(device), **scheduled)
    scaler = torch.amp.GradScaler("cpu", enabled=False)
    return Training(setup, trial, trained_objectives(setup, trial, setup.forward(setup.batches[0])), scaler)


@pytest.mark.parametrize("options", OPTIONS)
def test_no_step_reads_a_number_from_the_device(options):
    """Tensors on the meta device have none: whoever asks for one, or for a shape that depends on one, fails."""
    trial = TrialConfig(steps=STEPS, **options)
    training = prepared(trial, "meta")
    for step in range(STEPS):
        training.step(step, batches(trial.accumulate))
    with pytest.raises((RuntimeError, NotImplementedError)):
        training.recorder.rows()


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("options", OPTIONS)
def test_no_step_waits_for_a_gpu(options):
    trial = TrialConfig(steps=STEPS, **options)
    training = prepared(trial, "cuda")
    training.step(0, batches(trial.accumulate))
    torch.cuda.set_sync_debug_mode("error")
    try:
        for step in range(1, STEPS):
            training.step(step, batches(trial.accumulate))
    finally:
        torch.cuda.set_sync_debug_mode("default")
