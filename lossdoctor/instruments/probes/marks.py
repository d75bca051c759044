"""What in a batch says which elements are padding or to be ignored: labels, pad tokens, masks, lengths, holes."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..tensors import tensors_in
from .edge_batches import ignored_label, is_mask
from .made_batches import is_by_sample, size_of

#: Labels that mean "ignore" by convention: torch's default, and what images of bytes hold. Any other negative label may
#: as well mean "background".
CONVENTIONAL = (-100, 255)

#: What masks are called that say where there is data, or where there is none.
_NAMED = re.compile(r"valid|visib|\bvis\b|pad|ignor|observ|missing|attention", re.IGNORECASE)

#: Fewer different values than these may be states, and not tokens or measurements.
_LEAST_TOKENS, _LEAST_VALUES = 4, 20

#: Filling is longer than this on average, where there is any.
_LEAST_RUN = 2

#: Elements that are looked at to see how many different values there are.
_ENOUGH = 10_000

#: A hole is further from what was measured than this part of the measured range.
_GAP = 0.05

Columns = Mapping[str, Sequence[Tensor]]  #: by name in the batch, the tensors of all batches


@dataclass(frozen=True)
class Mark:
    """Elements of a batch that are said not to count."""

    says: str  #: what marks them
    of: str  #: the tensor in the batch whose elements are marked
    off: tuple[Tensor, ...]  #: by batch, (N, *positions), True where an element does not count
    is_certain: bool = True  #: nothing else could be meant, such as a background

    @property
    def positions(self) -> tuple[int, ...]:
        """The shape of one sample's positions in the first batch."""
        return tuple(self.off[0].shape[1:])


def marks(batches: Sequence[object]) -> list[Mark]:
    """Return every mark that has both, elements that count and elements that do not."""
    columns = _columns(batches)
    found = [
        *_labels(columns),
        *_tokens(columns),
        *_masks(columns),
        *_lengths(columns),
        *_holes(columns),
    ]
    return [mark for mark in found if _has_both(mark.off)]


def named_tensors(batch: object) -> dict[str, Tensor]:
    """Return the tensors of a batch by the names that marks have for them."""
    return {name.removeprefix("batch."): tensor for name, tensor in tensors_in(batch, "batch").items()}


def _columns(batches: Sequence[object]) -> Columns:
    columns: dict[str, list[Tensor]] = {}
    for batch in batches:
        size = size_of(batch)
        for name, tensor in named_tensors(batch).items():
            if is_by_sample(tensor, size) and tensor.numel() and tensor.layout == torch.strided:
                columns.setdefault(name, []).append(tensor.detach())
    return {
        name: column
        for name, column in columns.items()
        if len(column) == len(batches) and not column[0].is_complex() and len({tensor.dim() for tensor in column}) == 1
    }


def _has_both(off: Sequence[Tensor]) -> bool:
    return any(map(is_mixed, off))


def is_mixed(off: Tensor) -> bool:
    """Whether some elements are marked and others are not."""
    return bool(off.any()) and not bool(off.all())


def _labels(columns: Columns) -> Iterator[Mark]:
    for name, column in columns.items():
        label = ignored_label(column) if column[0].dim() > 1 else None
        if label is not None:
            off = tuple(_flat(tensor == label) for tensor in column)
            for other in (name, *_blank(columns, off)):
                yield Mark(f"{name} is {label}", other, off, label in CONVENTIONAL)


def _tokens(columns: Columns) -> Iterator[Mark]:
    """Yield the tokens that fill up sequences, at their end or their start."""
    for name, column in columns.items():
        if column[0].dim() != 2 or column[0].is_floating_point() or column[0].dtype == torch.bool:
            continue
        for where, flip in (("ends in", False), ("starts with", True)):
            rows = [tensor.flip(1) if flip else tensor for tensor in column]
            if (token := _filler(rows)) is not None:
                # The first of them may be the end of the sentence, which is to be learnt.
                off = [_run(tensor, token)[:, 1:] & _run(tensor, token)[:, :-1] for tensor in rows]
                whole = [torch.cat([torch.zeros_like(each[:, :1]), each], 1) for each in off]
                yield Mark(f"{name} {where} {token}", name, tuple(w.flip(1) if flip else w for w in whole))


def _filler(rows: Sequence[Tensor]) -> int | None:
    """Return the token that is nowhere but at the ends of rows, of most rows, in runs of different lengths.

    None without. A token that ends some rows once or twice, as the largest one does where they are sorted, fills none.
    """
    values = torch.cat([tensor.unique() for tensor in rows]).unique()
    if len(values) <= _LEAST_TOKENS:
        return None
    for token in torch.cat([tensor[:, -1] for tensor in rows]).unique().tolist():
        lengths = torch.cat([_run(tensor, token).sum(1) for tensor in rows])
        elsewhere = sum(int((tensor == token).sum()) for tensor in rows) - int(lengths.sum())
        runs = lengths[lengths > 0]
        fills = 2 * len(runs) >= len(lengths) and float(runs.double().mean()) >= _LEAST_RUN
        if token >= 0 and not elsewhere and fills and len(lengths.unique()) > 1:
            return int(token)
    return None


