"""The device and the numbers computed on it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ..errors import LossDoctorError

PRECISIONS: Mapping[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def choose_device(name: str) -> torch.device:
    """Return the device that `auto`, `cpu`, `cuda`, `cuda:N` or `mps` stands for.

    Raises LossDoctorError where this machine does not have it.
    """
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    device = torch.device(name)
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        message = f"device {name} is not available: this machine has {torch.cuda.device_count()} CUDA devices"
        raise LossDoctorError(message, "Use --device auto or --device cpu.")
    if device.type == "mps" and not torch.backends.mps.is_available():
        message = "device mps is not available on this machine"
        raise LossDoctorError(message, "Use --device auto or --device cpu.")
    return device


@contextlib.contextmanager
def precision(device: torch.device, name: str) -> Iterator[None]:
    """Run a forward in a precision: autocast for bf16 and fp16, real float32 for fp32."""
    with plain_float32() if name == "fp32" else torch.autocast(device.type, dtype=PRECISIONS[name]):
        yield


@contextlib.contextmanager
def plain_float32() -> Iterator[None]:
    """Multiply float32 matrices in float32: neither in TF32 nor in passes of bfloat16."""
    switches, legacy = _float32_switches(), _legacy_float32()
    kept = [switch.fp32_precision for switch in switches]
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
    for switch in switches:
        switch.fp32_precision = "ieee"
    try:
        yield
    finally:
        if legacy is not None:
            torch.set_float32_matmul_precision(legacy[0])
            torch.backends.cudnn.allow_tf32 = legacy[1]
        for switch, value in zip(switches, kept, strict=True):
            switch.fp32_precision = value


def _float32_switches() -> list[Any]:
    """Return what has an attribute `fp32_precision`; torch before 2.9 has only the two legacy switches."""
    backends: Any = torch.backends
    if not hasattr(backends.cuda.matmul, "fp32_precision"):
        return []
    mkldnn, cudnn = backends.mkldnn, backends.cudnn
    return [backends.cuda.matmul, cudnn.conv, cudnn.rnn, mkldnn.matmul, mkldnn.conv, mkldnn.rnn]


def _legacy_float32() -> tuple[str, bool] | None:
    """Return the legacy switches. torch refuses to tell them once somebody has set the new ones otherwise."""
    try:
        return torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    except RuntimeError:
        return None


@contextlib.contextmanager
def gradients_enabled() -> Iterator[None]:
    """Record gradients, whatever the caller has switched off: `torch.no_grad()` or `torch.inference_mode()`."""
    with torch.inference_mode(False), torch.enable_grad():
        yield


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, on every device in use."""
    seed %= 2**63
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    torch.default_generator.manual_seed(seed)
    # torch.manual_seed would also seed a CUDA that nobody has used yet, which cannot be undone.
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)
    if torch.backends.mps.is_available():
        torch.mps.manual_seed(seed)


@dataclass(frozen=True)
class RandomState:
    """Where every global random generator stands."""

    python: Any
    numpy: Any  #: None where NumPy is not imported
    torch: Tensor
    cuda: list[Tensor] | None
    mps: Tensor | None


def random_state() -> RandomState:
    """Return where every global random generator stands."""
    numpy = sys.modules.get("numpy")
    return RandomState(
        random.getstate(),
        numpy.random.get_state() if numpy else None,
        torch.get_rng_state(),
        torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None,
        torch.mps.get_rng_state() if torch.backends.mps.is_available() else None,
    )


def set_random_state(state: RandomState) -> None:
    """Put every global random generator where it stood."""
    random.setstate(state.python)
    torch.set_rng_state(state.torch)
    if state.numpy is not None:
        sys.modules["numpy"].random.set_state(state.numpy)
    if state.cuda is not None:
        torch.cuda.set_rng_state_all(state.cuda)
    if state.mps is not None:
        torch.mps.set_rng_state(state.mps)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put every global random generator back to where it was."""
    state = random_state()
    try:
        yield
    finally:
        set_random_state(state)
