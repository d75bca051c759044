"""Whether what comes out of the model depends on what goes in.

The arguments of the model are changed and all else, the random numbers included, stays: numbers are moved by their own
standard deviation, indices are given to other samples and turned round. Where a training step calls parts of the model
by themselves, each of these is asked. Costs a forward of the first batch beside the original, and where nothing changes
another and backwards: behind many saturated layers a change is lost in rounding, and the derivative is not.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from ...facts.probes import InputDependence
from ...setup.batches import changed
from ..autograd_graph import nearest_leaves
from ..tensors import tensors_in
from .perfect import answers
from .replay import NotApplicableError, Replay

#: Change of an output, in parts of its largest element, that is too small to tell.
ROUNDING = 1e-6

Change = Callable[[Any], Any]
Asked = tuple[str, str | None]  #: a module, and one of the tensors that it gives, or all of them


@dataclass
class Calls:
    """What went into a module that user code calls, and what came out, call by call."""

    arguments: list[dict[str, Tensor]] = field(default_factory=list)
    results: list[dict[str, Tensor]] = field(default_factory=list)


def probe_dependence(replay: Replay) -> tuple[InputDependence, ...]:
    """Return how much the output of the model, or of its parts that the loss calls, changes with the input.

    Raises NotApplicableError where nothing that learns is given anything that can be changed.
    """
    before = replay.seen_by(watch_entrances)
    with _entrances(replay.setup.model, _changed) as after:
        replay.again()
    heard = {
        name: (calls.results, after[name].results)
        for name, calls in before.items()
        if name in after and any(calls.results) and _difference(calls.arguments, after[name].arguments)
    }
    if not heard:
        message = "needs a model that is given tensors which can be changed"
        raise NotApplicableError(message)
    answered = _answered(replay)
    asked = [(name, None) for name in heard] + [("", output) for output in answered if "" in heard]
    changes = {
        (name, output): _difference(*(_only(results, output) for results in heard[name])) for name, output in asked
    }
    causes = _causes(replay, asked) if any(change < ROUNDING for change in changes.values()) else {}
    return tuple(
        InputDependence(name, changes[name, output], *causes.get((name, output), (None, output, ())))
        for name, output in asked
    )


def _answered(replay: Replay) -> list[str]:
    """Return the tensors of the model's output that have a target: of several, each has to listen to the input."""
    try:
        found = dict.fromkeys(answer.output for answer in replay.once(answers))
    except NotApplicableError:
        return []
    return list(found) if len(replay.outputs) > 1 else []


def _only(results: list[dict[str, Tensor]], output: str | None) -> list[dict[str, Tensor]]:
    if output is None:
        return results
    return [{name: tensor for name, tensor in result.items() if name == output} for result in results]


def _causes(replay: Replay, asked: Sequence[Asked]) -> dict[Asked, tuple[float | None, str | None, tuple[str, ...]]]:
    """Return the largest derivative of what comes out by what numbers go in, the output, and its last layers."""
    inputs: list[Tensor] = []

    def attached(arguments: Any) -> Any:
        def fresh(tensor: Tensor) -> Tensor:
            if not tensor.is_floating_point():
                return tensor
            inputs.append(tensor.detach().requires_grad_())
            return inputs[-1]

        return changed(arguments, fresh)

    names = {id(parameter): name for name, parameter in replay.setup.model.named_parameters()}
    causes: dict[Asked, tuple[float | None, str | None, tuple[str, ...]]] = {}
    with _entrances(replay.setup.model, attached, keep_graph=True) as calls:
        replay.again()
    for name, output in asked:
        results = _only(calls[name].results, output) if name in calls else []
        made = [tensor for result in results for tensor in result.values()]
        nearest = {leaf for tensor in made for leaf in nearest_leaves(tensor, lambda leaf: leaf.dim() > 1)}
        last = tuple(sorted(names[leaf] for leaf in nearest if leaf in names))
        causes[name, output] = _largest_derivative(made, inputs) if inputs and made else None, output, last
    return causes


