"""Facts for the tests of rules, written down as what a rule sees of them: values, norms, cosines, ranges.

    case(gradients(lab=(680, 242), perceptual=(0.97, 0.1), weights={"lab": 2.0}))

Everything is plain numbers, as the instruments hand them over; no torch.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from lossdoctor.config.edit import REMOVED, edited
from lossdoctor.config.keys import split_key
from lossdoctor.config.load import parse_config
from lossdoctor.config.schema import Config
from lossdoctor.config.yaml_reader import read_yaml
from lossdoctor.facts.examination import Examination
from lossdoctor.facts.gradients import Block, Matrix, ObjectiveGradients
from lossdoctor.facts.operands import Operand, Operation
from lossdoctor.facts.statistics import Statistics
from lossdoctor.records import Finding, Location, Severity
from lossdoctor.rules import registry
from lossdoctor.rules.base import Case

from .published import ABOUT_NO_COMPONENT, SEVERITIES

Value = float | None | Sequence[float | None]


def gradients(
    objective: str = "total",
    *,
    weights: Mapping[str, float | None] | None = None,
    roles: Mapping[str, str] | None = None,
    cosines: Mapping[tuple[str, str], float] | None = None,
    own: Mapping[str, float] | None = None,
    at_output: Mapping[str, float] | None = None,
    detached: Iterable[str] = (),
    batches: int = 2,
    **components: tuple[Value, float],
) -> ObjectiveGradients:
    """Return the gradients of one objective, each component given as (value, norm of its gradient).

    A value may be a sequence, one per batch. Norms are over the parameters that all but the `detached` components
    reach; `own` adds parameters that one component reaches alone. A weight of None is one that nobody declared.
    Components without a cosine are orthogonal.
    """
    names = tuple(components)
    weights, roles, own, at_output = weights or {}, roles or {}, own or {}, at_output or {}
    reached = tuple(name not in set(detached) for name in names)
    shared = gramian({name: norm for name, (_, norm) in components.items()}, cosines or {}, reached)
    blocks = [Block("trunk", reached, 100, (shared,) * batches)]
    for name, norm in own.items():
        alone = tuple(other == name for other in names)
        head = gramian(dict.fromkeys(names, norm), {}, alone)
        blocks.append(Block(f"{name}_head", alone, 10, (head,) * batches))
    return ObjectiveGradients(
        name=objective,
        components=names,
        weights=tuple(1.0 if (weight := weights.get(name)) is None else weight for name in names),
        declared=tuple(weights.get(name, 1.0) is not None for name in names),
        roles=tuple(roles.get(name) for name in names),
        attached=tuple(there or name in own for name, there in zip(names, reached, strict=True)),
        values=tuple(zip(*(_per_batch(value, batches) for value, _ in components.values()), strict=True)),
        output_grad_norms=(tuple(at_output.get(name) for name in names),) * batches,
        blocks=tuple(blocks),
    )


def gramian(norms: Mapping[str, float], cosines: Mapping[tuple[str, str], float], reached: Sequence[bool]) -> Matrix:
    """Return ⟨gᵢ, gⱼ⟩ of vectors with these norms and cosines, which have to exist."""
    names = list(norms)
    C = np.eye(len(names))
    for (a, b), cosine in cosines.items():
        i, j = names.index(a), names.index(b)
        C[i, j] = C[j, i] = cosine
    assert np.linalg.eigvalsh(C).min() > -1e-9, "no vectors have these cosines"
    n = [norm if there else 0.0 for norm, there in zip(norms.values(), reached, strict=True)]
    # A norm that is not finite spoils its own row alone: orthogonal gradients have a product of 0 all the same.
    return tuple(tuple(float(n[i] * n[j] * C[i, j]) if C[i, j] else 0.0 for j in range(len(n))) for i in range(len(n)))


def _per_batch(value: Value, batches: int) -> Sequence[float | None]:
    if isinstance(value, Sequence):
        assert len(value) == batches
        return value
    return (value,) * batches


def case(*objectives: ObjectiveGradients, config: Mapping[str, Any] | Config | None = None, **facts: Any) -> Case:
    """Return a case with these facts, and a config out of its `loss` section, `components` left to right."""
    if isinstance(config, Mapping):
        config = parse_config(whole(config))
    facts.setdefault("operations", ())
    return Case(config=config, examination=Examination(gradients=objectives, **facts))


def whole(loss: Mapping[str, Any]) -> dict[str, Any]:
    """Return a complete config with this `loss` section."""
    return {"model": {"target": "unet"}, "data": {"target": "my_project.data:batches"}, "loss": dict(loss)}


def check(code: str, case: Case, **options: Any) -> list[Finding]:
    """Return what one rule finds, nothing explained away. Every finding is what any finding has to be."""
    findings = list(registry()[code](**options).check(case))
    for finding in findings:
        assert_sound(finding, case)
    return findings


def assert_sound(finding: Finding, case: Case) -> None:
    """Assert that a finding keeps to the published table, is complete, and has a fix that can be applied."""
    names = {component for objective in case.gradients for component in objective.components} or set(case.built_in)
    if case.baseline:  # a component may be gone
        names |= {*case.baseline.components, *(name for group in case.baseline.shares.values() for name in group)}
    assert finding.name == registry()[finding.code].name
    assert finding.severity in SEVERITIES.get(finding.code, Severity)
    assert finding.components or finding.code in ABOUT_NO_COMPONENT
    assert set(finding.components) <= names | set(case.config.loss.weights if case.config else ())
    assert finding.objective in {"", "total", *(objective.name for objective in case.gradients)}
    assert finding.message
    assert finding.evidence
    assert finding.remedy
    assert finding.location or case.config is None
    json.dumps(dict(finding.evidence))
    if finding.fix is not None:
        assert case.config is not None
        written = case.config.model_dump(by_alias=True, exclude_unset=True)
        parse_config(_overridden(written, finding.fix))


def the_finding(code: str, case: Case, **options: Any) -> Finding:
    """Return the one finding of a rule."""
    (finding,) = check(code, case, **options)
    return finding


def after_fix(loss: Mapping[str, Any], finding: Finding) -> Config:
    """Return the config that a finding's fix makes of a `loss` section."""
    assert finding.fix
    return parse_config(_overridden(whole(loss), finding.fix))


