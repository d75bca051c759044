"""What the gradient instrument has to find, computed the plain way: one `.backward()` for every component and batch, on a
fresh copy of the model each, everything after it in float64. It follows the definitions of the JSON report and shares no code
with the instrument."""

import contextlib
import copy
import math
import random
from dataclasses import dataclass

import numpy as np
import torch


@dataclass(frozen=True)
class Backward:
    """What one `.backward()` left behind."""

    value: float
    gradients: dict[str, np.ndarray | None]  #: by parameter, flat; None where `.grad` stayed None
    output: float | None  #: norm of the gradient at the output

    def norm(self, parameters):
        return math.sqrt(sum((self.gradients[name] ** 2).sum() for name in self._reached(parameters)))

    def dot(self, other, parameters):
        both = [name for name in self._reached(parameters) if other.gradients[name] is not None]
        return sum(float((self.gradients[name] * other.gradients[name]).sum()) for name in both)

    def _reached(self, parameters):
        return [name for name in parameters if self.gradients[name] is not None]


def backward(case, index, pick):
    """Backpropagate `pick(components)` of batch `index` through a copy of the model that has seen the batches before it.

    None where the batch has no such component."""
    model = case.build()
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    for earlier in range(index):
        run(case, model, earlier)
    components, output = run(case, model, index)
    for parameter in trained:
        parameter.requires_grad_()  # a step may have frozen it for a turn; `.grad` would stay None
    scalar = pick(components)
    if scalar is None:
        return None
    outputs = [tensor for tensor in flat(output) if tensor.requires_grad]
    for tensor in outputs:
        tensor.retain_grad()
    if scalar.requires_grad:
        scalar.backward()
    at_output = [tensor.grad for tensor in outputs if tensor.grad is not None]
    return Backward(
        value=float(scalar.detach()),
        gradients={name: in_float64(parameter.grad) for name, parameter in model.named_parameters()},
        output=math.sqrt(sum((in_float64(grad) ** 2).sum() for grad in at_output)) if at_output else None,
    )


def run(case, model, index):
    random.seed(index)
    np.random.seed(index)
    torch.manual_seed(index)
    model.train()
    autocast = torch.autocast("cpu", torch.bfloat16) if case.precision == "bf16" else contextlib.nullcontext()
    with autocast:
        return case.step(model, copy.deepcopy(case.batches[index]))


def flat(output):
    """The tensors of an output; a scalar among them is a loss."""
    if isinstance(output, torch.Tensor):
        return [output] if output.dim() else []
    parts = output.values() if isinstance(output, dict) else output if isinstance(output, (tuple, list)) else []
    return [tensor for part in parts for tensor in flat(part)]


def in_float64(gradient):
    if gradient is None:
        return None
    dense = gradient.to_dense() if gradient.is_sparse else gradient
    parts = [dense.real, dense.imag] if dense.is_complex() else [dense]
    return np.concatenate([part.double().numpy().ravel() for part in parts])


@dataclass(frozen=True)
class Expected:
    """One objective, computed independently."""

    components: list[str]
    runs: dict[str, list[Backward | None]]  #: by component, then batch
    totals: list[Backward]
    parameters: list[str]
    weights: dict[str, float]

    def mean(self, numbers):
        present = [number for number in numbers if number is not None]
        return sum(present) / len(present) if present else None

    def value(self, name):
        return self.mean([run and run.value for run in self.runs[name]])

    def grad_norm(self, name, parameters=None):
        within = self.parameters if parameters is None else parameters
        return self.mean([None if run is None else run.norm(within) for run in self.runs[name]])

    def output_grad_norm(self, name):
        return self.mean([run and run.output for run in self.runs[name]])

    def reaches(self, name, parameter):
        return any(run is not None and run.gradients[parameter] is not None for run in self.runs[name])

    def grad_shares(self):
        shared = [p for p in self.parameters if sum(self.reaches(name, p) for name in self.components) >= 2]
        weighted = {
            name: abs(self.weights[name]) * self.grad_norm(name, shared)
            for name in self.components
            if any(self.reaches(name, p) for p in shared)
        }
        total = sum(weighted.values())
        return {name: weighted[name] / total if name in weighted and total else None for name in self.components}

    def cosine(self, a, b):
        cosines = [
            first.dot(second, self.parameters) / (first.norm(self.parameters) * second.norm(self.parameters))
            for first, second in zip(self.runs[a], self.runs[b], strict=True)
            if first is not None and second is not None
            if first.norm(self.parameters) and second.norm(self.parameters)
        ]
        return self.mean(cosines)

    def cosine_to_total(self, name):
        weight = self.weights[name]
        cosines = [
            weight
            * run.dot(total, self.parameters)
            / (abs(weight) * run.norm(self.parameters) * total.norm(self.parameters))
            for run, total in zip(self.runs[name], self.totals, strict=True)
            if run is not None and weight and run.norm(self.parameters)
        ]
        return self.mean(cosines)

    def total_norm(self):
        return self.mean([total.norm(self.parameters) for total in self.totals])

    def total_value(self):
        return self.mean([total.value for total in self.totals])


def expect(case, objective="total"):
    """Compute one objective of a case."""

    def group(components):
        return components[objective] if objective in components else components

    def total(components):
        return sum(
            (weight_of(case, objective, name) * scalar for name, scalar in group(components).items()),
            start=torch.zeros((), requires_grad=True),
        )

    batches = range(len(case.batches))
    names = list(dict.fromkeys(name for index in batches for name in group(run(case, case.build(), index)[0])))
    prefix = case.owned.get(objective, "")
    return Expected(
        components=names,
        runs={
            name: [
                backward(case, index, lambda components, name=name: group(components).get(name)) for index in batches
            ]
            for name in names
        },
        totals=[backward(case, index, total) for index in batches],
        parameters=[name for name, _ in case.build().named_parameters() if name.startswith(prefix)],
        weights={name: weight_of(case, objective, name) for name in names},
    )


def weight_of(case, objective, name):
    return case.weights.get(f"{objective}.{name}", case.weights.get(name, 1.0))


def owned_modules(case):
    """The names of the parameters of each objective: those of the top-level modules that its components reach and that no
    other objective reaches alone."""
    reached = {}
    for objective in run(case, case.build(), 0)[0]:
        model = case.build()
        components, _ = run(case, model, 0)
        sum(scalar for scalar in components[objective].values()).backward()
        reached[objective] = {name.split(".")[0] for name, p in model.named_parameters() if p.grad is not None}
    owned = {
        objective: modules.difference(*(others for others in reached.values() if others < modules))
        for objective, modules in reached.items()
    }
    names = [name for name, _ in case.build().named_parameters()]
    return {objective: tuple(n for n in names if n.split(".")[0] in modules) for objective, modules in owned.items()}
