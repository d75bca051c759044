"""The gradient of every component: the heart of lossdoctor.

Costs one forward and K backwards per batch, K the number of components, and one backward more on the first batch to check
that the parts add up to the whole. Holds K gradients at a time.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import LossDoctorError
from ..records import Block, Matrix, ObjectiveGradients
from ..setup.build import Setup
from ..setup.loss import Losses
from ..setup.user_code import blaming
from .autograd_graph import leaves
from .gramian import Gradients, gramians
from .ownership import Parameters, parameters_of_objectives, top_level_modules
from .tensors import tensors_in

#: Where the square of a float32 gradient norm is below this, its smallest terms are lost (float32 ends at 1e-38), and where
#: it overflows, all of it: then the products are taken again in float64.
FLOAT32_SAFE_SQUARE = 1e-24

#: What fp16 losses are multiplied by before they are differentiated so that small gradients survive, as GradScaler does; the
#: next one is tried where the gradient overflows.
FP16_SCALES = (2.0**16, 2.0**8, 1.0)


@dataclass(frozen=True)
class BatchGradients:
    """What one batch gave for one objective."""

    values: Mapping[str, float]
    differentiated: tuple[str, ...]  #: the components that have a gradient, in the order of the Gramians
    gramians: Tensor  #: (P, K, K) float64 on the host
    reached: tuple[frozenset[int], ...]  #: for each of them the parameters with a gradient path
    output_norms: tuple[float | None, ...]  #: for each of them
    attached: frozenset[str]
    additivity_error: float | None = None


def measure_gradients(
    setup: Setup, *, check_additivity: bool = True, on_batch: Callable[[], None] = lambda: None
) -> tuple[ObjectiveGradients, ...]:
    """Measure the gradients of all components of all objectives, on every batch.

    Raises LossDoctorError where the parameters of an objective are ambiguous, or where a backward fails.
    """
    batches: dict[str, list[BatchGradients]] = {}
    parameters: dict[str, Parameters] = {}
    for index in range(len(setup.batches)):
        losses = setup.evaluate(index)
        parameters = parameters or parameters_of_objectives(setup, losses)
        for name, batch in measure_batch(setup, losses, parameters, check_additivity=check_additivity and index == 0):
            batches.setdefault(name, []).append(batch)
        on_batch()
    return tuple(as_facts(setup, name, parameters[name], measured) for name, measured in batches.items())


def measure_batch(
    setup: Setup,
    losses: Losses,
    parameters: Mapping[str, Parameters],
    *,
    check_additivity: bool = False,
    keep_graph: bool = False,
) -> Iterator[tuple[str, BatchGradients]]:
    """Yield what one evaluated batch gives for every objective. The last backward frees the graph unless `keep_graph`."""
    outputs = [tensor for tensor in tensors_in(losses.output).values() if tensor.requires_grad]
    *_, last = losses.objectives
    for name, components in losses.objectives.items():
        if name not in parameters:
            message = f"objective {name!r} appears in some batches only"
            raise LossDoctorError(message, "Return the same objectives for every batch.")
        inputs = [*parameters[name].measured.values(), *outputs]
        differentiable = {key: scalar for key, scalar in components.items() if scalar.requires_grad}
        scalars = list(differentiable.items())
        if check_additivity and scalars:
            total = torch.stack([_weight(setup, name, key) * scalar.float() for key, scalar in scalars]).sum()
            scalars.append((f"the total of {name}", total))
        keep = [keep_graph or name != last or position < len(scalars) - 1 for position in range(len(scalars))]
        rows = [
            _gradient(scalar, inputs, label, setup.precision, keep_graph=kept)
            for (label, scalar), kept in zip(scalars, keep, strict=True)
        ]
        yield name, _reduce(setup, name, components, tuple(differentiable), rows, parameters[name])


def _gradient(scalar: Tensor, inputs: Sequence[Tensor], label: str, precision: str, *, keep_graph: bool) -> Gradients:
    """Return d scalar / d input for every input, None where there is no path.

    A gradient of exact zeros and no gradient at all are different faults, so nothing is materialised.
    """
    if not inputs:
        return []
    with blaming(f"differentiating {label}"):
        if precision != "fp16":
            return torch.autograd.grad(scalar, inputs, retain_graph=keep_graph, allow_unused=True)
        for scale in FP16_SCALES:
            seed = torch.full_like(scalar, scale)
            scaled = torch.autograd.grad(scalar, inputs, seed, retain_graph=True, allow_unused=True)
            gradients = [None if gradient is None else gradient / scale for gradient in scaled]
            if all(bool(gradient.isfinite().all()) for gradient in gradients if gradient is not None):
                break
        return gradients


def _reduce(
    setup: Setup,
    objective: str,
    components: Mapping[str, Tensor],
    differentiated: tuple[str, ...],
    rows: Sequence[Gradients],
    parameters: Parameters,
) -> BatchGradients:
    """Turn the gradients of a batch into numbers; the last row may be that of the weighted total.

    The values and all inner products are moved to the host together: one synchronisation.
    """
    values = torch.stack([scalar.detach() for scalar in components.values()])
    sums, owners = gramians(rows)
    host = torch.cat([values.to(sums).flatten(), sums.flatten()]).cpu() if rows else values.cpu()
    host_values, host_sums = host[: len(components)], host[len(components) :].view(-1, len(rows), len(rows))
    inputs = len(rows[0]) if rows else 0
    products = _add_up(host_sums, owners, inputs)
    if _unsafe(products):
        sums, owners = gramians([[None if g is None else g.cpu() for g in row] for row in rows], torch.float64)
        products = _add_up(sums, owners, inputs)
    count, k = len(parameters.measured), len(differentiated)
    reached = tuple(frozenset(p for p in range(count) if row[p] is not None) for row in rows[:k])
    outputs = products[count:].sum(0).diagonal().sqrt().tolist()
    uses_output = [any(gradient is not None for gradient in row[count:]) for row in rows[:k]]
    return BatchGradients(
        values=dict(zip(components, host_values.tolist(), strict=True)),
        differentiated=differentiated,
        gramians=products[:count, :k, :k],
        reached=reached,
        output_norms=tuple(norm if used else None for norm, used in zip(outputs[:k], uses_output, strict=True)),
        attached=frozenset(
            name
            for name, indices in zip(differentiated, reached, strict=True)
            if indices or leaves(components[name]) & parameters.trained
        ),
        additivity_error=(
            _additivity_error(products[:count].sum(0), [_weight(setup, objective, name) for name in differentiated])
            if len(rows) > k
            else None
        ),
    )


def _add_up(sums: Tensor, owners: Tensor, inputs: int) -> Tensor:
    """Return `(inputs, K, K)` Gramians in float64 out of the partial sums of each input."""
    size = sums.shape[-1]
    return torch.zeros(inputs, size, size, dtype=torch.float64).index_add_(0, owners, sums.double())


def _unsafe(products: Tensor) -> bool:
    """Whether a squared norm is so small or large that float32 products cannot be trusted."""
    squares = products.sum(0).diagonal()
    return bool(((squares < FLOAT32_SAFE_SQUARE) | ~squares.isfinite()).any())


def _additivity_error(G: Tensor, weights: Sequence[float]) -> float | None:
    """Return how far the norm of one real backward of the total is from √(wᵀGw), relative to Σ|wᵢ|‖∇Lᵢ‖."""
    w = torch.tensor(weights, dtype=torch.float64)
    parts, real = G[:-1, :-1], G[-1, -1].sqrt()
    scale = (w.abs() * parts.diagonal().sqrt()).sum()
    error = float((real - (w @ parts @ w).clamp(min=0).sqrt()).abs() / scale)
    return error if math.isfinite(error) else None


def _weight(setup: Setup, objective: str, component: str) -> float:
    weight = setup.weight(objective, component)
    return 1.0 if weight is None else weight


def as_facts(
    setup: Setup, objective: str, parameters: Parameters, batches: Sequence[BatchGradients]
) -> ObjectiveGradients:
    """Join the batches of one objective. A component that some batches did not return is None in those."""
    names = tuple(dict.fromkeys(name for batch in batches for name in batch.values))
    outputs = [dict(zip(batch.differentiated, batch.output_norms, strict=True)) for batch in batches]
    return ObjectiveGradients(
        name=objective,
        components=names,
        weights=tuple(_weight(setup, objective, name) for name in names),
        declared=tuple(setup.weight(objective, name) is not None for name in names),
        roles=tuple(setup.role(objective, name) for name in names),
        attached=tuple(any(name in batch.attached for batch in batches) for name in names),
        values=tuple(tuple(batch.values.get(name) for name in names) for batch in batches),
        output_grad_norms=tuple(tuple(norms.get(name) for name in names) for norms in outputs),
        blocks=tuple(_blocks(setup, parameters, names, batches)),
        additivity_error=batches[0].additivity_error,
    )


def _blocks(
    setup: Setup, parameters: Parameters, names: Sequence[str], batches: Sequence[BatchGradients]
) -> Iterator[Block]:
    """Yield the parameters of every top-level module, grouped by the components that reach them in any batch."""
    modules = top_level_modules(setup.model)
    groups: dict[tuple[str, tuple[bool, ...]], list[int]] = {}
    for p, name in enumerate(parameters.measured):
        reached = {
            component
            for batch in batches
            for component, indices in zip(batch.differentiated, batch.reached, strict=True)
            if p in indices
        }
        if reached:
            groups.setdefault((modules[name], tuple(name in reached for name in names)), []).append(p)
    sizes = [parameter.numel() for parameter in parameters.measured.values()]
    for (module, reached_by), indices in groups.items():
        yield Block(
            name=module,
            reached_by=reached_by,
            parameters=sum(sizes[p] for p in indices),
            gramians=tuple(_embedded(batch, indices, names) for batch in batches),
        )


def _embedded(batch: BatchGradients, indices: Sequence[int], names: Sequence[str]) -> Matrix:
    """Return a batch's Gramian over some parameters, with zeros for the components that it did not differentiate."""
    G = torch.zeros(len(names), len(names), dtype=torch.float64)
    rows = torch.tensor([names.index(name) for name in batch.differentiated], dtype=torch.long)
    G[rows[:, None], rows[None, :]] = batch.gramians[list(indices)].sum(0)
    return tuple(map(tuple, G.tolist()))
