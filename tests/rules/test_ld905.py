from __future__ import annotations

import copy

import pytest

from lossdoctor.baseline import ConfigBaseline, baseline_of
from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity
from lossdoctor.report import build_report
from lossdoctor.rules.base import Case

from .cases import case, check, gradients, the_finding, whole

BUILT_IN = {
    "components": {
        "features": {"term": "perceptual", "pretrained": "random", "weight": 1.0},
        "lab": {"term": "mse", "space": "lab", "channels": ["L"], "weight": 10.0},
        "ab": {"term": "mse", "space": "lab", "channels": ["a", "b"], "weight": 9.8},
    }
}
STEP = {"step": "m:s", "weights": {"fit": 1.0, "kl": 0.01}}


def baseline(loss, *measured) -> ConfigBaseline:
    before = case(*measured, config=loss) if measured else Case(config=parse_config(whole(loss)))
    return baseline_of(before.config, build_report(before, command="check", config="c", environment={}))


def now(loss, known, *measured) -> Case:
    after = case(*measured, config=loss) if measured else Case(config=parse_config(whole(loss)))
    return Case(after.config, after.examination, baseline=known)


def changed(name, **entries):
    loss = copy.deepcopy(BUILT_IN)
    loss["components"][name].update(entries)
    return loss


def test_without_a_baseline_there_is_nothing_to_compare():
    assert check("LD905", Case(config=parse_config(whole(BUILT_IN)))) == []


@pytest.mark.parametrize("loss", [BUILT_IN, STEP], ids=["components", "step"])
def test_the_same_config_is_fine(loss):
    assert check("LD905", now(loss, baseline(loss))) == []


def test_order_and_defaults_written_out_are_no_change():
    same = {
        "components": dict(
            reversed(changed("ab", channels=["b", "a"], normalize=True, reduction="mean")["components"].items())
        )
    }
    assert check("LD905", now(same, baseline(BUILT_IN))) == []


@pytest.mark.parametrize(
    ("entries", "quantity", "severity"),
    [
        ({"weight": 9800.0}, "weight", Severity.ERROR),
        ({"weight": 0.0098}, "weight", Severity.ERROR),
        ({"weight": 0.0}, "weight", Severity.ERROR),
        ({"weight": -9.8}, "weight", Severity.ERROR),
        ({"weight": 11.0}, "weight", Severity.NOTE),
        ({"weight": {"from": 0.0, "to": 9.8, "over": 10}}, "weight", Severity.WARNING),
        ({"normalize": False}, "normalize", Severity.ERROR),
        ({"reduction": "sum"}, "reduction", Severity.ERROR),
        ({"space": "luv", "channels": ["u", "v"]}, "space", Severity.NOTE),
        ({"term": "l1"}, "term", Severity.ERROR),
    ],
    ids=str,
)
def test_a_change_names_component_and_quantity_and_is_judged_by_its_effect(entries, quantity, severity):
    finding = the_finding("LD905", now(changed("ab", **entries), baseline(BUILT_IN)))
    assert finding.components == ("ab",)
    assert quantity in finding.evidence
    assert quantity in finding.message
    assert finding.severity is severity


def test_an_effect_that_cannot_be_told_is_a_warning():
    finding = the_finding("LD905", now(changed("features", backbone="vgg16"), baseline(BUILT_IN)))
    assert finding.severity is Severity.WARNING
    assert finding.evidence["backbone"] == {"before": "squeezenet1_1", "now": "vgg16"}


def test_a_component_that_is_gone_is_an_error_and_a_new_one_a_warning():
    fewer = {"components": {name: part for name, part in BUILT_IN["components"].items() if name != "ab"}}
    gone = the_finding("LD905", now(fewer, baseline(BUILT_IN)))
    assert (gone.components, gone.severity, gone.evidence["quantity"]) == (("ab",), Severity.ERROR, "component")
    new = the_finding("LD905", now(BUILT_IN, baseline(fewer)))
    assert (new.components, new.severity) == (("ab",), Severity.WARNING)


