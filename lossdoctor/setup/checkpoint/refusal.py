"""Refusing what only unpickling could read, and the way out: saving the tensors alone.

A pickle is a program; loading one runs it. lossdoctor never does.
"""

from __future__ import annotations

import pickle
import pickletools
import re
from pathlib import Path
from typing import IO

from ...errors import CheckpointError

_CONTAINERS = ("collections", "torch._utils", "torch.storage")
_WAY_OUT = """\
lossdoctor never unpickles, because that runs whatever code the file holds. If you trust the file, save its \
tensors alone, in the environment that made it:
    import torch
    from safetensors.torch import save_file
    {load}  # runs the code in the file
    state = found.state_dict() if hasattr(found, "state_dict") else found.get("state_dict", found)  # or "model", …
    tensors = {{key: value.clone().contiguous() for key, value in state.items() if torch.is_tensor(value)}}
    save_file(tensors, {target!r})\
"""


def refuse_unsafe(path: Path, error: pickle.UnpicklingError) -> CheckpointError:
    """Explain why `torch.load(weights_only=True)` refused a file."""
    # torch wraps its reason into a page of advice about switching the protection off.
    reason = str(error.__context__ or error)
    if blamed := re.search(r"GLOBAL (\S+)", reason):
        message = f"{path} holds the Python object `{blamed[1]}`, which needs unpickling"
    else:
        message = f"{path} cannot be read without unpickling, or is damaged ({reason.splitlines()[0]})"
    return CheckpointError(message, _way_out(path, _torch_load(path)))


def refuse_torchscript(path: Path) -> CheckpointError:
    """Refuse an archive of `torch.jit.save`, which holds code beside the tensors."""
    message = f"{path} is a TorchScript archive: code beside the tensors, which needs unpickling"
    load = f'found = torch.jit.load({path.name!r}, map_location="cpu")'
    return CheckpointError(message, _way_out(path, load))


def refuse_tar(path: Path) -> CheckpointError:
    """Refuse a tar archive, the format of `torch.save` before PyTorch 0.2."""
    message = f"{path} is a tar archive: packed files, or PyTorch's oldest format, which needs unpickling"
    way_out = _way_out(path, _torch_load(path))
    return CheckpointError(message, f"If files are packed in it, unpack them and name one. Else: {way_out}")


def refuse_pickle(path: Path) -> CheckpointError:
    """Refuse a plain pickle, and name an object in it."""
    with path.open("rb") as file:
        blamed = _first_import(file)
    what = f"a pickle of the Python object `{blamed}`" if blamed else "a plain pickle"
    load = f"import pickle; found = pickle.load(open({path.name!r}, 'rb'))"
    return CheckpointError(f"{path} is {what}, not a file of torch.save", _way_out(path, load))


def _torch_load(path: Path) -> str:
    return f'found = torch.load({path.name!r}, map_location="cpu", weights_only=False)'


def _way_out(path: Path, load: str) -> str:
    return _WAY_OUT.format(load=load, target=f"{path.stem}-tensors.safetensors")


def _first_import(file: IO[bytes]) -> str | None:
    """Name the first object that a pickle imports, other than the containers that every state dict has.

    `pickletools` lists the instructions without carrying them out.
    """
    strings: list[str] = []
    try:
        for instruction, argument, _ in pickletools.genops(file):
            if isinstance(argument, str):
                # GLOBAL has "module name" as one argument, STACK_GLOBAL takes the two strings before it.
                strings += argument.split(" ") if instruction.name == "GLOBAL" else [argument]
            if instruction.name in ("GLOBAL", "STACK_GLOBAL") and strings[-2] not in _CONTAINERS:
                return ".".join(strings[-2:])
    except (ValueError, IndexError):  # a damaged pickle
        pass
    return None
