"""Loading a checkpoint into a model, and writing down how it fitted."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from torch import Tensor, nn
from torch.nn.parameter import is_lazy

from ...errors import CheckpointError
from ...facts.checkpoint import CheckpointFacts
from .copying import Outcome, copy_into
from .near import near_matches
from .read import read_checkpoint
from .state_dicts import Choice, StateDict, choose_state_dict, ending, is_extra_state, shapes

#: Counters beside the weights: checkpoints from before PyTorch 0.4.1 lack the first, only AveragedModel has
#: the other.
_COUNTERS = ("num_batches_tracked", "n_averaged")


def load_checkpoint(model: nn.Module, path: Path, *, strict: bool) -> CheckpointFacts:
    """Copy every tensor of a checkpoint that fits into a model, and tell what did not fit.

    `path` is a .safetensors file, a file of torch.save (a state dict, or a dict or Lightning checkpoint that
    has one), an index of shards, or a folder with one of these. Tensors are converted to the model's dtypes
    and devices. `strict` changes nothing here: rule LD801 judges by it.

    What does not fit is a fact and no error. These are no mismatch: a tied weight that is listed under
    another of its names; the counters `num_batches_tracked` and `n_averaged`; `_extra_state`, which
    safetensors cannot hold; buffers that the model does not save; and, where the part behind
    `stripped_prefix` has all that the model needs, the other parts of the checkpoint. Keys are the model's,
    in `unexpected` and as near-matches the checkpoint's.

    Raises CheckpointError where the file cannot be read, would need unpickling or has no state dict, or where
    the model cannot take a tensor; the model is as it was then.
    """
    if any(tensor.is_meta for tensor in chain(model.parameters(), model.buffers())):
        message = f"{path} cannot be loaded: the model is on the meta device, which holds no numbers"
        raise CheckpointError(message, "Let model.target build the model on the CPU.")
    expected = model.state_dict()
    choice = choose_state_dict(read_checkpoint(path), expected, path)
    state = {name: value for key, value in choice.state.items() if (name := choice.renaming.to_model(key)) is not None}
    outcome = copy_into(model, state, expected, path)
    missing = tuple(_missing(outcome, state, expected))
    unexpected = list(_refused(choice, outcome, model))
    if missing or outcome.reshaped:
        unexpected += _outside_prefix(choice)
    return CheckpointFacts(
        path=str(path),
        layout=choice.layout,
        strict=strict,
        loaded=_loaded(state, outcome),
        missing=missing,
        unexpected=tuple(unexpected),
        reshaped=outcome.reshaped,
        near=near_matches(missing, shapes(expected), unexpected, shapes(choice.state)),
        stripped_prefix=choice.renaming.strip,
        dtypes=_dtypes(choice.state),
    )


def _missing(outcome: Outcome, state: StateDict, expected: StateDict) -> Iterator[str]:
    """Yield what the model saves but did not get, by this name or by another one of a tied tensor."""
    got = state.keys() - {mismatch.key for mismatch in outcome.reshaped}
    memory = {_memory(expected[key]) for key in got if key in expected} - {None}
    for key in outcome.missing:
        if key in expected and _is_weight(key) and _memory(expected[key]) not in memory:
            yield key


def _memory(tensor: object) -> tuple[object, ...] | None:
    """Tell where a tensor lies, to recognise tied ones; None where that cannot be told."""
    if not isinstance(tensor, Tensor) or is_lazy(tensor) or not tensor.data_ptr():
        return None
    return tensor.device, tensor.data_ptr(), tensor.shape, tensor.stride()


def _refused(choice: Choice, outcome: Outcome, model: nn.Module) -> Iterator[str]:
    """Yield what the model has no place for, not even a buffer that it leaves out of its state dict."""
    refused = set(outcome.unexpected) - {name for name, _ in model.named_buffers(remove_duplicate=False)}
    return (key for key in choice.state if choice.renaming.to_model(key) in refused and _is_weight(key))


def _outside_prefix(choice: Choice) -> Iterator[str]:
    return (key for key in choice.state if choice.renaming.to_model(key) is None and _is_weight(key))


def _is_weight(key: str) -> bool:
    return not is_extra_state(key) and ending(key) not in _COUNTERS


def _loaded(state: StateDict, outcome: Outcome) -> int:
    left_out = {*outcome.unexpected, *(mismatch.key for mismatch in outcome.reshaped)}
    return sum(key not in left_out for key in shapes(state))


def _dtypes(state: StateDict) -> tuple[str, ...]:
    found = {value.dtype for value in state.values() if isinstance(value, Tensor)}
    return tuple(sorted(str(dtype).removeprefix("torch.") for dtype in found))
