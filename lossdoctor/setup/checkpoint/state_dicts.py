"""Finding the state dict in what a checkpoint holds: it may be all of it, or one of several entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor
from torch.nn.parameter import is_lazy

from ...errors import CheckpointError
from .prefixes import Renaming, Score, Shapes, align
from .read import Contents

#: Tensors by name, and what modules with `get_extra_state` saved beside them.
StateDict = Mapping[str, Any]

#: The keys that lead to a mapping inside another.
KeyPath = tuple[str, ...]

#: `{"model_ema": {"state_dict": {...}}}` is as deep as people nest.
_DEPTH = 2


@dataclass(frozen=True)
class Choice:
    """The state dict that matches the model best."""

    layout: str
    state: StateDict
    renaming: Renaming


def choose_state_dict(contents: Contents, model: StateDict, path: Path) -> Choice:
    """Choose the state dict in `contents` that matches the model's best.

    Between equally good ones the trained weights win over their moving averages, since training goes on from
    them; then the larger one; then the first. Raises CheckpointError where there is no tensor at all.
    """
    found = dict(_state_dicts(contents.data))
    if not found:
        message = f"{path} has no state dict: expected tensors by name, found {_describe(contents.data)}"
        raise CheckpointError(message, "Save `model.state_dict()` by torch.save or safetensors and name that file.")
    wanted = shapes(model)
    candidates = [_Candidate(keys, state, *align(shapes(state), wanted)) for keys, state in _plausible(found, wanted)]
    best = max(candidates, key=_Candidate.rank)
    return Choice(_layout(contents, best, candidates), best.state, best.renaming)


def shapes(state: StateDict) -> Shapes:
    """Return the shape of every tensor of a state dict, None for uninitialised ones."""
    tensors = {key: value for key, value in state.items() if isinstance(value, Tensor)}
    return {
        key: None if is_lazy(tensor) else tuple(tensor.shape)
        for key, tensor in tensors.items()
        if not is_extra_state(key)
    }


def is_extra_state(key: str) -> bool:
    """Whether a name is of the state that a module keeps beside its tensors (`get_extra_state`)."""
    return ending(key) == "_extra_state"


def ending(key: str) -> str:
    """Return the last part of a name: "weight" of "conv.weight"."""
    return key.rpartition(".")[2]


@dataclass(frozen=True)
class _Candidate:
    """A mapping inside a checkpoint that could be the model's state dict."""

    path: KeyPath
    state: StateDict
    renaming: Renaming
    score: Score

    @property
    def name(self) -> str:
        return ".".join(self.path)

    def rank(self) -> tuple[Score, bool, int]:
        averaged = any(word in self.name.lower() for word in ("ema", "averag", "shadow"))
        return self.score, not averaged, len(self.state)


def _state_dicts(data: object, path: KeyPath = ()) -> Iterator[tuple[KeyPath, StateDict]]:
    """Yield every mapping with tensors by name, and the keys that lead to it; other entries are left out."""
    if not isinstance(data, Mapping):
        return
    entries = {key: value for key, value in data.items() if isinstance(key, str)}
    state = {key: value for key, value in entries.items() if isinstance(value, Tensor) or is_extra_state(key)}
    if any(isinstance(value, Tensor) for value in state.values()):
        yield path, state
    if len(path) < _DEPTH:
        for key, value in entries.items():
            yield from _state_dicts(value, (*path, key))


def _plausible(found: Mapping[KeyPath, StateDict], wanted: Shapes) -> list[tuple[KeyPath, StateDict]]:
    """Leave out what cannot match the model, unless that is everything.

    An optimizer's state can be thousands of small mappings (`exp_avg`, `step`), too many to align each.
    """
    endings = {ending(key) for key in wanted}
    plausible = [(path, state) for path, state in found.items() if not endings.isdisjoint(map(ending, state))]
    return plausible or [max(found.items(), key=lambda item: len(item[1]))]


def _layout(contents: Contents, best: _Candidate, candidates: list[_Candidate]) -> str:
    """Describe what was read, and what a user may have meant instead."""
    layout = contents.layout
    if best.path:
        lightning = isinstance(contents.data, Mapping) and "pytorch-lightning_version" in contents.data
        layout = f"{best.name} of a {'Lightning checkpoint' if lightning else 'dict'}"
    others = [other.name for other in candidates if other is not best and other.path and other.score.fitting]
    if others:
        layout += f" that also has {', '.join(others)}"
    if not all(key.startswith(best.renaming.strip) for key in best.state):
        layout += f", its part {best.renaming.strip!r}"
    if best.renaming.add:
        layout += f", with {best.renaming.add!r} put before its names"
    return layout


def _describe(data: object) -> str:
    if not isinstance(data, Mapping):
        return f"a {type(data).__name__}"
    keys = ", ".join(str(key) for key in list(data)[:8])
    return f"a dict with the keys {keys}" if keys else "nothing in it"