def _overridden(data: Mapping[str, Any], fix: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a config with a fix applied as `lossdoctor fix` applies it: None takes a key out."""
    changes = {split_key(key)[0]: REMOVED if value is None else value for key, value in fix.items()}
    return read_yaml(edited(json.dumps(data), changes), "<config>").value


def spread(minimum: float, maximum: float, mean: float | None = None, std: float | None = None) -> Statistics:
    """Return the statistics of a channel; mean and deviation of a uniform distribution where not given."""
    return Statistics(
        minimum,
        maximum,
        (minimum + maximum) / 2 if mean is None else mean,
        (maximum - minimum) / math.sqrt(12) if std is None else std,
    )


def operand(
    *channels: Statistics,
    name: str = "input",
    grad: bool = False,
    origin: Sequence[str] = (),
    shape: Sequence[int] | None = None,
    dtype: str = "float32",
    overall: Statistics | None = None,
) -> Operand:
    """Return an operand N×C×16×16 with these channels."""
    everything = overall or spread(
        min(channel.minimum for channel in channels), max(channel.maximum for channel in channels)
    )
    return Operand(
        name=name,
        shape=tuple(shape or (8, len(channels), 16, 16)),
        dtype=dtype,
        requires_grad=grad,
        overall=everything,
        channels=channels,
        origin=tuple(origin),
    )


def operation(
    name: str,
    *operands: Operand,
    of: str | Sequence[str],
    result: Sequence[int] = (),
    cuts: bool = False,
    line: int | None = 12,
) -> Operation:
    """Return an operation that ended up in these components of the objective `total`, or of a qualified one."""
    components = [of] if isinstance(of, str) else of
    return Operation(
        name=name,
        components=tuple(component if "." in component else f"total.{component}" for component in components),
        operands=operands,
        result_shape=tuple(result),
        cuts_gradient=cuts,
        location=None if line is None else Location("losses.py", line, 5),
    )


#: A prediction in [0, 1] of an untrained network, and photographs in several units.
PREDICTION = operand(*(spread(-0.3, 0.4),) * 3, grad=True)
PHOTO = operand(spread(0, 1), spread(0, 0.98), spread(0, 1), name="target")
PHOTO_255 = operand(spread(0, 255), spread(0, 250), spread(0, 255), name="target")
LAB = (spread(0.4, 98.9, 52, 24), spread(-61, 72, 3, 11), spread(-85, 80, 7, 15))
LAB_DATA = operand(*LAB, name="target")
LAB_PREDICTION = operand(spread(2, 40), spread(-5, 8), spread(-9, 4), grad=True, origin=("rgb_to_lab()", "mul"))


def expect(code: str, loss: Mapping[str, Any]) -> list[Finding]:
    """Return what one rule finds in the config of built-in components alone."""
    case = Case(config=parse_config(whole(loss)))
    assert case.expected
    findings = list(registry()[code]().check_expected(case, case.expected))
    for finding in findings:
        assert_sound(finding, case)
    return findings
