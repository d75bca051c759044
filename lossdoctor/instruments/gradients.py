"""The gradient of every component: the heart of lossdoctor.

Costs one forward and K backwards per batch, K the number of components, and one backward more on the first batch to
check that the parts add up to the whole. Holds K gradients at a time, of one segment of the graph where it can be cut.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.autograd.graph import GradientEdge

from ..errors import LossDoctorError
from ..facts.gradients import Block, Matrix, ObjectiveGradients
from ..setup.build import Setup
from ..setup.device import plain_float32
from ..setup.loss import Losses, as_vector
from ..setup.user_code import blaming
from .autograd_graph import ancestors, leaf_tensors, leaves
from .compact import Compact, compact
from .gramian import Gradients, gramians
from .ownership import Parameters, parameters_of_objectives, top_level_modules
from .segments import Start, segments, whole
from .tensors import tensors_in

#: What fp16 losses are multiplied by before they are differentiated so that small gradients survive, as in GradScaler;
#: the next one is tried where the gradient overflows.
FP16_SCALES = (2.0**16, 2.0**8, 1.0)

#: How much of a gradient is kept to compare batches by: elements of so many parameters, the largest.
SAMPLED_PARAMETERS, SAMPLED_ELEMENTS = 8, 2048

#: What torch's errors during a backward mean, by words of their text: what is wrong, and what to do.
_BACKWARD_ERRORS = {
    "backward through the graph a second time": (
        "its graph cannot be used a second time, something has called backward() on it already",
        "Hand over the unweighted scalars before any backward(): a loss.step returns them and leaves backward() and "
        "optimizer.step() out; in a loop of your own, measure between forward and backward. A gradient that is part of "
        "a loss, such as a penalty on it, needs torch.autograd.grad(…, create_graph=True).",
    ),
    "modified by an inplace operation": (
        "a tensor that the backward needs has been changed in place since",
        "Leave optimizer.step() out of loss.step, or measure before it. If there is none, look for an operation such "
        "as `x += y` or `relu_` on what the forward still needs.",
    ),
    "donated buffer": (
        "code compiled by torch.compile frees its buffers in the first backward, but every component needs one",
        "Set torch._functorch.config.donated_buffer = False before compiling, or measure without torch.compile.",
    ),
}


@dataclass(frozen=True)
class Products:
    """What the gradients of some scalars with respect to some inputs gave."""

    gramians: Tensor  #: (inputs, scalars, scalars) float64 on the host
    reached: tuple[frozenset[int], ...]  #: for each scalar the inputs that it has a gradient path to
    values: Tensor  #: of the components
    samples: tuple[Tensor, ...]  #: for each scalar a part of its gradient, still on the device


@dataclass(frozen=True)
class BatchGradients:
    """What one batch gave for one objective."""

    values: Mapping[str, float]
    differentiated: tuple[str, ...]  #: the components that have a gradient, in the order of the Gramians
    gramians: Tensor  #: (P, K, K) float64 on the host
    reached: tuple[frozenset[int], ...]  #: for each of them the parameters with a gradient path
    output_norms: tuple[float | None, ...]  #: for each of them
    output_gramian: Tensor  #: (K, K) float64 on the host
    attached: frozenset[str]
    trains_elsewhere: frozenset[str]
    samples: Mapping[str, Tensor]  #: a part of every gradient, still on the device
    additivity_error: float | None = None


def measure_gradients(setup: Setup, *, check_additivity: bool = True) -> tuple[ObjectiveGradients, ...]:
    """Measure the gradients of all components of all objectives, on every batch.

    Raises LossDoctorError where the parameters of an objective are ambiguous, or where a backward fails.
    """
    observer = GradientObserver(setup, check_additivity=check_additivity)
    for index in range(len(setup.batches)):
        observer.observe(setup.evaluate(index))
    return observer.facts()


class GradientObserver:
    """Collects the gradients of every batch and joins them.

    `keep_graph` leaves the graph for a backward of somebody else's; otherwise the last backward frees it.
    """

    def __init__(self, setup: Setup, *, check_additivity: bool = True, keep_graph: bool = False) -> None:
        self._setup = setup
        self._check_additivity = check_additivity
        self._keep_graph = keep_graph
        self._parameters: dict[str, Parameters] = {}
        self._batches: dict[str, list[BatchGradients]] = {}

    def observe(self, losses: Losses) -> None:
        """Take the gradients of one evaluated batch; the parts are checked against the whole on the first."""
        check = self._check_additivity and not self._batches
        if not self._parameters:
            _refuse_hidden_parameters(losses)
            self._parameters = parameters_of_objectives(self._setup, losses)
        measured = _measure_batch(
            self._setup, losses, self._parameters, check_additivity=check, keep_graph=self._keep_graph
        )
        for name, batch in measured:
            self._batches.setdefault(name, []).append(batch)

    def facts(self) -> tuple[ObjectiveGradients, ...]:
        """Return what was measured, objective by objective."""
        return tuple(
            _as_facts(self._setup, name, self._parameters[name], batches) for name, batches in self._batches.items()
        )


def _refuse_hidden_parameters(losses: Losses) -> None:
    """Raise LossDoctorError where operations are missing from the graph, so that parameters would seem unreached."""
    scalars = (scalar for components in losses.objectives.values() for scalar in components.values())
    if any(node.name() == "CheckpointFunctionBackward" for node in ancestors(scalars)):
        message = "the model uses reentrant activation checkpointing, which hides its parameters from any measurement"
        raise LossDoctorError(
            message,
            "Call torch.utils.checkpoint.checkpoint with use_reentrant=False, which is what PyTorch recommends.",
        )


def _measure_batch(
    setup: Setup,
    losses: Losses,
    parameters: Mapping[str, Parameters],
    *,
    check_additivity: bool,
    keep_graph: bool,
) -> Iterator[tuple[str, BatchGradients]]:
    """Yield what one evaluated batch gives for every objective; the last backward frees the graph, or keeps it."""
    # A scalar among the outputs is a loss that the model has computed itself: no component is a function of it.
    outputs = [tensor for tensor in tensors_in(losses.output).values() if tensor.requires_grad and tensor.dim()]
    *_, last = losses.objectives
    for name, components in losses.objectives.items():
        if name not in parameters:
            message = f"objective {name!r} appears in some batches only"
            raise LossDoctorError(message, "Return the same objectives for every batch.")
        inputs = [*parameters[name].measured.values(), *outputs]
        differentiable = {key: scalar for key, scalar in components.items() if scalar.requires_grad}
        scalars = list(differentiable.items())
        if check_additivity and scalars:
            scalars.append((f"the total of {name}", _total(setup, name, differentiable)))
        keep = [keep_graph or name != last or position < len(scalars) - 1 for position in range(len(scalars))]
        values, sampled = as_vector(components).detach(), _largest(list(parameters[name].measured.values()))
        products = _products(scalars, inputs, setup.precision, keep, values, sampled)
        yield name, _reduce(setup, name, components, tuple(differentiable), products, parameters[name])


def _products(
    scalars: Sequence[tuple[str, Tensor]],
    inputs: Sequence[Tensor],
    precision: str,
    keep: Sequence[bool],
    values: Tensor,
    sampled: Sequence[int],
) -> Products:
    """Return what the gradients of scalars give, each with a label and whether its backward keeps the graph."""
    G = torch.zeros(len(inputs), len(scalars), len(scalars), dtype=torch.float64)
    reached: list[set[int]] = [set() for _ in scalars]
    samples: list[dict[int, Tensor]] = [{} for _ in scalars]
    small = {} if precision == "fp16" else compact([scalar for _, scalar in scalars], inputs)
    wanted = [small[i].edge if i in small else tensor for i, tensor in enumerate(inputs)]
    for indices, rows in _by_segment(scalars, wanted, precision, keep):
        for k, row in enumerate(rows):
            given = {i: gradient for i, gradient in zip(indices, row, strict=True) if gradient is not None}
            reached[k].update(given)
            samples[k].update({i: _sample(given.get(i), inputs[i], small.get(i)) for i in sampled if i in indices})
            given.update({i: small[i].coordinates(D) for i, D in given.items() if i in small})
            rows[k] = [given.get(i) for i in indices]
        G[indices], values = gramians(rows, values)
        del rows, row, given  # before those of the next segment, or the next batch, need the memory
    joined = tuple(_joined([seen[i] for i in sampled]) for seen in samples)
    return Products(G, tuple(map(frozenset, reached)), values, joined)


def _by_segment(
    scalars: Sequence[tuple[str, Tensor]],
    inputs: Sequence[Tensor | GradientEdge],
    precision: str,
    keep: Sequence[bool],
) -> Iterator[tuple[list[int], list[Gradients]]]:
    """Yield, for every segment of the graph, which inputs lie in it and the gradients of all scalars by them."""
    tensors = [scalar for _, scalar in scalars]
    # An fp16 gradient is scaled as a whole.
    parts = [whole(tensors, inputs)] if precision == "fp16" else segments(tensors, inputs)
    crossing: list[Tensor | None] = [None] * len(scalars)
    for segment in parts if scalars else ():
        rows: list[Gradients] = []
        for k, (label, scalar) in enumerate(scalars):
            starts = segment.starts(k, scalar, crossing[k])
            gradients = _differentiate(starts, segment.wanted(inputs), label, precision, keep_graph=keep[k])
            rows.append(gradients[: len(segment.inputs)])
            crossing[k] = gradients[-1] if segment.exit else None
        del gradients
        yield list(segment.inputs), rows
        del rows


def _total(setup: Setup, objective: str, components: Mapping[str, Tensor]) -> Tensor:
    """Return what the optimizer would see: Σ wᵢ·Lᵢ."""
    weighted = [
        _weight(setup, objective, name) * scalar
        for name, scalar in zip(components, as_vector(components).unbind(), strict=True)
    ]
    return torch.stack(weighted).sum()


def gradient_of(scalar: Tensor, inputs: Sequence[Tensor], label: str, precision: str, *, keep_graph: bool) -> Gradients:
    """Return d scalar / d input for every input, None where there is no path.

    A gradient of exact zeros and no gradient at all are different faults, so nothing is materialised.
    """
    return _differentiate([(scalar, None)], inputs, label, precision, keep_graph=keep_graph)


def _differentiate(
    starts: Sequence[Start],
    inputs: Sequence[Tensor] | Sequence[GradientEdge],
    label: str,
    precision: str,
    *,
    keep_graph: bool,
) -> Gradients:
    """Return the gradients of a scalar, or of what is to be passed on from the edges that it starts at."""
    if not inputs or not starts:
        return [None] * len(inputs)
    outputs, given = zip(*starts, strict=True)
    # A backward inside somebody's autocast would run in half precision.
    with blaming(f"differentiating {label}", _BACKWARD_ERRORS), torch.autocast(_device_of(starts), enabled=False):
        if precision == "fp16":
            return _scaled_gradient(outputs[0], inputs)
        with plain_float32() if precision == "fp32" else contextlib.nullcontext():
            return torch.autograd.grad(outputs, inputs, given, retain_graph=keep_graph, allow_unused=True)


def _device_of(starts: Sequence[Start]) -> str:
    tensors = (tensor for start in starts for tensor in start if isinstance(tensor, Tensor))
    return next(tensors).device.type


def _scaled_gradient(scalar: Tensor, inputs: Sequence[Tensor] | Sequence[GradientEdge]) -> Gradients:
    """Return the gradient taken at the largest scale that does not overflow, scaled back in float32."""
    for scale in FP16_SCALES:
        seed = torch.full_like(scalar, scale)
        scaled = torch.autograd.grad(scalar, inputs, seed, retain_graph=True, allow_unused=True)
        if _all_finite([gradient for gradient in scaled if gradient is not None]):
            break
    # In half precision, what the scale has saved would be lost again.
    return [
        None if gradient is None else gradient.to(torch.promote_types(gradient.dtype, torch.float32)) / scale
        for gradient in scaled
    ]


def _all_finite(gradients: Sequence[Tensor]) -> bool:
    entries = (gradient.coalesce().values() if gradient.is_sparse else gradient for gradient in gradients)
    flags = [values.isfinite().all() for values in entries]
    return not flags or bool(torch.stack([flag.to(flags[0].device) for flag in flags]).all())


def _reduce(
    setup: Setup,
    objective: str,
    components: Mapping[str, Tensor],
    differentiated: tuple[str, ...],
    found: Products,
    parameters: Parameters,
) -> BatchGradients:
    """Turn the products of a batch into its numbers; the last scalar may be the weighted total."""
    products, values = found.gramians, found.values
    count, k = len(parameters.measured), len(differentiated)
    reached = tuple(frozenset(p for p in reached if p < count) for reached in found.reached[:k])
    output_gramian = products[count:, :k, :k].sum(0)
    outputs = output_gramian.diagonal().sqrt().tolist()
    attached = frozenset(
        name
        for name, indices in zip(differentiated, reached, strict=True)
        if indices or leaves(components[name]) & parameters.trained
    )
    uses_output = [any(p >= count for p in reached) for reached in found.reached[:k]]
    return BatchGradients(
        values=dict(zip(components, values.tolist(), strict=True)),
        differentiated=differentiated,
        gramians=products[:count, :k, :k],
        reached=reached,
        output_norms=tuple(norm if used else None for norm, used in zip(outputs, uses_output, strict=True)),
        output_gramian=output_gramian,
        attached=attached,
        trains_elsewhere=frozenset(
            name
            for name in differentiated
            if name not in attached and _reaches_parameters_outside(setup.model, components[name])
        ),
        samples=dict(zip(differentiated, found.samples[:k], strict=True)),
        additivity_error=(
            _additivity_error(products[:count].sum(0), [_weight(setup, objective, name) for name in differentiated])
            if len(found.reached) > k
            else None
        ),
    )


def _largest(parameters: Sequence[Tensor]) -> list[int]:
    """Return which parameters are sampled: the same few for every component."""
    return sorted(range(len(parameters)), key=lambda p: -parameters[p].numel())[:SAMPLED_PARAMETERS]


def _joined(samples: Sequence[Tensor]) -> Tensor:
    device = samples[0].device if samples else None
    return torch.cat([sample.to(device) for sample in samples] or [torch.zeros(0)])


def _sample(gradient: Tensor | None, parameter: Tensor, small: Compact | None) -> Tensor:
    """Return a few elements of a gradient, zeros where there is none; of a compact one those of the whole."""
    count = min(parameter.numel(), SAMPLED_ELEMENTS) or 1  # a parameter may have no elements
    if gradient is None or gradient.layout != torch.strided or gradient.is_complex():
        return torch.zeros(count, device=parameter.device)
    stride = parameter.numel() // count
    if small is not None:
        return small.entries(gradient, stride * torch.arange(count)).float()
    return gradient.reshape(-1)[::stride][:count].to(torch.float32, copy=True)


def _agreement(samples: Sequence[Tensor]) -> float | None:
    """Return the mean cosine between any two gradients, None where there are no two with a direction."""
    exact = torch.stack(list(samples)).to("cpu", torch.float64) if samples else ()
    directions = [sample / norm for sample in exact if (norm := sample.norm()) > 0 and norm.isfinite()]
    n = len(directions)
    if n < 2:
        return None
    # ‖Σ u‖² = n + Σ cos over the pairs, in both orders
    return float((torch.stack(directions).sum(0).square().sum() - n) / (n * (n - 1)))


def _reaches_parameters_outside(model: nn.Module, scalar: Tensor) -> bool:
    """Whether a component has a gradient path to parameters that are not the model's, and to none that are."""
    inside = set(map(id, model.parameters()))
    reached = [leaf for leaf in leaf_tensors(scalar) if isinstance(leaf, nn.Parameter)]
    return bool(reached) and not any(id(leaf) in inside for leaf in reached)


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


