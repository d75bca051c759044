"""Healthy setups of many domains learn one batch by heart, and no rule of the trials says otherwise."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossdoctor.records import Severity
from lossdoctor.trial_api import overfit_batch

HEALTHY = Path(__file__).parents[1] / "healthy"
TRIAL_RULES = ("LD101", "LD102", "LD701", "LD702", "LD703", "LD704", "LD705", "LD706")

#: The part of the total that has to be gone, by domain; and whether the value of a perfect prediction is known.
DOMAINS = {
    "classification": (0.5, True),
    "segmentation": (0.5, True),
    "vae": (0.5, False),
    "language_model": (0.5, False),
    "burgers_pinn": (0.5, False),
}

SAMPLE = Path(__file__).parents[2] / "sample_data" / "colorization" / "balanced.yaml"


def overfitted(path, folder, *overrides):
    return overfit_batch(path, quick=True, overrides=overrides, output_dir=folder).report


@pytest.mark.parametrize("domain", DOMAINS)
def test_learns_one_batch_by_heart(domain, tmp_path):
    least_gone, floor_is_known = DOMAINS[domain]
    report = overfitted(HEALTHY / f"{domain}.yaml", tmp_path / "run", "measure.batches=2")
    assert report.trial.steps == 200
    (curve,) = report.trial.curves
    assert curve.total[0] - curve.total[-1] >= least_gone * curve.total[0]
    found = [f for f in report.findings if f.code in TRIAL_RULES and f.severity is not Severity.NOTE]
    assert found == []
    assert ("LD701" in {skip.code for skip in report.skipped}) != floor_is_known


def test_the_sample_learns_one_batch_by_heart(tmp_path):
    small = ("data.size=24", "data.batch_size=4", "measure.batches=1", "model.args.base_channels=8")
    report = overfitted(SAMPLE, tmp_path / "run", *small, "model.checkpoint=null", "trial.steps=60")
    assert [f for f in report.findings if f.code in TRIAL_RULES and f.severity is not Severity.NOTE] == []
    assert "LD701" not in {skip.code for skip in report.skipped}
    assert {verdict.verdict for verdict in report.trial.verdicts} <= {"learned", "fell"}
    assert {Path(file).name for file in report.trial.files} >= {"samples.png", "curves.png"}
    first, last = report.trial.metrics[0], report.trial.metrics[-1]
    assert (last.step, last.split, set(last.metrics)) == (60, "overfitted", {"psnr", "ssim", "colorfulness"})
    assert last.metrics["psnr"] > first.metrics["psnr"]


def test_players_are_not_asked_to_reach_a_minimum(tmp_path):
    report = overfitted(HEALTHY / "hinge_gan.yaml", tmp_path / "run", "trial.steps=40")
    assert {curve.objective: curve.adversarial for curve in report.trial.curves} == {
        "discriminator": True,
        "generator": True,
    }
    assert [f for f in report.findings if f.code in TRIAL_RULES and f.severity is not Severity.NOTE] == []
