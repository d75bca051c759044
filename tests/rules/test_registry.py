"""What every rule has to be, those that are written later included.

What every finding has to be is checked wherever a test looks at one: see `assert_sound` in cases.py.
"""

from __future__ import annotations

import dataclasses
import math
import random
import re
import sys
from pathlib import Path

import pytest

import lossdoctor.rules
from lossdoctor.config.load import parse_config
from lossdoctor.config.rule_options import options_of
from lossdoctor.diagnose import diagnose
from lossdoctor.errors import ConfigError
from lossdoctor.facts.examination import Examination
from lossdoctor.manual import list_rules, rule_page
from lossdoctor.records import Severity
from lossdoctor.rules import registry
from lossdoctor.rules.base import Case
from lossdoctor.trial_records import Trial

from .cases import assert_sound, case, gradients, whole
from .published import NAMES, SEVERITIES

STEP = {"step": "my_project.train:losses"}
NAN = math.nan


@pytest.mark.parametrize("code", registry())
class TestEveryRule:
    def test_has_the_published_name_and_level(self, code):
        rule = registry()[code]
        assert rule.name == NAMES.get(code, rule.name)
        assert rule.severity is min(SEVERITIES.get(code, {rule.severity}), key=lambda severity: severity.rank)
        assert (code in NAMES) or rule.name not in NAMES.values()

    def test_has_a_file_and_a_test_file_of_its_own(self, code):
        module = sys.modules[registry()[code].__module__]
        assert Path(module.__file__).stem.startswith(f"{code.lower()}_")
        assert Path(__file__).with_name(f"test_{code.lower()}.py").exists()

    def test_has_a_manual_page(self, code):
        first, blank, *rest = registry()[code].manual().splitlines()
        assert re.fullmatch(r"[A-Z].*\w\.", first), "the first line is a sentence"
        assert ". " not in first
        assert blank == ""
        assert any(line.startswith("Remedy: ") for line in rest)

    def test_its_page_explains_every_option(self, code):
        page = registry()[code].manual()
        assert all(f"`{option}`" in page for option in registry()[code].options())

    def test_its_options_have_finite_defaults(self, code):
        assert all(math.isfinite(default) for _, default in registry()[code].options().values())

    def test_its_options_are_validated(self, code):
        for option in options_of(registry()[code]).model_fields:
            with pytest.raises(ConfigError, match=rf"rules\.{code}\.{option}"):
                parse_config({**whole(STEP), "rules": {code: {option: "high"}}})
            with pytest.raises(ConfigError, match=rf"rules\.{code}\.{option}"):
                parse_config({**whole(STEP), "rules": {code: {option: NAN}}})

    def test_an_option_that_it_does_not_have_is_refused(self, code):
        with pytest.raises(ConfigError, match=rf"rules\.{code}\.no_such_option"):
            parse_config({**whole(STEP), "rules": {code: {"no_such_option": 1}}})

    def test_names_only_rules_that_there_are(self, code):
        rule = registry()[code]
        assert set(rule.explains) | set(rule.overshadows) <= (NAMES.keys() | registry().keys()) - {code}

    def test_needs_facts_that_there_are(self, code):
        facts = {field.name for field in dataclasses.fields(Examination)} | {"config", "trial"}
        facts |= {f"trial.{field.name}" for field in dataclasses.fields(Trial)}
        assert set(registry()[code].requires) <= facts - {"skipped"}

    def test_is_silent_where_nothing_was_measured(self, code):
        assert diagnose(case(), select=[code])[0] == ()

    def test_is_skipped_with_a_reason_where_facts_are_missing(self, code):
        missing = Examination(skipped={"checkpoint": "no checkpoint is configured"})
        _, skipped = diagnose(Case(examination=missing), select=[code])
        reasons = {skip.code: skip.reason for skip in skipped}
        assert bool(reasons.get(code)) == bool(registry()[code].requires)


class TestOptions:
    def test_what_is_given_counts_and_the_rest_keeps_its_default(self):
        rule, default = registry()["LD101"](warning_share=0.5), registry()["LD101"]()
        assert rule.warning_share == 0.5
        assert default.warning_share != 0.5
        assert rule.code == default.code

    def test_one_that_the_rule_does_not_have_is_refused(self):
        with pytest.raises(TypeError, match="LD101 has no option warn and worry"):
            registry()["LD101"](warn=1, worry=2)

    def test_class_variables_are_none(self):
        assert not {"code", "name", "severity", "requires"} & registry()["LD101"].options().keys()


def test_every_rule_has_one_code():
    files = Path(lossdoctor.rules.__file__).parent.glob("ld*.py")
    assert len(list(files)) == len(registry())
    assert list(registry()) == sorted(registry())


def test_no_chain_of_explanations_is_a_circle():
    """Two rules may account for each other, which cancels out; three in a circle would not."""
    causes = {code: {*rule.explains, *rule.overshadows} for code, rule in registry().items()}
    one_way = {
        code: {symptom for symptom in symptoms if code not in causes.get(symptom, ())}
        for code, symptoms in causes.items()
    }

    def reach(code, seen):
        assert code not in seen, f"{' → '.join([*seen, code])}"
        for symptom in one_way.get(code, ()):
            reach(symptom, [*seen, code])

    for code in one_way:
        reach(code, [])


