"""What a checkpoint file is, told by its first bytes: people rename files, and downloads go wrong."""

from __future__ import annotations

import tarfile
from enum import Enum
from pathlib import Path

from ...errors import CheckpointError
from .refusal import refuse_pickle, refuse_tar

#: safetensors refuses longer headers itself.
_MAX_SAFETENSORS_HEADER = 100_000_000
_ZIP = b"PK\x03\x04"
#: torch.serialization.MAGIC_NUMBER as torch.save before 1.6 pickled it, after some bytes for the protocol.
_LEGACY_TORCH = b"\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."
_FETCH_AGAIN = "Copy or download the file again."
_SAVE_STATE_DICT = "Name a checkpoint of PyTorch: a .safetensors file, or a state dict saved by torch.save."
#: What else is found under a checkpoint's name: first bytes (lower case) -> what it is, and what to do.
_FOREIGN = {
    b"version https://git-lfs": (
        "a Git LFS pointer, not the file itself",
        "Run `git lfs pull` in the repository that it came from.",
    ),
    b"<": (
        "a web page, not the file itself",
        "The download gave an error or login page: open the address in a browser and fetch the file itself.",
    ),
    b"\x1f\x8b": ("compressed with gzip", "Decompress it and name the file that was inside."),
    b"\x89hdf": ("an HDF5 file, as Keras writes it", _SAVE_STATE_DICT),
    b"gguf": ("a GGUF file, as llama.cpp uses it", _SAVE_STATE_DICT),
    b"\x93numpy": ("a NumPy array", _SAVE_STATE_DICT),
}


class Format(Enum):
    """The formats that can be read."""

    SAFETENSORS = "safetensors"
    TORCH_ZIP = "zip archive of torch.save"
    TORCH_LEGACY = "file of torch.save before PyTorch 1.6"
    INDEX = "index of shards"


def recognise(path: Path) -> Format:
    """Tell the format of a file by its content; its suffix does not matter.

    Raises CheckpointError for an empty file, for what is no checkpoint, and for formats that only unpickling
    can read; OSError where the file cannot be opened.
    """
    with path.open("rb") as file:
        head = file.read(512)
    if not head.strip(b"\0"):
        message = f"{path} is empty" if not head else f"{path} begins with nothing but zeros"
        raise CheckpointError(message, f"The save or the download did not finish. {_FETCH_AGAIN}")
    if _is_safetensors(head):
        return Format.SAFETENSORS
    if head.startswith(_ZIP):
        return Format.TORCH_ZIP
    if _is_tar(path):
        raise refuse_tar(path)
    if head[0] == 0x80:
        return _pickled_format(path, head)
    if head.lstrip().startswith(b"{"):
        return Format.INDEX
    raise _foreign(path, head)


def _is_safetensors(head: bytes) -> bool:
    """Eight bytes with the header's length, then the header: JSON. Text would be far too great a length."""
    return int.from_bytes(head[:8], "little") <= _MAX_SAFETENSORS_HEADER and head[8:9] == b"{"


def _is_tar(path: Path) -> bool:
    """Whether `torch.load` would take the file for its oldest format, whatever the file begins with.

    Before PyTorch 2.6 that format was unpickled freely even with `weights_only=True` (CVE-2025-32434).
    """
    try:
        with tarfile.open(path, "r:") as tar:
            return tar.next() is not None
    except (tarfile.TarError, EOFError, ValueError):
        return False


def _pickled_format(path: Path, head: bytes) -> Format:
    if _LEGACY_TORCH in head[:32]:
        return Format.TORCH_LEGACY
    raise refuse_pickle(path)


def _foreign(path: Path, head: bytes) -> CheckpointError:
    start = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    for prefix, (what, advice) in _FOREIGN.items():
        if start.startswith(prefix):
            return CheckpointError(f"{path} is {what}", advice)
    expected = "expected safetensors or a file of torch.save"
    message = f"{path} is no checkpoint: {expected}, found a file that begins with {head[:12]!r}"
    return CheckpointError(message, _SAVE_STATE_DICT)
