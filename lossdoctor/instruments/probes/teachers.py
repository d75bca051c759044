"""A student that answers what its teacher answers, where two softmaxes are compared inside a loss.

Works at the level of the operation: the logits of the softmax that carries gradient are replaced by those of the one
that does not, with the student's own temperature, whole and shrunk towards zero. Costs five forwards of the first batch
where the teacher alone is softened, and otherwise nothing: the softmaxes are seen in the original.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook
from torch.overrides import TorchFunctionMode
from torch.utils.hooks import RemovableHandle

from ...facts.probes import Optimum
from ...records import Location
from ...setup.user_code import calling_line
from ..comparisons import PICKING, RESHAPING, name_of
from ..tensors import tensors_in
from .replay import Replay, Values, values_of

_SOFTMAXES = frozenset({torch.softmax, torch.log_softmax, Tensor.softmax, Tensor.log_softmax, F.softmax, F.log_softmax})

#: How much smaller than the teacher's the logits of the student are tried.
SHRUNK = (0.5, 0.25)

#: Temperatures that are the same, relative.
_SAME = 0.01


@dataclass(frozen=True)
class _Softmax:
    """A softmax of factor · logits."""

    logits: Tensor
    factor: float  #: 1 / temperature
    requires_grad: bool
    answered: bool  #: the logits are what a network gave
    location: Location | None


class _Softmaxes(TorchFunctionMode):
    """Knows every softmax that is called while it is active, and may give some of them other logits."""

    def __init__(self, instead: Mapping[int, Tensor] | None = None) -> None:
        super().__init__()
        self.found: list[_Softmax] = []
        self._instead = instead or {}
        self._scaled: dict[int, tuple[Tensor, Tensor, float]] = {}
        self._answers: dict[int, Tensor] = {}
        self._hook: RemovableHandle | None = None

    def __enter__(self) -> _Softmaxes:
        self._hook = register_module_forward_hook(self._take_answer)
        super().__enter__()  # type: ignore[no-untyped-call]
        return self

    def __exit__(self, *exception: Any) -> None:
        super().__exit__(*exception)  # type: ignore[no-untyped-call]
        if self._hook is not None:
            self._hook.remove()
        self._scaled, self._answers = {}, {}  # with their graph

    def _take_answer(self, _module: nn.Module, _args: Any, answer: Any) -> None:
        """Logits are what a network answers; what goes into the softmax of an attention is not."""
        self._answers |= {id(tensor): tensor for tensor in tensors_in(answer).values()}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = dict(kwargs or {})
        given = args[0] if args else kwargs.get("input")
        if func in _SOFTMAXES and isinstance(given, Tensor):
            _, logits, factor = self._scaled.get(id(given), (given, given, 1.0))
            index, answered = len(self.found), id(logits) in self._answers
            self.found.append(_Softmax(logits.detach(), factor, given.requires_grad, answered, calling_line()))
            if index in self._instead:
                other = self._instead[index].to(given.dtype)
                args, kwargs = ((other, *args[1:]), kwargs) if args else (args, {**kwargs, "input": other})
        result = func(*args, **kwargs)
        name = name_of(func)
        if name in RESHAPING | PICKING and args and id(args[0]) in self._answers:
            self._answers |= {id(tensor): tensor for tensor in tensors_in(result).values()}
        times = _factor(name, args)
        if times is not None and isinstance(result, Tensor):
            _, logits, before = self._scaled.get(id(args[0]), (args[0], args[0], 1.0))
            self._scaled[id(result)] = result, logits, before * times
        return result


def _factor(name: str, args: tuple[Any, ...]) -> float | None:
    """Return the number that a call multiplies its first argument by, None where it does something else."""
    if len(args) != 2 or not isinstance(args[0], Tensor):
        return None
    number = args[1].item() if isinstance(args[1], Tensor) and args[1].numel() == 1 else args[1]
    if not isinstance(number, (int, float)) or not number:
        return None
    if name in ("div", "divide", "true_divide", "truediv"):
        return 1 / number
    return number if name in ("mul", "multiply") else None


def watch_softmaxes(_model: nn.Module) -> _Softmaxes:
    """Watch the softmaxes inside a loss."""
    return _Softmaxes()


def student_is_teacher(replay: Replay) -> Iterator[Optimum]:
    """Yield what a distillation makes of a student with its teacher's logits, where only the teacher is softened.

    A teacher that is sharper than the student is a method of its own, self-distillation.
    """
    seen = replay.seen_by(watch_softmaxes)
    for s, t in _unmatched(seen.found):
        student, teacher = seen.found[s], seen.found[t]
        perfect = student.factor * teacher.logits
        other = teacher.logits.roll(1, 0)
        values = _with(replay, {s: perfect})
        unrelated = _with(replay, {s: student.factor * other})
        for_others = _with(replay, {s: perfect, t: teacher.factor * other})
        shrunk = [_with(replay, {s: part * perfect}) for part in SHRUNK]
        for key, value in values.items():
            # What uses neither softmax is the same throughout.
            uses = value not in (for_others[key], unrelated[key])
            sign = -1.0 if (replay.setup.weight(*key) or 1.0) < 0 else 1.0
            lower = min((value, *(values[key] for values in shrunk)), key=lambda v: sign * v)
            yield Optimum(
                *key,
                value,
                lower if uses else value,
                unrelated[key],
                uses,
                output=f"student, at the temperature {1 / student.factor:.3g}",
                target=f"teacher, at the temperature {1 / teacher.factor:.3g}",
                level="operation",
                location=student.location,
            )


def _unmatched(found: list[_Softmax]) -> Iterator[tuple[int, int]]:
    """Yield pairs of a student and a teacher that is softer than any student of its shape."""
    students_of = {
        t: [
            s
            for s, student in enumerate(found)
            if student.requires_grad and student.answered and student.logits.shape == teacher.logits.shape
        ]
        for t, teacher in enumerate(found)
        if teacher.answered and not teacher.requires_grad
    }
    for t, students in students_of.items():
        teacher = found[t]
        softer = [s for s in students if found[s].factor > teacher.factor * (1 + _SAME)]
        if softer and len(softer) == len(students):
            yield from ((s, t) for s in softer)


def _with(replay: Replay, instead: Mapping[int, Tensor]) -> Values:
    with _Softmaxes(instead):
        return values_of(replay.setup.evaluate(replay.index))