def test_weights_of_user_code_are_compared_by_their_ratio():
    heavier = {**STEP, "weights": {"fit": 1.0, "kl": 10.0}}
    finding = the_finding("LD905", now(heavier, baseline(STEP)))
    assert (finding.components, finding.severity) == (("kl",), Severity.ERROR)
    assert finding.evidence["expected_ratio"] == pytest.approx(1000)


def test_another_step_is_a_warning_about_all():
    finding = the_finding("LD905", now({**STEP, "step": "m:other"}, baseline(STEP)))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("fit", "kl")
    assert finding.evidence == {"step": {"before": "m:s", "now": "m:other"}}


class TestMeasured:
    BEFORE = gradients(fit=(1.0, 1.0), kl=(1.0, 1.0), weights=STEP["weights"])

    def test_a_share_that_drifted_is_an_error_though_nothing_was_declared_differently(self):
        after = gradients(fit=(1.0, 1.0), kl=(1.0, 50.0), weights=STEP["weights"])
        finding = the_finding("LD905", now(STEP, baseline(STEP, self.BEFORE), after))
        assert (finding.components, finding.severity) == (("kl",), Severity.ERROR)
        assert finding.evidence["grad_share"] == {
            "before": pytest.approx(0.01 / 1.01, rel=1e-3),
            "now": pytest.approx(1 / 3, rel=1e-3),
        }

    @pytest.mark.parametrize("norm", [1.0, 2.5])
    def test_within_the_tolerance_it_is_fine(self, norm):
        after = gradients(fit=(1.0, 1.0), kl=(1.0, norm), weights=STEP["weights"])
        assert check("LD905", now(STEP, baseline(STEP, self.BEFORE), after)) == []

    def test_the_tolerance_is_that_of_the_config(self):
        after = gradients(fit=(1.0, 1.0), kl=(1.0, 2.5), weights=STEP["weights"])
        strict = {**STEP, "tolerance": 2.0}
        assert the_finding("LD905", now(strict, baseline(strict, self.BEFORE), after)).components == ("kl",)

    def test_shares_next_to_nothing_may_change(self):
        before = gradients(fit=(1.0, 1.0), kl=(1.0, 0.1), weights=STEP["weights"])
        after = gradients(fit=(1.0, 1.0), kl=(1.0, 0.001), weights=STEP["weights"])
        assert check("LD905", now(STEP, baseline(STEP, before), after)) == []

    def test_a_weight_is_judged_by_the_share_that_it_makes(self):
        heavier = {**STEP, "weights": {"fit": 1.0, "kl": 10.0}}
        after = gradients(fit=(1.0, 1.0), kl=(1.0, 1.0), weights=heavier["weights"])
        findings = check("LD905", now(heavier, baseline(STEP, self.BEFORE), after))
        assert [(f.components, f.severity) for f in findings] == [(("fit",), Severity.ERROR), (("kl",), Severity.ERROR)]
        assert "weight" in findings[1].evidence

    def test_several_objectives_are_kept_apart(self):
        gan = {"step": "m:s", "weights": {"generator.adv": 1.0, "l1": 10.0}}
        before = [
            gradients("generator", adv=(1.0, 1.0), l1=(1.0, 1.0)),
            gradients("discriminator", adv=(1.0, 1.0), l1=(1.0, 1.0)),
        ]
        after = [before[0], gradients("discriminator", adv=(1.0, 1.0), l1=(1.0, 100.0))]
        findings = check("LD905", now(gan, baseline(gan, *before), *after))
        assert {(f.objective, *f.components) for f in findings} == {("discriminator", "adv")}

    def test_a_component_that_the_code_no_longer_returns_is_gone(self):
        after = gradients(fit=(1.0, 1.0), other=(1.0, 0.01), weights={"fit": 1.0})
        loss = {"step": "m:s", "weights": {"fit": 1.0}}
        before = baseline(loss, gradients(fit=(1.0, 1.0), kl=(1.0, 0.01), weights={"fit": 1.0}))
        findings = check("LD905", now(loss, before, after))
        assert [(f.components, f.severity) for f in findings] == [
            (("kl",), Severity.ERROR),
            (("other",), Severity.WARNING),
        ]

    def test_a_static_check_against_a_measured_baseline_compares_what_is_declared(self):
        assert check("LD905", now(STEP, baseline(STEP, self.BEFORE))) == []
