"""The values of every step, kept on the device until somebody looks at them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

#: One step of one objective: the value of every component that the batch returned.
Row = dict[str, float]


class CurveRecorder:
    """Collects the component values of every step.

    `record` only keeps references to tensors, so no step waits for the device; `rows` brings over all that is new in
    one copy.
    """

    def __init__(self) -> None:
        self._rows: dict[str, list[Row]] = {}
        self._pending: list[tuple[str, tuple[str, ...], Tensor]] = []

    def restore(self, rows: Mapping[str, Sequence[Row]]) -> None:
        """Start with the rows of an interrupted run."""
        self._rows = {name: list(past) for name, past in rows.items()}

    def record(self, objective: str, names: tuple[str, ...], values: Tensor) -> None:
        """Take the values of one objective in one step: a vector on the device, without gradient."""
        self._pending.append((objective, names, values))

    def rows(self) -> Mapping[str, Sequence[Row]]:
        """Return the rows of every objective, one per step. This waits for the device."""
        if self._pending:
            numbers = iter(torch.cat([values for *_, values in self._pending]).tolist())
            for objective, names, _ in self._pending:
                self._rows.setdefault(objective, []).append(dict(zip(names, numbers, strict=False)))
            self._pending.clear()
        return self._rows
