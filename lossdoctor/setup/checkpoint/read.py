"""Reading a checkpoint: a file, a folder or the index of several files -> what it holds, on the CPU."""

from __future__ import annotations

import json
import pickle
import warnings
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path

import safetensors.torch
import torch

from ...errors import CheckpointError
from .formats import Format, recognise
from .refusal import refuse_torchscript, refuse_unsafe

#: What to look for in a folder, best first. An index stands for all of its shards.
_IN_FOLDER = (
    "*.safetensors.index.json",
    "*.safetensors",
    "*.bin.index.json",
    "*.bin",
    "*.pt",
    "*.pth",
    "*.ckpt",
)


@dataclass(frozen=True)
class Contents:
    """What a checkpoint holds."""

    layout: str  #: "safetensors", "state dict", …, as the user would call it
    data: object  #: tensors by name, or whatever else was saved


def read_checkpoint(path: Path) -> Contents:
    """Read a checkpoint without unpickling it.

    `path` is a safetensors file, a file of torch.save, an index of shards, or a folder with one of these.
    Raises CheckpointError, with advice, for everything that cannot be read or would need unpickling.
    """
    try:
        file = _in_folder(path) if path.is_dir() else path
        if not file.is_file():
            raise _no_file(file)
        form = recognise(file)
        return _read_shards(file) if form is Format.INDEX else _read_file(file, form)
    except OSError as error:
        message = f"{path} cannot be read: {error.strerror or error}"
        raise CheckpointError(message, "Check the path and that you may read the file.") from error


def _no_file(path: Path) -> CheckpointError:
    if path.exists():
        return CheckpointError(f"{path} is no regular file", "Name the checkpoint file itself.")
    names = [entry.name for entry in path.parent.iterdir()] if path.parent.is_dir() else []
    close = get_close_matches(path.name, names, n=1)
    if close:
        advice = f"Did you mean {path.parent / close[0]}?"
    else:
        advice = "Correct model.checkpoint; it is relative to the config's folder."
    return CheckpointError(f"there is no checkpoint {path}", advice)


def _in_folder(folder: Path) -> Path:
    for pattern in _IN_FOLDER:
        found = sorted(folder.glob(pattern))
        if len(found) == 1:
            return found[0]
        if found:
            names = ", ".join(file.name for file in found[:5])
            message = f"{folder} is a folder with {len(found)} files {pattern}: {names}"
            advice = "Name the one to load; shards need their index (*.index.json) beside them."
            raise CheckpointError(message, advice)
    if (folder / ".metadata").exists():
        convert = "python -m torch.distributed.checkpoint.format_utils dcp_to_torch"
        advice = f"Convert it: {convert} {folder} model.pt"
        message = f"{folder} is a distributed checkpoint of PyTorch, which needs unpickling"
        raise CheckpointError(message, advice)
    message = f"{folder} is a folder without a checkpoint: expected one of {', '.join(_IN_FOLDER)}"
    raise CheckpointError(message, "Name the checkpoint file.")


def _read_file(path: Path, form: Format) -> Contents:
    try:
        if form is Format.SAFETENSORS:
            return Contents("safetensors", safetensors.torch.load_file(path))
        if form is Format.TORCH_ZIP:
            return Contents("state dict", _load_zip(path))
        return Contents("state dict", _load_torch(path))
    except pickle.UnpicklingError as error:
        raise refuse_unsafe(path, error) from error
    except (CheckpointError, OSError):
        raise
    # Damaged bytes make the parsers raise anything from EOFError to AssertionError; it means the same to the
    # user.
    except Exception as error:
        reason = (str(error) or type(error).__name__).splitlines()[0]
        message = f"{path} looks like {form.value}, but is truncated or damaged: {reason}"
        raise CheckpointError(message, "Copy, download or save the file again.") from error


def _load_zip(path: Path) -> object:
    with zipfile.ZipFile(path) as archive:
        records = archive.infolist()
    names = {record.filename.partition("/")[2] for record in records}
    if "constants.pkl" in names:
        raise refuse_torchscript(path)
    if "data.pkl" not in names:
        message = f"{path} is a zip archive, but not one of torch.save: it has no data.pkl"
        raise CheckpointError(message, "If a checkpoint is packed in it, unpack it and name that file.")
    # Mapped, an optimizer's state is never read from the disk. A repacked archive may be compressed: torch
    # would take the compressed bytes for numbers.
    stored = all(record.compress_type == zipfile.ZIP_STORED for record in records)
    return _load_torch(path, mmap=stored)


def _load_torch(path: Path, *, mmap: bool = False) -> object:
    with warnings.catch_warnings():
        # About pickle protocols and old tensor types; what matters arrives as an error.
        warnings.simplefilter("ignore")
        if mmap and path.suffix != ".safetensors":
            return torch.load(str(path), map_location="cpu", weights_only=True, mmap=True)
        # As an open file, because newer torch trusts a path that ends with .safetensors, whatever the
        # content.
        with path.open("rb") as file:
            return torch.load(file, map_location="cpu", weights_only=True)


def _read_shards(index: Path) -> Contents:
    weight_map = _weight_map(index)
    shards = {name: _read_shard(index, name) for name in sorted(set(weight_map.values()))}
    tensors = {key: shards[name][key] for key, name in weight_map.items() if key in shards[name]}
    kind = "safetensors" if all(name.endswith(".safetensors") for name in shards) else "state dict"
    return Contents(f"{kind} in {len(shards)} shard{'s' if len(shards) > 1 else ''}", tensors)


def _weight_map(index: Path) -> Mapping[str, str]:
    try:
        content = json.loads(index.read_text("utf-8"))
    except (ValueError, RecursionError) as error:
        message = f"{index} is no valid JSON: {error}"
        raise CheckpointError(message, "Name the checkpoint, or download its index again.") from error
    weight_map = content.get("weight_map")
    if not weight_map or not isinstance(weight_map, dict) or set(map(type, weight_map.values())) != {str}:
        message = f"{index} is no index of shards: expected `weight_map`, a file name for every tensor"
        raise CheckpointError(message, "Name the checkpoint, or its model.safetensors.index.json.")
    return weight_map


def _read_shard(index: Path, name: str) -> Mapping[str, object]:
    # Links are followed, since the Hugging Face cache is made of them; names that lead out of the folder are
    # not.
    if Path(name).anchor or ".." in Path(name).parts:
        message = f"{index} names the shard {name!r}, which lies outside its folder"
        raise CheckpointError(message, "Do not use this index unless you trust it; shards lie beside it.")
    shard = index.parent / name
    if not shard.is_file():
        message = f"{index} names the shard {name!r}, which is not there"
        raise CheckpointError(message, f"Download or copy all shards into {index.parent}.")
    form = recognise(shard)
    data = None if form is Format.INDEX else _read_file(shard, form).data
    if not isinstance(data, Mapping):
        message = f"{shard} is no shard of a checkpoint: expected tensors by name"
        raise CheckpointError(message, "Download or save the shards again.")
    return data