def _largest_derivative(made: Sequence[Tensor], inputs: Sequence[Tensor]) -> float:
    attached = [tensor for tensor in made if tensor.requires_grad]
    if not attached:
        return 0.0
    # The sum of squares would be flat at an output of zero, the sum behind a normalisation.
    weighed = torch.stack([(tensor * _noise(tensor)).sum() for tensor in attached]).sum()
    gradients = torch.autograd.grad(weighed, inputs, retain_graph=True, allow_unused=True)
    return max((float(g.abs().amax()) for g in gradients if g is not None and g.numel()), default=0.0)


def watch_entrances(model: nn.Module) -> AbstractContextManager[Mapping[str, Calls]]:
    """Watch the modules that are called from outside the model."""
    return _entrances(model, lambda arguments: arguments)


@contextlib.contextmanager
def _entrances(model: nn.Module, change: Change, *, keep_graph: bool = False) -> Iterator[Mapping[str, Calls]]:
    """Watch the modules that are called from outside the model, and change their arguments."""
    if isinstance(model, torch.jit.ScriptModule):
        message = "needs a model that takes hooks; a scripted one takes none"
        raise NotApplicableError(message)
    calls: dict[str, Calls] = {}
    inside: list[str] = []
    hooks = []
    for name, module in model.named_modules():
        if _multiplies(module) and not isinstance(module, torch.jit.ScriptModule):

            def enter(_module: nn.Module, args: Any, kwargs: Any, name: str = name) -> Any:
                inside.append(name)
                if len(inside) > 1:
                    return None
                args, kwargs = change((args, kwargs))
                calls.setdefault(name, Calls()).arguments.append(_floats((args, kwargs)))
                return args, kwargs

            def leave(_module: nn.Module, _args: Any, result: Any, name: str = name) -> None:
                inside.pop()
                if not inside:
                    calls[name].results.append(tensors_in(result) if keep_graph else _floats(result))

            hooks.append(module.register_forward_pre_hook(enter, with_kwargs=True))
            hooks.append(module.register_forward_hook(leave))
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


def _multiplies(module: nn.Module) -> bool:
    """Whether a module multiplies what it is given by weights, so that what comes out has to depend on it.

    A table of positions does not look at values at all.
    """
    return any(
        parameter.dim() > 1
        for part in module.modules()
        if not isinstance(part, nn.Embedding)
        for parameter in part.parameters(recurse=False)
    )


def _floats(value: Any) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in tensors_in(value).items() if not tensor.is_complex()}


def _changed(arguments: Any) -> Any:
    """Return arguments with every number changed, or, where there are none, with every index."""
    given = tensors_in(arguments).values()
    numbers = any(tensor.is_floating_point() and tensor.numel() for tensor in given)
    return changed(arguments, _moved if numbers else _turned)


def _moved(tensor: Tensor) -> Tensor:
    if not tensor.is_floating_point() or not tensor.numel():
        return tensor
    scale = float(tensor.detach().std()) if tensor.numel() > 1 else 0.0
    return tensor + (scale or 1.0) * _noise(tensor)


def _noise(tensor: Tensor) -> Tensor:
    """Return noise that is the same for every tensor of a shape, and not what a seed of the user's has made."""
    return torch.randn(tensor.shape, generator=torch.Generator().manual_seed(20_459)).to(tensor)


def _turned(tensor: Tensor) -> Tensor:
    if tensor.is_floating_point() or tensor.is_complex() or tensor.dtype == torch.bool or not tensor.dim():
        return tensor
    return tensor.roll(1, 0).flip(tuple(range(1, tensor.dim())))


def _difference(before: list[dict[str, Tensor]], after: list[dict[str, Tensor]]) -> float:
    """Return the largest change of an element, in parts of the largest element; infinity where shapes change."""
    largest, change = 0.0, 0.0
    for old, new in zip(before, after, strict=False):
        for name, tensor in old.items():
            other = new.get(name)
            if other is None or other.shape != tensor.shape:
                return torch.inf
            if tensor.numel():
                largest = max(largest, float(tensor.double().abs().amax()))
                change = max(change, float((other.double() - tensor.double()).abs().amax()))
    return change / largest if largest else (torch.inf if change else 0.0)
