"""The founding case and the other setups that lie in `sample_data/`, as they are shipped."""

from __future__ import annotations

from pathlib import Path

import pytest

import lossdoctor
from lossdoctor.records import Finding, Report, Severity

SAMPLES = Path(__file__).parents[1] / "sample_data"

#: The diagnosis must not depend on the checkpoint, the loss network or its distance.
VARIANTS = {
    "as shipped": (),
    "random weights": ("model.checkpoint=null",),
    "vgg16": ("loss.components.perceptual.backbone=vgg16", "measure.batches=2"),
    "L1 features": ("loss.components.perceptual.distance=l1",),
}


def inspect(name: str, *overrides: str) -> Report:
    return lossdoctor.inspect(SAMPLES / name, overrides=overrides)


def findings(report: Report, severity: Severity) -> list[Finding]:
    return [finding for finding in report.findings if finding.severity is severity]


@pytest.mark.parametrize("variant", VARIANTS)
def test_raw_lab_is_named_with_its_ranges_its_share_and_its_fix(variant: str) -> None:
    report = inspect("colorization/unnormalized.yaml", *VARIANTS[variant])
    (error,) = findings(report, Severity.ERROR)
    assert (error.code, error.components) == ("LD201", ("lab", "ab"))
    assert error.evidence["joint_share"] > 0.99
    assert set(error.evidence["channels"]["lab"]) == {"L", "a", "b"}
    assert error.evidence["channels"]["lab"]["L"].startswith("0 … ")
    assert float(error.evidence["channels"]["lab"]["L"].split()[-1]) > 90  # measured: these photographs have white
    assert {"a", "b"} == set(error.evidence["channels"]["ab"])
    assert error.fix == {"loss.components.lab.normalize": True, "loss.components.ab.normalize": True}
    assert error.location is not None
    assert (
        "normalize: false"
        in (SAMPLES / "colorization/unnormalized.yaml").read_text().splitlines()[error.location.line - 1]
    )
    (warning,) = findings(report, Severity.WARNING)
    assert (warning.code, set(warning.components)) == ("LD106", {"lab", "ab"})
    (starved,) = [finding for finding in report.findings if finding.code == "LD102"]
    assert (starved.components, starved.severity, starved.explained_by) == (("perceptual",), Severity.NOTE, "LD201")
    lab, ab = (next(c for c in report.objectives[0].components if c.name == name) for name in ("lab", "ab"))
    perceptual = report.objectives[0].components[0]
    assert report.objectives[0].value == pytest.approx(perceptual.value + lab.value + 2 * ab.value, rel=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_normalized_lab_has_no_error_and_is_still_counted_twice(variant: str) -> None:
    report = inspect("colorization/normalized.yaml", *VARIANTS[variant])
    assert findings(report, Severity.ERROR) == []
    assert [finding.code for finding in findings(report, Severity.WARNING)] == ["LD106"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_balanced_loss_has_nothing_above_a_note(variant: str) -> None:
    report = inspect("colorization/balanced.yaml", *VARIANTS[variant])
    assert {finding.severity for finding in report.findings} <= {Severity.NOTE}


def test_the_balanced_loss_is_balanced() -> None:
    shares = [component.grad_share for component in inspect("colorization/balanced.yaml").objectives[0].components]
    assert shares == pytest.approx([1 / 3] * 3, rel=0.05)


@pytest.mark.parametrize("name", ["denoising/config.yaml", "sensors/config.yaml"])
def test_the_other_samples_are_healthy(name: str) -> None:
    assert {finding.severity for finding in inspect(name).findings} <= {Severity.NOTE}


def test_the_two_colour_samples_differ_in_normalize_alone() -> None:
    raw, scaled = (
        [line.split("#")[0].rstrip() for line in (SAMPLES / "colorization" / name).read_text().splitlines()]
        for name in ("unnormalized.yaml", "normalized.yaml")
    )
    keys = [[line for line in lines if line] for lines in (raw, scaled)]
    assert [line.replace("normalize: false", "normalize: true") for line in keys[0]] == keys[1]
    assert keys[0] != keys[1]
