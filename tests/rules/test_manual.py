"""`lossdoctor rule`: one page, or all of them in a line each."""

from __future__ import annotations

import pytest

from lossdoctor.errors import LossDoctorError
from lossdoctor.manual import list_rules, rule_page
from lossdoctor.rules import registry


@pytest.mark.parametrize("code", ["LD201", "ld201"])
def test_a_page_is_the_rules_own_docstring(code):
    title, blank, first, *_ = rule_page(code).splitlines()
    assert title == "LD201 unnormalized-color-space (error)"
    assert blank == ""
    assert first == "A loss compares the channels of a colour space in that space's own units."


def test_a_page_is_not_indented():
    assert not any(line.startswith(" ") for line in rule_page("LD502").splitlines())


def test_all_rules_are_listed_in_a_line_each():
    lines = list_rules().splitlines()
    assert [line.split()[0] for line in lines] == list(registry())
    assert all(rule.name in line for rule, line in zip(registry().values(), lines, strict=True))


@pytest.mark.parametrize(
    ("code", "advice"), [("LD902x", "did you mean `LD902`"), ("flake8", "`lossdoctor rule` lists")]
)
def test_a_code_that_does_not_exist(code, advice):
    with pytest.raises(LossDoctorError, match=advice) as caught:
        rule_page(code)
    assert f"no rule '{code}'" in str(caught.value)
