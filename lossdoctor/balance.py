"""Norms, shares and cosines out of Gramians: the arithmetic of `L = Σ wᵢ·Lᵢ`.

With `G[i][j] = ⟨∇Lᵢ, ∇Lⱼ⟩` of the unweighted components,

    ‖∇Lᵢ‖ = √Gᵢᵢ      cos(i, j) = Gᵢⱼ / √(Gᵢᵢ·Gⱼⱼ)      ‖∇ΣwᵢLᵢ‖ = √(wᵀGw)

so one measurement answers for any weights, exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from .facts.gradients import Block, Matrix, ObjectiveGradients
from .records import ComponentReport, Cosine, ObjectiveReport, Spread

Number = float | None


def summarize(objective: ObjectiveGradients, weights: Sequence[float] | None = None) -> ObjectiveReport:
    """Return the table of one objective, for its own weights or for others.

    Values, norms and cosines are means over the batches in which a component was present. Shares are shares of those
    means, the gradient share over the parameters that at least two components reach. What is not finite is None.
    """
    w = objective.weights if weights is None else tuple(weights)
    size = range(len(w))
    everywhere = _gramians(objective, objective.blocks)
    totals = [total_norm(G, w) for G in everywhere]
    values = [[batch[k] for batch in objective.values] for k in size]
    norms = [_norms(objective, everywhere, k) for k in size]
    value_means, norm_means = [_mean(column) for column in values], [_mean(column) for column in norms]
    value_shares = _shares([_weighted(value, weight) for value, weight in zip(value_means, w, strict=True)])
    grad_shares = _shares([_weighted(norm, weight) for norm, weight in zip(_shared_norms(objective), w, strict=True)])
    components = tuple(
        ComponentReport(
            name=objective.components[k],
            weight=w[k],
            role=objective.roles[k],
            value=value_means[k],
            weighted_value=_weighted(value_means[k], w[k]),
            value_share=value_shares[k],
            grad_norm=norm_means[k],
            weighted_grad_norm=_weighted(norm_means[k], abs(w[k])),
            grad_share=grad_shares[k],
            output_grad_norm=_mean([batch[k] for batch in objective.output_grad_norms]),
            cosine_to_total=_mean(
                [_cosine_to_total(G, norm, w, k) for G, norm in zip(everywhere, totals, strict=True)]
            ),
            spread=Spread(_relative_deviation(values[k]), _relative_deviation(norms[k])),
            attached=objective.attached[k],
            finite=value_means[k] is not None and norm_means[k] is not None,
        )
        for k in size
    )
    return ObjectiveReport(
        name=objective.name,
        value=_mean([_total(batch, w) for batch in objective.values]),
        grad_norm=_mean(totals),
        components=components,
        cosines=tuple(
            Cosine(objective.components[i], objective.components[j], _mean([cosine(G, i, j) for G in everywhere]))
            for i in size
            for j in size
            if i < j
        ),
    )


def total_norm(gramian: Matrix, weights: Sequence[float]) -> float:
    """Return ‖∇ΣwᵢLᵢ‖ = √(wᵀGw); NaN where a component that has a weight is not finite."""
    used = [k for k, weight in enumerate(weights) if weight != 0]
    square = sum(weights[i] * gramian[i][j] * weights[j] for i in used for j in used)
    return square if math.isnan(square) else math.sqrt(max(square, 0.0))


def cosine(gramian: Matrix, i: int, j: int) -> Number:
    """Return cos(∇Lᵢ, ∇Lⱼ); None where one of them is zero or not finite."""
    scale = _root(gramian[i][i]) * _root(gramian[j][j])
    return max(-1.0, min(1.0, gramian[i][j] / scale)) if 0 < scale < math.inf else None


def block_norms(objective: ObjectiveGradients, block: Block) -> list[Number]:
    """Return the mean gradient norm of every component over one block."""
    gramians = _gramians(objective, (block,))
    return [_mean(_norms(objective, gramians, k)) for k in range(len(objective.components))]


def value_ratios(objective: ObjectiveGradients, a: int, b: int) -> list[float]:
    """Return `value_a / value_b` of every batch that has both and in which the second is not zero."""
    pairs = [(batch[a], batch[b]) for batch in objective.values]
    return [first / second for first, second in pairs if first is not None and second]


def _gramians(objective: ObjectiveGradients, blocks: Iterable[Block]) -> list[Matrix]:
    """Return the Gramian of every batch over some blocks."""
    chosen, size = tuple(blocks), range(len(objective.components))
    if len(chosen) == 1:
        return list(chosen[0].gramians)
    return [
        tuple(tuple(sum(block.gramians[batch][i][j] for block in chosen) for j in size) for i in size)
        for batch in range(len(objective.values))
    ]


def _norms(objective: ObjectiveGradients, gramians: Sequence[Matrix], k: int) -> list[Number]:
    """Return ‖∇Lₖ‖ of every batch, None where the batch did not have the component."""
    return [None if values[k] is None else _root(G[k][k]) for values, G in zip(objective.values, gramians, strict=True)]


def _shared_norms(objective: ObjectiveGradients) -> list[Number]:
    """Return mean norms over the shared parameters, None for a component that reaches none of them."""
    shared = [block for block in objective.blocks if block.shared]
    gramians = _gramians(objective, shared)
    return [
        _mean(_norms(objective, gramians, k)) if any(block.reached_by[k] for block in shared) else None
        for k in range(len(objective.components))
    ]


def _shares(amounts: Sequence[Number]) -> list[Number]:
    """Return every amount's part of the sum of all."""
    total = sum(abs(amount) for amount in amounts if amount is not None)
    return [None if amount is None or total == 0 else abs(amount) / total for amount in amounts]


def _cosine_to_total(gramian: Matrix, total: float, weights: Sequence[float], k: int) -> Number:
    """Return cos(wₖ∇Lₖ, ∇ΣwᵢLᵢ), negative where the total moves against what the component asks for."""
    if weights[k] == 0:
        return None
    own = abs(weights[k]) * _root(gramian[k][k])
    product = weights[k] * sum(weight * gramian[k][j] for j, weight in enumerate(weights) if weight != 0)
    scale = total * own
    return max(-1.0, min(1.0, product / scale)) if 0 < scale < math.inf else None


def _total(values: Sequence[Number], weights: Sequence[float]) -> float:
    return sum(weight * value for weight, value in zip(weights, values, strict=True) if value is not None and weight)


def _weighted(amount: Number, weight: float) -> Number:
    return None if amount is None else weight * amount


def _mean(column: Sequence[Number]) -> Number:
    """Return the mean of what is present, None where nothing is or something is not finite."""
    present = [entry for entry in column if entry is not None]
    if not present or not all(map(math.isfinite, present)):
        return None
    return sum(present) / len(present)


def _relative_deviation(column: Sequence[Number]) -> Number:
    """Return the standard deviation over |mean|; None for fewer than two batches or a mean of zero."""
    present = [entry for entry in column if entry is not None]
    mean = _mean(column)
    if mean is None or mean == 0 or len(present) < 2:
        return None
    variance = sum((entry - mean) ** 2 for entry in present) / (len(present) - 1)
    return math.sqrt(variance) / abs(mean)


def _root(square: float) -> float:
    return math.sqrt(square) if square >= 0 else math.nan
