"""Telling causes from symptoms, choosing rules, and the report that comes of it."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest

from lossdoctor.config.load import parse_config
from lossdoctor.diagnose import diagnose, explain, selected_rules
from lossdoctor.facts.examination import Examination
from lossdoctor.facts.parameters import ParameterFacts
from lossdoctor.records import Finding, Severity, Verdict
from lossdoctor.report import build_report, verdict_of
from lossdoctor.rules import registry
from lossdoctor.rules.base import Case, Rule

from .rules.cases import LAB_DATA, LAB_PREDICTION, PHOTO_255, PREDICTION, case, gradients, operation, whole

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE
STEP = {"step": "my_project.train:losses"}
FOUNDING = {
    "components": {
        "perceptual": {"term": "perceptual", "pretrained": "random", "weight": 1.0},
        "lab": {"term": "mse", "space": "lab", "normalize": False, "weight": 1.0},
        "ab": {"term": "mse", "space": "lab", "channels": ["a", "b"], "normalize": False, "weight": 2.0},
    }
}


def founding_case(perceptual=0.1, weight=1.0):
    weights = {"perceptual": weight, "lab": 1.0, "ab": 2.0}
    facts = gradients(perceptual=(0.97, perceptual), lab=(679.9, 240.0), ab=(791.1, 240.0), weights=weights)
    return case(facts, config=FOUNDING, operations=[operation("mse_loss", LAB_PREDICTION, LAB_DATA, of="lab")])


#: The rules whose joining is tested here; others may find more in the same facts.
SPINE = ["LD101", "LD102", "LD106", "LD201", "LD203", "LD501", "LD502", "LD503", "LD506", "LD601", "LD602"]


def told(case, select=SPINE):
    """What a reader sees: (code, severity, components, code of the cause)."""
    return [(f.code, f.severity, f.components, f.explained_by) for f in diagnose(case, select)[0]]


class TestCausesAndSymptoms:
    def test_the_founding_case(self):
        """One error for both components with the same cause, the starved term explained, colour counted twice."""
        assert told(founding_case()) == [
            ("LD201", E, ("lab", "ab"), None),
            ("LD106", W, ("lab", "ab"), None),
            ("LD102", N, ("perceptual",), "LD201"),
        ]

    def test_a_symptom_of_a_warning_is_a_note_as_well(self):
        """Joint share 98.6 %."""
        facts = case(gradients(lab=(1.0, 98.6), perceptual=(1.0, 1.4)), config=FOUNDING)
        assert told(facts) == [
            ("LD201", W, ("lab",), None),
            ("LD101", N, ("lab",), "LD201"),
        ]

    def test_a_note_explains_nothing(self):
        """Raw CIELAB with a share of 0.2 is not why another component is starved."""
        facts = case(gradients(lab=(0.3, 0.2), l1=(0.7, 0.8), perceptual=(1e-4, 1e-4)), config=FOUNDING)
        assert told(facts) == [
            ("LD102", W, ("perceptual",), None),
            ("LD201", N, ("lab",), None),
        ]

    def test_a_warning_excuses_no_error(self):
        """Raw CIELAB holds 97 %; that b has next to nothing is the fault of its own weight."""
        weights = {"lab": 1.0, "c": 1.0, "b": 1e-3}
        facts = case(gradients(lab=(9.0, 97.0), c=(1.0, 2.7), b=(1.0, 300.0), weights=weights), config=FOUNDING)
        assert told(facts) == [
            ("LD102", E, ("b",), None),
            ("LD201", W, ("lab",), None),
        ]

    def test_two_sides_of_one_effect_are_one_warning(self):
        facts = case(gradients(a=(1.0, 1e3), b=(1.0, 1.0)), config=STEP)
        assert told(facts) == [("LD101", W, ("a",), None), ("LD102", N, ("b",), "LD101")]

    def test_a_huge_weight_explains_who_is_starved_by_it(self):
        facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e4}), config=STEP)
        assert told(facts) == [("LD101", E, ("a",), None), ("LD102", N, ("b",), "LD101")]

    def test_a_tiny_weight_explains_who_dominates(self):
        facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"b": 1e-4}), config=STEP)
        assert told(facts) == [("LD102", E, ("b",), None), ("LD101", N, ("a",), "LD102")]

    def test_pixels_in_0_to_255(self):
        facts = gradients(pix=(60.0, 999.0), other=(1.0, 1.0))
        traced = [operation("l1_loss", PREDICTION, PHOTO_255, of="pix")]
        assert told(case(facts, config=STEP, operations=traced)) == [
            ("LD203", E, ("pix",), None),
            ("LD101", N, ("pix",), "LD203"),
            ("LD102", N, ("other",), "LD203"),
        ]

    def test_a_blunt_ssim_is_why_it_is_starved(self):
        loss = {"components": {"ssim": {"term": "ssim", "data_range": 255}, "l1": {"term": "l1"}}}
        facts = case(gradients(ssim=(0.007, 1e-4), l1=(0.1, 0.1)), config=loss)
        assert ("LD203", W, ("ssim",), None) in told(facts)
        assert ("LD102", N, ("ssim",), "LD203") in told(facts)

    def test_without_a_gradient_nothing_else_is_said_of_a_component(self):
        facts = gradients(a=(1.0, 1.0), b=(50.0, 0.0), c=(50.0, 1.0), detached=["c"])
        assert told(case(facts, config=STEP), [*SPINE, "LD104"]) == [
            ("LD501", E, ("c",), None),
            ("LD502", E, ("b",), None),
            ("LD104", N, ("a", "b"), "LD501"),
        ]

    def test_a_zero_initialised_head_is_a_note_and_nobody_dominates(self):
        facts = gradients(a=(1.0, 1.0), b=(1.0, 0.0))
        zero = ParameterFacts(100, 0, {}, ("head.weight",))
        assert told(case(facts, config=STEP, parameters=zero)) == [("LD502", N, ("b",), None)]

    def test_a_detached_component_is_why_its_parameters_are_not_reached(self):
        facts = gradients(a=(1.0, 1.0), b=(1.0, 0.0), detached=["b"])
        unreached = ParameterFacts(100, 0, {"head.weight": 10})
        assert told(case(facts, config=STEP, parameters=unreached)) == [
            ("LD501", E, ("b",), None),
            ("LD503", N, (), "LD501"),
        ]

    def test_a_value_that_is_not_finite_is_the_only_thing_said_of_it(self):
        facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), c=(math.nan, math.nan))
        assert told(case(facts, config=STEP)) == [("LD601", E, ("c",), None)]

    def test_the_cause_in_one_objective_explains_nothing_in_another(self):
        generator = gradients("generator", a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e4})
        critic = gradients("critic", c=(1.0, 1e3), d=(1.0, 1.0))
        findings, _ = diagnose(case(generator, critic, config=STEP), ["LD101", "LD102"])
        causes = {(f.objective, f.code): f.explained_by for f in findings}
        assert causes == {
            ("generator", "LD101"): None,
            ("generator", "LD102"): "LD101",
            ("critic", "LD101"): None,
            ("critic", "LD102"): "LD101",
        }

    @pytest.mark.parametrize(
        "healthy", [{"a": (8.29, 410.0), "b": (0.0013, 1.66)}, {"a": (1.1, 1.3), "b": (0.7, 11.0)}]
    )
    def test_a_healthy_detector_has_no_error(self, healthy):
        assert E not in {severity for _, severity, _, _ in told(case(gradients(**healthy), config=STEP))}


class TestExplaining:
    """Made-up findings of the registered rules."""

    @staticmethod
    def found(code, severity=E, components=("a",), objective="total"):
        return Finding(code, registry()[code].name, severity, objective, components, "…")

    def test_two_errors_that_account_for_each_other_have_causes_of_their_own(self):
        errors = [self.found("LD101"), self.found("LD102", components=("b",))]
        assert explain(errors) == errors

    def test_a_cause_explains_on_its_own_components(self):
        cause = self.found("LD506", W, ("a", "b"))
        own, other = self.found("LD104", N, ("b",)), self.found("LD104", N, ("b", "c"))
        assert [f.explained_by for f in explain([cause, own, other])] == [None, "LD506", None]

    def test_overshadowing_is_of_the_others_only(self):
        cause = self.found("LD201")
        own, other = self.found("LD102", W, ("a",)), self.found("LD102", W, ("b",))
        assert [f.explained_by for f in explain([cause, own, other])] == [None, None, "LD201"]

    @pytest.mark.parametrize(
        ("cause", "symptom", "explained"),
        [(E, E, True), (E, W, True), (W, W, True), (W, E, False), (N, W, False), (N, N, False), (W, N, True)],
    )
    def test_a_cause_is_harmful_and_as_severe_as_what_it_explains(self, cause, symptom, explained):
        _, found = explain([self.found("LD201", cause), self.found("LD102", symptom, ("b",))])
        assert (found.explained_by == "LD201") == explained
        assert found.severity is (N if explained else symptom)

    def test_the_root_is_named_not_a_symptom_of_it(self):
        """LD201 makes a dominate (LD101), which misleads about b (LD104)."""
        chain = [self.found("LD201"), self.found("LD101"), self.found("LD104", N, ("b",))]
        for findings in itertools.permutations(chain):
            causes = {f.code: f.explained_by for f in explain(findings)}
            assert causes == {"LD201": None, "LD101": "LD201", "LD104": "LD201"}

    def test_an_explanation_is_itself_unexplained_and_no_note(self):
        """Whatever is found at once, at whatever severity."""
        codes = ["LD101", "LD102", "LD104", "LD201", "LD203", "LD501", "LD502"]
        for severities in itertools.product([E, W, N], repeat=3):
            for chosen in itertools.permutations(codes, 3):
                findings = [self.found(c, s, (x,)) for c, s, x in zip(chosen, severities, "aab", strict=True)]
                explained = {f.code: f for f in explain(findings)}
                for finding in explained.values():
                    if finding.explained_by is not None:
                        cause = explained[finding.explained_by]
                        assert cause.explained_by is None
                        assert cause.severity is not N

    def test_rules_that_would_explain_in_a_circle_come_to_an_end(self, monkeypatch):
        def toy(own_code, symptom):
            @dataclass(frozen=True)
            class Toy(Rule):
                code: ClassVar[str] = own_code
                explains: ClassVar[tuple[str, ...]] = (symptom,)

                def check(self, case):
                    return iter(())

            return Toy

        circle = {"LD1": toy("LD1", "LD2"), "LD2": toy("LD2", "LD3"), "LD3": toy("LD3", "LD1")}
        monkeypatch.setattr("lossdoctor.diagnose.registry", lambda: circle)
        assert len(explain([Finding(code, "toy", E, "total", ("a",), "…") for code in circle])) == 3


class TestChoosing:
    KNOWN = ("LD101", "LD106", "LD201", "LD203", "LD902")

    @pytest.mark.parametrize(
        ("select", "ignore", "chosen"),
        [
            ([], [], KNOWN),
            (["LD1", "LD2"], [], KNOWN[:4]),
            (["LD201"], [], KNOWN[2:3]),
            (["LD20", "LD106"], [], KNOWN[1:4]),
            ([], ["LD1", "LD203"], ("LD201", "LD902")),
            (["LD1", "LD2"], ["LD10", "LD203"], ("LD201",)),
            (["LD201"], ["LD2"], ()),
        ],
    )
    def test_by_code_or_prefix(self, select, ignore, chosen, monkeypatch):
        monkeypatch.setattr("lossdoctor.diagnose.registry", lambda: {code: code for code in self.KNOWN})
        assert tuple(selected_rules(select, ignore)) == chosen

    def test_a_cause_that_is_not_selected_explains_nothing(self):
        assert told(founding_case(), ["LD102"]) == [("LD102", W, ("perceptual",), None)]

    def test_options_come_from_the_config(self):
        config = parse_config({**whole(STEP), "rules": {"LD101": {"error_share": 0.99999}}})
        facts = gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": 1e4})
        assert told(case(facts, config=config), ["LD101"]) == [("LD101", W, ("a",), None)]


class TestSkipping:
    def reasons(self, examined, **more):
        return {skip.code: skip.reason for skip in diagnose(Case(examination=examined, **more))[1]}

    def test_the_reason_is_the_instruments(self):
        examined = Examination(gradients=(), skipped={"operations": "left out", "checkpoint": "no checkpoint"})
        reasons = self.reasons(examined)
        assert reasons["LD201"] == reasons["LD203"] == "left out"
        assert reasons["LD801"] == "no checkpoint"
        assert reasons["LD503"] == "parameters: not measured"
        assert reasons["LD902"] == "needs a config"
        assert "LD101" not in reasons

    def test_without_an_examination(self):
        _, skipped = diagnose(Case(config=parse_config(whole(STEP))))
        assert {skip.code: skip.reason for skip in skipped}["LD101"] == "needs a measurement"
        assert "LD902" not in {skip.code for skip in skipped}

    def test_what_is_not_selected_is_not_skipped_either(self):
        _, skipped = diagnose(Case(examination=Examination()), select=["LD101"])
        assert [skip.code for skip in skipped] == ["LD101"]


class TestReport:
    def test_the_most_severe_first_then_by_code_objective_and_components(self):
        facts = [
            gradients(name, a=(1.0, 1e4), b=(1.0, 1.0), c=(1.0, 1.0), d=(9.0, 0.0), detached=["d"])
            for name in ("y", "x")
        ]
        order = [(f.severity, f.code, f.objective, f.components) for f in diagnose(case(*facts), SPINE)[0]]
        assert order == [
            (E, "LD501", "x", ("d",)),
            (E, "LD501", "y", ("d",)),
            (W, "LD101", "x", ("a",)),
            (W, "LD101", "y", ("a",)),
            (N, "LD102", "x", ("b",)),
            (N, "LD102", "x", ("c",)),
            (N, "LD102", "y", ("b",)),
            (N, "LD102", "y", ("c",)),
        ]

    @pytest.mark.parametrize(
        ("severities", "verdict"),
        [([], Verdict.PASS), ([N], Verdict.PASS), ([N, W], Verdict.WARN), ([W, E, N], Verdict.FAIL)],
    )
    def test_the_verdict_is_that_of_the_worst(self, severities, verdict):
        assert verdict_of([TestExplaining.found("LD101", severity) for severity in severities]) is verdict

    def test_everything_that_was_found_is_in_it(self):
        facts = founding_case()
        report = build_report(facts, command="inspect", config="unnormalized.yaml", environment={"device": "cpu"})
        assert report.verdict is Verdict.FAIL
        assert (report.findings, report.skipped) == diagnose(facts)
        (objective,) = report.objectives
        assert objective.value == pytest.approx(0.97 + 679.9 + 2 * 791.1)
        assert report.environment == {"device": "cpu"}

    def test_the_config_selects_what_is_in_it(self):
        config = parse_config({**whole(FOUNDING), "rules": {"select": ["LD106", "LD10"], "ignore": ["LD101"]}})
        report = build_report(replace(founding_case(), config=config), command="inspect", config="", environment={})
        codes = {finding.code for finding in report.findings}
        assert {"LD102", "LD106"} <= codes
        assert not codes & {"LD101", "LD201"}
        assert report.verdict is Verdict.WARN
