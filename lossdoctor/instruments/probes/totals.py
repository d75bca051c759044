"""What is really backpropagated, taken apart into the components it should be made of.

∇total = Σ cᵢ·∇Lᵢ + rest, with the effective coefficients c by least squares: G c = b with the Gramian
Gᵢⱼ = ⟨∇Lᵢ, ∇Lⱼ⟩ and bᵢ = ⟨∇Lᵢ, ∇total⟩. Costs, on the first batch, the forward and the backwards of the gradient
instrument, a forward and a backward of the total, and, where the total takes weights, a forward for each of them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ...facts.probes import JointCoefficient, Total, TotalComponent
from ...setup.build import Setup
from ..gradients import gradient_of
from ..gramian import gramians
from ..ownership import trainable
from .replay import NotApplicableError, Replay

#: How far ∇total is from Σ cᵢ·∇Lᵢ by rounding, in parts of its norm, in epsilons.
ROUNDING = 10

#: Error of a coefficient, in parts of the weight, from which it cannot be told.
UNCERTAIN = 0.1

#: Growth with a weight, in parts of what there should be, that is rounding.
NO_RESPONSE = 1e-3

EPSILONS = {"fp32": torch.finfo(torch.float32).eps, "bf16": torch.finfo(torch.bfloat16).eps, "fp16": 2.0**-10}

Weights = dict[str, dict[str, float]]  #: by objective and component


def probe_totals(replay: Replay) -> tuple[Total, ...]:
    """Return the effective coefficient of every component in what is backpropagated.

    Raises NotApplicableError where the setup names no total, or where it draws other random numbers than the loss.
    """
    setup = replay.setup
    if setup.total is None:
        message = "needs loss.total, the function that gives what is backpropagated"
        raise NotApplicableError(message)
    losses = setup.evaluate(replay.index)
    drawn = torch.get_rng_state()
    weights = {
        objective: {name: _weight(setup, objective, name) for name in group}
        for objective, group in losses.objectives.items()
    }
    totals = _evaluate(replay, weights)
    if unknown := totals.keys() ^ losses.objectives.keys():
        message = f"loss.total and the loss do not give the same objectives: {', '.join(sorted(unknown))}"
        raise NotApplicableError(message)
    if not torch.equal(drawn, torch.get_rng_state()):
        message = "loss.total draws other random numbers than the loss, so that their gradients cannot be compared"
        raise NotApplicableError(message)
    return tuple(
        _taken_apart(replay, objective, components, totals[objective], weights)
        for objective, components in losses.objectives.items()
    )


def _weight(setup: Setup, objective: str, name: str) -> float:
    weight = setup.weight(objective, name)
    return 1.0 if weight is None else weight


def _evaluate(replay: Replay, weights: Weights) -> dict[str, Tensor]:
    """Run the total. Weights of a single objective are told by component, as they are written."""
    given: Mapping[str, Any] = weights["total"] if weights.keys() == {"total"} else weights
    return replay.setup.evaluate_total(replay.index, {**given})


def _taken_apart(
    replay: Replay, objective: str, components: Mapping[str, Tensor], total: Tensor, weights: Weights
) -> Total:
    if not total.requires_grad:
        message = "what loss.total returns has no gradient"
        raise NotApplicableError(message)
    names, expected = list(components), list(weights[objective].values())
    products = _products(replay.setup, {**components, "the total": total})
    noise = ROUNDING * EPSILONS[replay.setup.precision]
    effective, errors, residual = coefficients(products, noise)
    told = [
        error <= UNCERTAIN * max(abs(weight), abs(value))
        for weight, value, error in zip(expected, effective.tolist(), errors.tolist(), strict=True)
    ]
    moving = (products.diagonal()[:-1] > 0).tolist()
    responses = _responses(replay, objective, components, total, weights)
    switches = _switches(replay, objective, total, weights, [n for n, r in responses.items() if abs(r) < NO_RESPONSE])
    return Total(
        objective,
        tuple(
            TotalComponent(
                name, expected[k], float(effective[k]) if told[k] else None, responses.get(name), name in switches
            )
            for k, name in enumerate(names)
        ),
        residual,
        _joint(products, expected, names, [k for k in range(len(names)) if moving[k] and not told[k]], noise),
    )


def _products(setup: Setup, scalars: Mapping[str, Tensor]) -> Tensor:
    """Return the Gramian of all gradients, over every parameter that is trained; zeros where there is none."""
    attached = [k for k, scalar in enumerate(scalars.values()) if scalar.requires_grad]
    parameters = list(trainable(setup.model).values())
    rows = [
        gradient_of(scalar, parameters, label, setup.precision, keep_graph=True)
        for label, scalar in scalars.items()
        if scalar.requires_grad
    ]
    # Products in float32 would be too coarse to tell gradients apart that are much alike.
    exact = [
        [None if g is None else g.to("cpu").to(torch.promote_types(g.dtype, torch.float64)) for g in row]
        for row in rows
    ]
    G = torch.zeros(len(scalars), len(scalars), dtype=torch.float64)
    index = torch.tensor(attached)
    G[index[:, None], index] = gramians(exact, torch.zeros(0))[0].sum(0)
    return G


def _exact(gradient: Tensor) -> Tensor:
    return gradient.to("cpu").to(torch.promote_types(gradient.dtype, torch.float64))


def coefficients(products: Tensor, noise: float) -> tuple[Tensor, Tensor, float]:
    """Return the coefficients of the total, their errors, and the norm of what is left over in parts of the total's.

    `products` (K + 1, K + 1) is the Gramian of the K components and, last, the total; `noise` is the relative error of
    ∇total. A direction that the gradients of the components hardly span makes the error of those it concerns large.
    """
    scale = products.diagonal().sqrt()
    unit = torch.where(scale > 0, 1 / scale, 0)
    C = unit[:, None] * products * unit  # cosines: small components are told apart as well as large ones
    values, vectors = torch.linalg.eigh(C[:-1, :-1])
    along = vectors.T @ C[:-1, -1]
    solution = vectors @ torch.where(values > noise**2, along / values, 0)
    squared = 1 - 2 * solution @ C[:-1, -1] + solution @ C[:-1, :-1] @ solution
    errors = (vectors**2 @ (noise**2 / values.clamp(min=noise**2))).sqrt()
    factor = scale[-1] * unit[:-1]
    return solution * factor, errors * factor, float(squared.clamp(min=0).sqrt())


def _joint(
    products: Tensor, weights: Sequence[float], names: Sequence[str], together: Sequence[int], noise: float
) -> JointCoefficient | None:
    """Return what components contribute together that cannot be told apart, as if their weighted sum were one."""
    if not together or not any(weights[k] for k in together):
        return None
    apart = [k for k in range(len(weights)) if k not in together]
    columns = torch.zeros(len(products), len(apart) + 2, dtype=torch.float64)
    for column, k in enumerate(apart):
        columns[k, column] = 1
    for k in together:
        columns[k, -2] = weights[k]
    columns[-1, -1] = 1
    effective, errors, _ = coefficients(columns.T @ products @ columns, noise)
    if errors[-1] > UNCERTAIN:
        return None
    return JointCoefficient(tuple(names[k] for k in together), float(effective[-1]))


def _responses(
    replay: Replay, objective: str, components: Mapping[str, Tensor], total: Tensor, weights: Weights
) -> dict[str, float]:
    """Return by how much the total grows with the weight of every component, in parts of what it should.

    A weight is doubled, or raised until the change has the size of the total: a small one would be lost in rounding.
    """
    before = float(total.detach())
    if replay.setup.total is None or not replay.setup.total.takes_weights or not math.isfinite(before):
        return {}
    responses = {}
    for name, scalar in components.items():
        value, weight = float(scalar.detach()), weights[objective][name]
        if weight * value and math.isfinite(value):
            growth = weight * max(1.0, abs(before / (weight * value)))
            raised = {**weights, objective: {**weights[objective], name: weight + growth}}
            responses[name] = (float(_evaluate(replay, raised)[objective].detach()) - before) / (growth * value)
    return responses


def _switches(replay: Replay, objective: str, total: Tensor, weights: Weights, names: Sequence[str]) -> set[str]:
    """Return the components that are left out of the total where their weight is 0."""
    before = float(total.detach())
    without = {
        name: _evaluate(replay, {**weights, objective: {**weights[objective], name: 0.0}})[objective] for name in names
    }
    return {name for name, scalar in without.items() if float(scalar.detach()) != before}
