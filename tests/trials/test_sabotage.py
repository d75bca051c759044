"""Ten ways to keep a loss from training, each named by its code and component; and the healthy original."""

from __future__ import annotations

from pathlib import Path

import pytest

from lossdoctor.records import Finding, Report, Severity
from lossdoctor.trial_api import overfit_batch

HERE = Path(__file__).parent

HEALTHY = {
    "model": {"target": "sabotaged:Net"},
    "data": {"target": "sabotaged:data"},
    "loss": {"function": "sabotaged:terms", "weights": {"square": 1.0, "absolute": 1.0}},
    "measure": {"batches": 2},
    "trial": {"steps": 200, "lr": 0.01},
}

GAN = {
    "model": {"target": "sabotaged:GAN"},
    "data": {"target": "sabotaged:far_away"},
    "loss": {"step": "sabotaged:game", "weights": {"real": 1.0, "fake": 1.0, "adversarial": 1.0}},
    "measure": {"batches": 2},
    "trial": {"steps": 200, "lr": 1e-4, "objectives": {"discriminator": {"lr": 0.01}}},
}


def overfitted(tmp_path, **changes) -> Report:
    from lossdoctor.config.load import parse_config

    base = changes.pop("base", HEALTHY)
    config = {section: {**values, **changes.get(section, {})} for section, values in base.items()}
    loaded = parse_config(config, HERE / "sabotaged.yaml")
    return overfit_batch(loaded, output_dir=tmp_path / "run").report


def found(report: Report, code: str) -> Finding:
    (finding,) = [finding for finding in report.findings if finding.code == code]
    return finding


def test_the_original_is_healthy(tmp_path):
    report = overfitted(tmp_path)
    assert [(f.code, f.severity) for f in report.findings if f.severity is not Severity.NOTE] == []
    assert not {skip.code for skip in report.skipped} & {"LD701", "LD702", "LD703", "LD704", "LD705", "LD706"}
    assert {verdict.verdict for verdict in report.trial.verdicts} == {"learned"}
    assert all(verdict.input_used for verdict in report.trial.verdicts)


SABOTAGE = {
    "detached head": ({"model": {"target": "sabotaged:DetachedHead"}}, "LD502", {"square", "absolute"}),
    "learning rate 0": ({"trial": {"steps": 40, "lr": 0.0}}, "LD701", {"square", "absolute"}),
    "learning rate 1e3": ({"trial": {"steps": 100, "lr": 1e3}}, "LD703", {"square"}),
    "targets shuffled in each step": ({"loss": {"function": "sabotaged:shuffled_targets"}}, "LD701", {"square"}),
    "input ignored": ({"model": {"target": "sabotaged:IgnoresInput"}}, "LD706", {"square", "absolute"}),
    "wrong sign in the loss": (
        {"loss": {"function": "sabotaged:wrong_sign", "weights": {"square": 0.001, "absolute": 1.0}}},
        "LD403",
        {"absolute"},
    ),
    "wrong sign of a weight": ({"loss": {"weights": {"square": 0.01, "absolute": -1.0}}}, "LD403", {"absolute"}),
    "dead ReLU": (
        {"model": {"target": "sabotaged:DeadReLU"}, "data": {"target": "sabotaged:above_zero"}},
        "LD502",
        {"square", "absolute"},
    ),
    "all parameters frozen": ({"model": {"target": "sabotaged:Frozen"}}, "LD501", {"square", "absolute"}),
    "fp16 overflow": (
        {"loss": {"function": "sabotaged:overflowing"}, "measure": {"precision": "fp16"}},
        "LD601",
        {"square"},
    ),
}


@pytest.mark.parametrize("case", SABOTAGE)
def test_is_named(case, tmp_path):
    changes, code, components = SABOTAGE[case]
    report = overfitted(tmp_path, **changes)
    finding = found(report, code)
    assert components <= set(finding.components)
    assert finding.explained_by is None


@pytest.mark.parametrize("case", ["detached head", "dead ReLU", "all parameters frozen", "input ignored"])
def test_what_it_does_to_training_is_a_note(case, tmp_path):
    changes, code, components = SABOTAGE[case]
    symptom = found(overfitted(tmp_path, **changes), "LD701")
    assert components <= set(symptom.components)
    assert (symptom.severity, symptom.explained_by) == (Severity.NOTE, code)
