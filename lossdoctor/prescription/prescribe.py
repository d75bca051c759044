"""Cure a config: causes first, one at a time, each measured; then the weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config.edit import REMOVED, edited
from ..config.keys import Keys, split_key, value_at
from ..config.load import config_of, read_config_text
from ..config.yaml_reader import read_yaml
from ..errors import LossDoctorError
from ..inspection import Inspection, inspect_config
from ..progress import OnProgress, silent
from ..records import Finding, ObjectiveReport, Severity
from .prescription import BALANCE, WEIGHTS, Cure, Prescription, complaints, identity
from .rebalance import NewWeight, rebalanced

#: Findings about the length of the gradient: weights that bring one about are of no use.
_LENGTH = frozenset({"LD604", "LD605"})


@dataclass(frozen=True)
class _Stage:
    """The config as changed so far, and what was measured on it."""

    path: Path
    text: str
    overrides: tuple[str, ...]
    inspection: Inspection

    @classmethod
    def of(cls, path: Path, text: str, overrides: tuple[str, ...], on_progress: OnProgress) -> _Stage:
        """Measure the text of a config. Raises LossDoctorError where it cannot be measured."""
        inspection = inspect_config(config_of(text, path, overrides), on_progress=on_progress)
        return cls(path, text, overrides, inspection)

    def changed(self, changes: Mapping[Keys, Any], on_progress: OnProgress) -> _Stage | None:
        """Return the stage after a change, None where the config cannot be used or measured with it."""
        try:
            text = edited(self.text, changes, str(self.path))
            return _Stage.of(self.path, text, self.overrides, on_progress)
        except LossDoctorError:
            return None


def prescribe(
    path: str | Path,
    *,
    overrides: Sequence[str] = (),
    rebalance: bool = False,
    on_progress: OnProgress = silent,
) -> Prescription:
    """Find the changes of a config file that cure its findings. Nothing is written.

    Errors and warnings whose finding carries a fix are cured one at a time, most severe first; after each the same
    batches are measured again, and a change after which the finding is still there is dropped. Then the weights are
    set anew (see `rebalance.py`) in every objective whose balance a finding still complains about, or in which a cure
    has changed the unit of a component, so that the weight chosen for the old unit means nothing any more; in all of
    them with `rebalance`. Without it they wait as long as an error is left in a component that they would be set by:
    its gradient will be another one once that is cured. Costs one examination for the start and one for every change
    tried.

    Raises LossDoctorError where the config cannot be read or measured as it is, or where an override is of the loss:
    what is measured with it would be written for the loss without it.
    """
    path = Path(path)
    _check_overrides(overrides)
    start = _Stage.of(path, read_config_text(path), tuple(overrides), on_progress)
    stage, cures = _cure_causes(start, on_progress)
    for objective in stage.inspection.report.objectives:
        if rebalance or _needs_weights(start, stage, objective):
            stage, cure = _balance(start, stage, objective.name, on_progress)
            cures += cure
    return Prescription(
        path=path,
        text=start.text,
        fixed=stage.text,
        before=start.inspection.report,
        after=stage.inspection.report,
        cures=tuple(cures),
        overrides=start.overrides,
    )


def _check_overrides(overrides: Sequence[str]) -> None:
    for override in overrides:
        if override.lstrip().startswith(("loss.", "loss=")):
            message = f"--set {override}: the loss of the file is what is changed, so it has to be measured as it is"
            raise LossDoctorError(message, "Write the value into the config first.")


def _cure_causes(stage: _Stage, on_progress: OnProgress) -> tuple[_Stage, list[Cure]]:
    """Apply the fix of one finding after another, as long as one helps."""
    cures: list[Cure] = []
    without_effect: set[Any] = set()
    while (finding := _next_cause(stage, without_effect)) is not None:
        changes = {split_key(key)[0]: REMOVED if new is None else new for key, new in (finding.fix or {}).items()}
        changed = stage.changed(changes, on_progress)
        if changed is None or not _helps(finding, stage, changed):
            without_effect.add(identity(finding))
            continue
        cures.append(_cure(stage, finding))
        stage = changed
    return stage, cures


def _next_cause(stage: _Stage, without_effect: set[Any]) -> Finding | None:
    """Return the most severe finding that a change of the config may cure."""
    return next(
        (
            finding
            for finding in complaints(stage.inspection.report)
            if finding.fix and finding.code not in BALANCE and identity(finding) not in without_effect
        ),
        None,
    )


def _helps(finding: Finding, before: _Stage, after: _Stage) -> bool:
    """Whether a finding is gone and no other error has come."""
    left = set(map(identity, complaints(after.inspection.report)))
    return identity(finding) not in left and _errors(after) - _errors(before) == set()


def _errors(stage: _Stage) -> set[Any]:
    return {identity(f) for f in complaints(stage.inspection.report) if f.severity is Severity.ERROR}


def _needs_weights(start: _Stage, stage: _Stage, objective: ObjectiveReport) -> bool:
    findings = [f for f in complaints(stage.inspection.report) if f.objective == objective.name]
    judged = {component.name for component in objective.components if component.grad_share}
    if any(_is_faulty(finding) and judged.intersection(finding.components) for finding in findings):
        return False
    return any(finding.code in BALANCE for finding in findings) or bool(_with_new_unit(start, stage, objective))


def _is_faulty(finding: Finding) -> bool:
    """Whether a finding is an error that weights do not settle."""
    return finding.severity is Severity.ERROR and finding.code not in BALANCE


def _with_new_unit(start: _Stage, stage: _Stage, objective: ObjectiveReport) -> list[str]:
    """Return the components whose unweighted gradient a cure has made larger or smaller by more than the tolerance.

    The tolerance is that of declared shares (`loss.tolerance`): what a share may be off without being off its budget.
    """
    config = stage.inspection.case.config
    tolerance = config.loss.tolerance if config else 1.0
    before = {
        component.name: component.grad_norm
        for known in start.inspection.report.objectives
        if known.name == objective.name
        for component in known.components
    }
    return [
        component.name
        for component in objective.components
        if (old := before.get(component.name)) and component.grad_norm
        if not 1 / tolerance <= component.grad_norm / old <= tolerance
    ]


def _balance(start: _Stage, stage: _Stage, objective: str, on_progress: OnProgress) -> tuple[_Stage, list[Cure]]:
    """Give an objective new weights, where they leave fewer complaints about its balance than the old ones."""
    (table,) = [known for known in stage.inspection.report.objectives if known.name == objective]
    case, config = stage.inspection.case, stage.inspection.case.config
    blamed = {
        name
        for finding in (*complaints(start.inspection.report), *complaints(stage.inspection.report))
        if finding.objective == objective
        for name in finding.components
    }
    unsuspected = {component.name for component in table.components} - blamed
    weights = [w for w in rebalanced(table, config.loss.shares if config else {}, unsuspected) if w.new != w.old]
    new = {key: value for w in weights for key, value in (case.weight_fix(objective, w.component, w.new) or {}).items()}
    changed = stage.changed({split_key(key)[0]: value for key, value in new.items()}, on_progress) if new else None
    if changed is None or _spoils(stage, changed):
        return stage, []
    return changed, [_weights_cure(stage, objective, weights, new)]


def _spoils(before: _Stage, after: _Stage) -> bool:
    """Whether weights bring an error about, or a gradient of a length that is of no use."""
    known = set(map(identity, complaints(before.inspection.report)))
    arisen = [f for f in complaints(after.inspection.report) if identity(f) not in known]
    return any(finding.severity is Severity.ERROR or finding.code in _LENGTH for finding in arisen)


def _weights_cure(stage: _Stage, objective: str, weights: Sequence[NewWeight], new: Mapping[str, Any]) -> Cure:
    reason = "\n".join(f"{w.component}: {w.reason}" for w in weights)
    return Cure(WEIGHTS, objective, tuple(w.component for w in weights), reason, _old(stage.text, new), dict(new))


def _cure(stage: _Stage, finding: Finding) -> Cure:
    new = dict(finding.fix or {})
    name = f"{finding.code} {finding.name}"
    return Cure(name, finding.objective, finding.components, finding.message, _old(stage.text, new), new)


def _old(text: str, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values that keys have in the text of a config; those that are not written are left out."""
    written = read_yaml(text, "<config>").value
    found = {key: _written_at(written, split_key(key)[0]) for key in keys}
    return {key: value for key, value in found.items() if value is not REMOVED}


def _written_at(value: Any, keys: Keys) -> Any:
    try:
        return value_at(value, keys)
    except (KeyError, IndexError, TypeError):
        return REMOVED
