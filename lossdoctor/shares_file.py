"""Recording the measured shares of the gradient in a config: what is today's balance becomes its budget."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from .config.edit import edited
from .config.load import config_of
from .errors import ConfigError, LossDoctorError
from .records import ObjectiveReport
from .reports.emit import write_atomically


def write_shares(path: Path, objectives: Sequence[ObjectiveReport]) -> Mapping[str, float]:
    """Write the shares of every objective to `loss.shares` of a config and return them; what stood there goes.

    Raises LossDoctorError where there is nothing to record or the file cannot be changed; then it is as it was.
    """
    shares = recorded_shares(objectives)
    if not shares:
        message = f"no shares to write to {path}: fewer than two components of an objective have one"
        raise LossDoctorError(message, "Regularizers, and components without a gradient, have no share.")
    try:
        text = path.read_bytes().decode("utf-8")
        changed = edited(text, {("loss", "shares"): shares})
        written = config_of(changed, path).loss.shares
    except (OSError, ConfigError) as error:
        message = f"cannot write loss.shares to {path}: {error}"
        raise LossDoctorError(message, "The file is as it was.") from error
    if written != shares:
        message = f"cannot write loss.shares to {path}: it would read as {dict(written)}"
        raise LossDoctorError(message, "The file is as it was. Write them by hand.")
    write_atomically(path, changed)
    return shares


def recorded_shares(objectives: Sequence[ObjectiveReport]) -> dict[str, float]:
    """Return the shares of all objectives as `loss.shares` has them: two digits each; an objective's add up to 1.

    Components with the role `regularizer` and components without a share are left out, as LD105 leaves them out.
    """
    counts = Counter(component.name for objective in objectives for component in objective.components)
    shares: dict[str, float] = {}
    for objective in objectives:
        measured = {
            each.name if counts[each.name] == 1 else f"{objective.name}.{each.name}": each.grad_share
            for each in objective.components
            if each.grad_share and each.role != "regularizer"
        }
        if len(measured) > 1:
            shares |= _rounded(measured)
    return shares


def _rounded(measured: Mapping[str, float]) -> dict[str, float]:
    """Return shares of their own sum with two digits; the largest takes what is left to 1."""
    total = sum(measured.values())
    rounded = {name: float(f"{share / total:.1e}") for name, share in measured.items()}
    largest = max(rounded, key=rounded.__getitem__)
    rest = sum(share for name, share in rounded.items() if name != largest)
    return rounded | {largest: float(f"{1 - rest:.6g}")}