def _run(tensor: Tensor, token: int) -> Tensor:
    """Return where the run of a token at the end of every row is."""
    return (tensor == token).flip(1).long().cumprod(1).flip(1).bool()


def _masks(columns: Columns) -> Iterator[Mark]:
    """Yield the masks whose one side covers nothing but a constant of what they mask: there is no data."""
    for name, column in columns.items():
        if column[0].dim() < 2 or not is_mask(column) or _is_one_hot(column):
            continue
        for value in (0, 1):
            off = tuple(_flat(tensor == value) for tensor in column)
            for other in _blank(columns, off):
                certain = bool(_NAMED.search(name)) or _is_at_an_end(off)
                yield Mark(f"{name} is {value}", other, off, certain)


def _lengths(columns: Columns) -> Iterator[Mark]:
    for name, column in columns.items():
        if column[0].is_floating_point() or column[0].dtype == torch.bool or column[0].numel() != len(column[0]):
            continue
        for other, data in columns.items():
            for axis in dict.fromkeys((1, data[0].dim() - 1)) if data[0].dim() > 1 else ():
                off = tuple(
                    torch.arange(tensor.shape[axis]) >= lengths.reshape(-1, 1).cpu()
                    for tensor, lengths in zip(data, column, strict=True)
                )
                if other in _blank({other: data}, off):
                    yield Mark(f"beyond {name}", other, off)


def _holes(columns: Columns) -> Iterator[Mark]:
    """Yield zeros that lie apart from everything measured, such as pixels without a depth."""
    for name, column in columns.items():
        shape = column[0].shape
        if not column[0].is_floating_point() or len(shape) < 3 or (len(shape) > 3 and shape[1] > 1):
            continue
        values = torch.cat([tensor.flatten() for tensor in column])
        measured = values[values != 0]
        if len(measured) == len(values) or _distinct(measured) < _LEAST_VALUES:
            continue
        width = float(measured.amax() - measured.amin())
        if float(measured.abs().amin()) > _GAP * width:
            off = tuple(_flat(tensor == 0) for tensor in column)
            yield Mark(f"{name} is 0", name, off, all(map(_is_scattered, off)))


def _flat(off: Tensor) -> Tensor:
    """Return marks without dimensions of one element."""
    return off.reshape(len(off), *(length for length in off.shape[1:] if length > 1))


def _is_one_hot(column: Sequence[Tensor]) -> bool:
    return any(
        all(tensor.shape[dim] > 1 and bool((tensor.sum(dim) == 1).all()) for tensor in column)
        for dim in {1, column[0].dim() - 1}
    )


def _blank(columns: Columns, off: Sequence[Tensor]) -> list[str]:
    """Return the tensors that hold one value where they are marked, and several where they are not."""
    return [
        name
        for name, column in columns.items()
        if not is_mask(column) and column[0].dtype != torch.bool and _is_blank(column, off)
    ]


def _is_blank(column: Sequence[Tensor], off: Sequence[Tensor]) -> bool:
    placed = [spread(marked, tensor.shape) for marked, tensor in zip(off, column, strict=True)]
    if not all(p is not None for p in placed):
        return False
    pairs = [(tensor, p.to(tensor.device)) for tensor, p in zip(column, placed, strict=True) if p is not None]
    marked, others = (torch.cat([t[p if on else ~p] for t, p in pairs]) for on in (True, False))
    return bool(len(marked) and len(others)) and bool(marked.amin() == marked.amax()) and _distinct(others) > 2


def _distinct(values: Tensor) -> int:
    """Return how many different values there are among some, evenly spread."""
    return len(values[:: len(values) // _ENOUGH + 1].unique())


def _is_at_an_end(off: Sequence[Tensor]) -> bool:
    """Whether, in every row, the marks are one run at its start or end."""
    return all(tensor.dim() == 2 and int((tensor.long().diff(dim=1) != 0).sum(1).amax()) <= 1 for tensor in off)


def _is_scattered(off: Tensor) -> bool:
    """Whether most of the marked elements have a neighbour that is not: holes, and not the background of an object."""
    if off.dim() != 3 or not off.any():
        return False
    padded = torch.nn.functional.pad(off.float(), (1, 1, 1, 1), value=1.0)
    around = [padded[:, 1:-1, :-2], padded[:, 1:-1, 2:], padded[:, :-2, 1:-1], padded[:, 2:, 1:-1]]
    enclosed = torch.stack(around).amin(0) > 0
    return int((enclosed & off).sum()) * 2 < int(off.sum())


def axis_of(shape: Sequence[int], positions: Sequence[int]) -> int | None:
    """Return the dimension of a tensor of samples at which positions begin; None where it has none such."""
    count = len(positions)
    for axis in (1, 2, len(shape) - count):
        if 0 < axis <= len(shape) - count and tuple(shape[axis : axis + count]) == tuple(positions):
            return axis
    return None


def spread(off: Tensor, shape: Sequence[int]) -> Tensor | None:
    """Return marks in the shape of a tensor that has a place for each of them; None where it has not."""
    axis = axis_of(shape, off.shape[1:])
    if axis is None or shape[0] != len(off):
        return None
    after = len(shape) - axis - (off.dim() - 1)
    return off.reshape(len(off), *(1,) * (axis - 1), *off.shape[1:], *(1,) * after).expand(tuple(shape))
