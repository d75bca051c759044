"""Inner products of gradients, parameter by parameter."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..setup.device import plain_float32

#: Products that are added up in float32; their sums are added in float64. Adding 1e7 products in float32 was off by
#: 4e-4; by blocks it is off by 1e-8, and by 4e-6 at worst, where all products are the same.
BLOCK = 4_096

#: float32 ends at 1e-38. Where the mean square of a gradient is below this, some of its squares are lost.
SAFE_MEAN_SQUARE = 1e-31

Gradients = Sequence[Tensor | None]


@dataclass(frozen=True)
class Column:
    """The gradients with respect to one parameter, of the components that have a path to it."""

    parameter: int
    components: tuple[int, ...]
    gradients: list[Tensor]


def gramians(rows: Sequence[Gradients], also: Tensor) -> tuple[Tensor, Tensor]:
    """Return the Gramian of every parameter, `(P, K, K)` in float64 on the host, and `also`, a vector, on the host.

    `rows[k][p]` is the gradient of component k with respect to parameter p, None where there is no path: that makes
    zeros. All numbers travel to the host together, in one synchronisation. Only parameters whose squares leave the
    range of float32 need another: their products are taken again in float64.
    """
    columns = list(_columns(rows))
    G = torch.zeros(len(rows[0]) if rows else 0, len(rows), len(rows), dtype=torch.float64)
    also = _fill(G, columns, torch.float32, also)
    squares = G.diagonal(dim1=1, dim2=2).tolist()
    if suspects := [column for column in columns if _leaves_float32(column, squares[column.parameter])]:
        # To the host first: not every device has float64.
        on_host = [Column(c.parameter, c.components, [gradient.cpu() for gradient in c.gradients]) for c in suspects]
        _fill(G, on_host, torch.float64, torch.zeros(0))
    return G, also


def _columns(rows: Sequence[Gradients]) -> Iterator[Column]:
    for p, gradients in enumerate(zip(*rows, strict=True)):
        present = {k: gradient for k, gradient in enumerate(gradients) if gradient is not None}
        if present:
            yield Column(p, tuple(present), list(present.values()))


def _fill(G: Tensor, columns: Sequence[Column], dtype: torch.dtype, also: Tensor) -> Tensor:
    """Write the Gramians of some parameters into `(P, K, K)`, and return `also` on the host."""
    groups: dict[tuple[int, ...], list[Column]] = {}
    for column in columns:
        groups.setdefault(column.components, []).append(column)
    # Somebody's autocast would make the products half precision.
    with plain_float32(), torch.autocast(also.device.type, enabled=False):
        sums = [[_products(column.gradients, dtype).to(also.device) for column in group] for group in groups.values()]
    host = torch.cat([also, *(part.flatten() for parts in sums for part in parts)]).cpu()
    also, *on_host = torch.split(host, [len(also), *(sum(part.numel() for part in parts) for parts in sums)])
    for (components, group), parts, numbers in zip(groups.items(), sums, on_host, strict=True):
        p, k = torch.tensor([column.parameter for column in group]), torch.tensor(components)
        owners = torch.repeat_interleave(torch.arange(len(p)), torch.tensor([len(part) for part in parts]))
        summed = torch.zeros(len(p), len(k), len(k), dtype=torch.float64)
        summed.index_add_(0, owners, numbers.view(-1, len(k), len(k)).double())
        # A matrix product is symmetric but for rounding.
        G[p[:, None, None], k[:, None], k] = (summed + summed.mT) / 2
    return also


def _products(gradients: Sequence[Tensor], dtype: torch.dtype) -> Tensor:
    """Return `(M, k, k)` partial sums of the products of k gradients."""
    rows = [_flat(gradient) for gradient in gradients]
    whole = rows[0].numel() // BLOCK * BLOCK
    parts = list(_products_of_blocks([row[:whole] for row in rows], dtype)) if whole else []
    rest = torch.stack([row[whole:] for row in rows] if whole else rows)
    rest = rest.to(torch.promote_types(rest.dtype, dtype))
    return torch.cat([*parts, (rest @ rest.T)[None]])


def _products_of_blocks(rows: Sequence[Tensor], dtype: torch.dtype) -> Iterator[Tensor]:
    """Yield `(m, k, k)` products of k rows, m blocks at a time."""
    # A CPU keeps few blocks in its cache, which halves the cost; elsewhere many keep the number of kernels small.
    at_a_time = 16 if rows[0].device.type == "cpu" else 1024
    # Memory that is taken anew for each of them would cost more than the products.
    size = min(at_a_time, rows[0].numel() // BLOCK), len(rows), BLOCK
    scratch = rows[0].new_empty(size, dtype=torch.promote_types(rows[0].dtype, dtype))
    for blocks in zip(*(torch.split(row.view(-1, BLOCK), at_a_time) for row in rows), strict=True):
        side_by_side = torch.stack(blocks, dim=1, out=scratch[: len(blocks[0])])
        yield torch.bmm(side_by_side, side_by_side.mT)


def _flat(gradient: Tensor) -> Tensor:
    dense = gradient.to_dense() if gradient.layout != torch.strided else gradient
    real = torch.view_as_real(dense.resolve_conj()) if dense.is_complex() else dense
    return real.reshape(-1)


def _leaves_float32(column: Column, squares: Sequence[float]) -> bool:
    """Whether the square of a gradient is so small or large that float32 products cannot be trusted."""
    size = max(column.gradients[0].numel(), 1)
    return not all(SAFE_MEAN_SQUARE <= squares[k] / size < math.inf for k in column.components)
