"""Components that are the same linear combination of others in every batch, as a total beside its parts is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

    from ..facts.gradients import ObjectiveGradients

#: What may be left of a squared gradient norm, relative to it, when the combination is taken away: the products of
#: float32 gradients are exact to 4e-6.
LEFTOVER = 1e-5

#: Least eigenvalue of the correlations of the parts. Below it their gradients hardly differ: then many combinations
#: would do, and that one of them does says nothing.
DISTINCT = 1e-3

#: A part that contributes less than this much of the gradient of the whole does not count as a part of it.
LEAST_PART = 1e-2


class LinearRelation(NamedTuple):
    """One component is Σ coefficient · part, in value and in gradient. Components by their index."""

    whole: int
    parts: tuple[int, ...]  #: at least two
    coefficients: tuple[float, ...]


def linear_relation(gradients: ObjectiveGradients, among: Sequence[int], tolerance: float) -> LinearRelation | None:
    """Return which component, among some, is a fixed linear combination of at least two others; None without one.

    The coefficients are fitted to the gradients of all batches but one, and have to hold in that one, for the gradients
    and, within a relative `tolerance`, for the values; each batch is left out once. So where gradients are always
    combinations of each other, because there are few parameters or the output is a number or two, nothing is found:
    either the fit is not unique, or the next batch wants other coefficients. Batches that are all the same prove
    nothing.

    The relation can be solved for each of its components. The whole is the one with positive coefficients; of several,
    or without one, the one with the longest gradient.
    """
    import numpy as np  # loads longer than a rule may take to be explained

    values = np.array([[math.nan if batch[k] is None else batch[k] for k in among] for batch in gradients.values])
    G = sum(np.array(block.gramians)[:, among][:, :, among] for block in gradients.blocks)
    if len(among) < 3 or len(values) < 2 or not np.isfinite(values).all() or not np.isfinite(G).all():
        return None
    norms = np.einsum("bkk->bk", G)
    if not norms.all() or np.allclose(values, values[0], rtol=10 * tolerance):
        return None
    G = G / norms.sum(1)[:, None, None]  # every batch counts alike
    found = [relation for whole in range(len(among)) if (relation := _solved_for(whole, G, values, tolerance))]
    if not found:
        return None
    best = max(found, key=lambda relation: (min(relation.coefficients) > 0, norms[:, relation.whole].sum()))
    return LinearRelation(among[best.whole], tuple(among[k] for k in best.parts), best.coefficients)


def _solved_for(whole: int, G: np.ndarray, values: np.ndarray, tolerance: float) -> LinearRelation | None:
    """Return the whole as a combination of the others; None where it is none, or where only one of them matters."""
    import numpy as np

    parts = [k for k in range(G.shape[1]) if k != whole]
    for batch in range(len(G)):
        c = _fit(whole, parts, np.delete(G, batch, axis=0).sum(0))
        if c is None or not _holds(whole, parts, c, G[batch], values[batch], tolerance):
            return None
    joint = G.sum(0)
    c = _fit(whole, parts, joint)
    if c is None:
        return None
    contributions = np.abs(c) * np.sqrt(joint.diagonal()[parts] / joint[whole, whole])
    kept = [position for position, contribution in enumerate(contributions) if contribution >= LEAST_PART]
    if len(kept) < 2:
        return None
    return LinearRelation(
        whole, tuple(parts[position] for position in kept), tuple(float(c[position]) for position in kept)
    )


def _fit(whole: int, parts: Sequence[int], G: np.ndarray) -> np.ndarray | None:
    """Return the coefficients that bring the parts' gradients closest to the whole's; None where several would do."""
    import numpy as np

    norms = np.sqrt(G.diagonal()[parts])
    correlations = G[np.ix_(parts, parts)] / np.outer(norms, norms)
    if np.linalg.eigvalsh(correlations)[0] < DISTINCT:
        return None
    c: np.ndarray = np.linalg.solve(correlations, G[parts, whole] / norms) / norms
    return c


def _holds(
    whole: int, parts: Sequence[int], c: np.ndarray, G: np.ndarray, values: np.ndarray, tolerance: float
) -> bool:
    """Whether coefficients that were found elsewhere hold in a batch."""
    import numpy as np

    leftover = G[whole, whole] - 2 * c @ G[parts, whole] + c @ G[np.ix_(parts, parts)] @ c
    terms = c * values[parts]
    scale = max(abs(values[whole]), np.abs(terms).max())
    return bool(leftover <= LEFTOVER * G[whole, whole] and abs(values[whole] - terms.sum()) <= tolerance * scale)
