"""The device and the numbers computed on it."""

from __future__ import annotations

import contextlib
import random
import sys
from collections.abc import Iterator, Mapping

import torch

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
    """Run in a precision: autocast for bf16 and fp16; real float32, without TF32, for fp32."""
    if name != "fp32":
        with torch.autocast(device.type, dtype=PRECISIONS[name]):
            yield
        return
    matmul, cudnn = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = matmul, cudnn


def seed_everything(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, on every device."""
    random.seed(seed)
    if (numpy := sys.modules.get("numpy")) is not None:
        numpy.random.seed(seed % 2**32)
    torch.manual_seed(seed)


@contextlib.contextmanager
def random_state_kept() -> Iterator[None]:
    """Put every global random generator back to where it was."""
    numpy = sys.modules.get("numpy")
    python_state, torch_state = random.getstate(), torch.get_rng_state()
    numpy_state = numpy.random.get_state() if numpy else None
    cuda_states = torch.cuda.get_rng_state_all() if torch.cuda.is_initialized() else None
    try:
        yield
    finally:
        random.setstate(python_state)
        torch.set_rng_state(torch_state)
        if numpy:
            numpy.random.set_state(numpy_state)
        if cuda_states is not None:
            torch.cuda.set_rng_state_all(cuda_states)