def _as_facts(
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
        output_gramians=tuple(_spread(batch.output_gramian, batch.differentiated, names) for batch in batches),
        parameter_norms=_parameter_norms(parameters, names, batches),
        agreement=tuple(
            _agreement([batch.samples[name] for batch in batches if name in batch.samples]) for name in names
        ),
        trains_elsewhere=tuple(
            name
            for name in names
            if any(name in batch.trains_elsewhere for batch in batches)
            and not any(name in batch.attached for batch in batches)
        ),
    )


def _parameter_norms(
    parameters: Parameters, names: Sequence[str], batches: Sequence[BatchGradients]
) -> dict[str, tuple[float | None, ...]]:
    """Return ‖∂Lᵢ/∂θ‖ of every component by parameter, a mean over the batches in which it has a path to it."""
    norms: dict[tuple[int, str], list[float]] = {}
    for batch in batches:
        by_component = batch.gramians.diagonal(dim1=1, dim2=2).sqrt().T.tolist()
        for name, reached, column in zip(batch.differentiated, batch.reached, by_component, strict=True):
            for p in reached:
                norms.setdefault((p, name), []).append(column[p])
    means = {key: sum(column) / len(column) for key, column in norms.items()}
    return {parameter: tuple(means.get((p, name)) for name in names) for p, parameter in enumerate(parameters.measured)}


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
            gramians=tuple(_spread(batch.gramians[indices].sum(0), batch.differentiated, names) for batch in batches),
        )


def _spread(gramian: Tensor, differentiated: Sequence[str], names: Sequence[str]) -> Matrix:
    """Return a Gramian of some components as one of all, with zeros for those that were not differentiated."""
    G = torch.zeros(len(names), len(names), dtype=torch.float64)
    rows = torch.tensor([names.index(name) for name in differentiated], dtype=torch.long)
    G[rows[:, None], rows[None, :]] = gramian
    return tuple(map(tuple, G.tolist()))
