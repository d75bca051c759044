"""Matching a checkpoint's names to a model's where a wrapper put a prefix in front of all of them.

DistributedDataParallel adds `module.`, torch.compile `_orig_mod.`, Lightning the attribute (`model.`,
`net.`), and they combine. No name is special here: a prefix counts if taking it off, or putting it on, makes
more names match.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

#: None where any shape fits: an uninitialised (lazy) parameter.
Shapes = Mapping[str, tuple[int, ...] | None]

#: So many of the prefixes that would place a large part of the tensors are tried.
_MOST_PROMISING = 8


@dataclass(frozen=True)
class Renaming:
    """How a checkpoint's names become the model's: `strip` is taken off the front and `add` put there."""

    strip: str = ""
    add: str = ""

    def length(self) -> tuple[int, str, str]:
        """Sort the shortest first."""
        return len(self.strip) + len(self.add), self.strip, self.add

    def to_model(self, key: str) -> str | None:
        """Return the model's name for a name in the checkpoint; None where it lacks the prefix."""
        return self.add + key[len(self.strip) :] if key.startswith(self.strip) else None

    def to_checkpoint(self, key: str) -> str | None:
        """Return the checkpoint's name for a name in the model; None where it lacks the prefix."""
        return self.strip + key[len(self.add) :] if key.startswith(self.add) else None


@dataclass(frozen=True, order=True)
class Score:
    """How well names match: by how many tensors fit in shape, then by how many have a name in common."""

    fitting: int
    named: int


def align(found: Shapes, wanted: Shapes) -> tuple[Renaming, Score]:
    """Choose the renaming under which most of a checkpoint (`found`) fits a model (`wanted`).

    A prefix is considered where most names of its side have it, or where it alone places half of the other
    side's names: a part of a checkpoint that is the whole model, or a part of the model that is the
    checkpoint. Between equals the shortest prefix wins, so nothing is renamed without a gain.
    """
    common = [Renaming(strip, add) for strip in _common_prefixes(found) for add in _common_prefixes(wanted)]
    parts = [Renaming(strip=prefix) for prefix in _placing_prefixes(found, wanted)]
    places = [Renaming(add=prefix) for prefix in _placing_prefixes(wanted, found)]
    candidates = sorted({*common, *parts, *places}, key=Renaming.length)
    scored = [(renaming, _score(renaming, found, wanted)) for renaming in candidates]
    return max(scored, key=lambda pair: pair[1])


def _prefixes(key: str) -> Iterator[str]:
    """Yield "", "a." and "a.b." for "a.b.weight"."""
    yield ""
    for position, character in enumerate(key):
        if character == ".":
            yield key[: position + 1]


def _common_prefixes(keys: Iterable[str]) -> list[str]:
    """Return the prefixes that more than half of the names have; always with ""."""
    keys = list(keys)
    counts = Counter(prefix for key in keys for prefix in _prefixes(key))
    return ["", *(prefix for prefix, count in counts.items() if prefix and 2 * count > len(keys))]


def _placing_prefixes(keys: Iterable[str], others: Shapes) -> list[str]:
    """Return the prefixes of `keys` without which at least half of the other names are found."""
    counts = Counter(prefix for key in keys for prefix in _prefixes(key) if key[len(prefix) :] in others)
    return [prefix for prefix, count in counts.most_common(_MOST_PROMISING) if 2 * count >= len(others)]


def _score(renaming: Renaming, found: Shapes, wanted: Shapes) -> Score:
    fitting = named = 0
    for key, shape in wanted.items():
        source = renaming.to_checkpoint(key)
        if source is not None and source in found:
            named += 1
            fitting += shape is None or found[source] is None or shape == found[source]
    return Score(fitting, named)