class TestAnyNumbers:
    """Random setups: whatever is measured, a rule says something sound or nothing."""

    @staticmethod
    def random_case(seed):
        dice = random.Random(seed)
        names = ["a", "b", "c", "d"][: dice.randint(1, 4)]
        return gradients(
            **{name: (dice.choice([0.0, 1.0, -2.0, 1e4, NAN]), 10 ** dice.uniform(-6, 6)) for name in names},
            weights={name: dice.choice([None, 0.0, 1.0, -1.0, 1e-3, 1e3, 1e6]) for name in names},
            roles={name: "regularizer" for name in names if dice.random() < 0.2},
            detached=[name for name in names if dice.random() < 0.2],
            own={name: 1.0 for name in names if dice.random() < 0.2},
        )

    @pytest.mark.parametrize("seed", range(60))
    def test_every_finding_is_allowed_and_every_error_has_a_cause(self, seed):
        facts = self.random_case(seed)
        examined = case(facts, config=STEP)
        for finding in diagnose(examined)[0]:
            if finding.explained_by is None:
                assert_sound(finding, examined)
            if finding.code in ("LD101", "LD102"):
                weights = [abs(w) for w in finding.evidence["other_weights"].values()]
                own = abs(finding.evidence["weight"])
                extreme = own >= 1000 * max(weights) or 1000 * own <= min(weights)
                assert finding.severity is not Severity.ERROR or extreme

    @pytest.mark.parametrize("seed", range(20))
    def test_the_order_of_the_components_does_not_matter(self, seed):
        facts = self.random_case(seed)
        turned = dataclasses.replace(
            facts,
            **{name: getattr(facts, name)[::-1] for name in ("components", "weights", "declared", "roles", "attached")},
            values=tuple(batch[::-1] for batch in facts.values),
            output_grad_norms=tuple(batch[::-1] for batch in facts.output_grad_norms),
            blocks=tuple(
                dataclasses.replace(
                    block,
                    reached_by=block.reached_by[::-1],
                    gramians=tuple(tuple(row[::-1] for row in G[::-1]) for G in block.gramians),
                )
                for block in facts.blocks
            ),
        )

        def summary(objective):
            return sorted((f.code, f.severity.value, sorted(f.components)) for f in diagnose(case(objective))[0])

        assert summary(turned) == summary(facts)

    @pytest.mark.parametrize("seed", range(20))
    def test_a_common_factor_of_all_gradients_changes_nothing(self, seed):
        facts = self.random_case(seed)
        scaled = dataclasses.replace(
            facts,
            blocks=tuple(
                dataclasses.replace(
                    block,
                    gramians=tuple(tuple(tuple(1024.0**2 * g for g in row) for row in G) for G in block.gramians),
                )
                for block in facts.blocks
            ),
        )
        assert [(f.code, f.severity) for f in diagnose(case(scaled))[0]] == [
            (f.code, f.severity) for f in diagnose(case(facts))[0]
        ]


class TestDroppingAFileIntoTheFolder:
    RULE = '''
from typing import ClassVar

from lossdoctor.records import Severity
from lossdoctor.rules.base import Rule


class Extra(Rule):
    """Something new is wrong.

    Remedy: nothing.
    """

    code: ClassVar[str] = "LD999"
    name: ClassVar[str] = "extra"
    severity: ClassVar[Severity] = Severity.WARNING

    limit: float = 0.5

    def check(self, case):
        yield self.finding(["a"], f"above {self.limit}")
'''

    @pytest.fixture(autouse=True)
    def new_rule(self, tmp_path, monkeypatch):
        (tmp_path / "ld999_extra.py").write_text(self.RULE, encoding="utf-8")
        monkeypatch.setattr(lossdoctor.rules, "__path__", [*lossdoctor.rules.__path__, str(tmp_path)])
        registry.cache_clear()
        yield
        registry.cache_clear()
        sys.modules.pop("lossdoctor.rules.ld999_extra", None)
        vars(lossdoctor.rules).pop("ld999_extra", None)

    def test_is_enough_to_be_found_last(self):
        assert list(registry())[-1] == "LD999"

    def test_is_enough_to_be_run_with_its_options(self):
        config = {**whole(STEP), "rules": {"LD999": {"limit": 0.25}}}
        findings, _ = diagnose(case(config=parse_config(config)), select=["LD9"])
        assert [(f.code, f.severity, f.message) for f in findings] == [("LD999", Severity.WARNING, "above 0.25")]

    def test_is_enough_to_be_explained(self):
        assert rule_page("LD999").startswith("LD999 extra (warning)\n\nSomething new is wrong.")
        assert "LD999" in list_rules()

    def test_is_enough_to_be_validated(self):
        with pytest.raises(ConfigError, match=r"rules\.LD999\.limits"):
            parse_config({**whole(STEP), "rules": {"LD999": {"limits": 1}}})
