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


@pytest.mark.parametrize("width", [40, 80, 200])
@pytest.mark.parametrize("code", registry())
def test_a_page_fills_the_terminal_and_loses_no_word(code, width):
    page = rule_page(code, width)
    assert page.split() == rule_page(code).split()
    title, blank, *lines = page.splitlines()
    assert max(map(len, lines)) <= min(width, 90)
    assert page.count("\n\n") == rule_page(code).count("\n\n")


def test_entries_of_a_list_stay_apart():
    entries = [line for line in rule_page("LD802").splitlines() if line.startswith("- ")]
    assert [line for line in rule_page("LD802", 60).splitlines() if line.startswith("- ")] != []
    assert sum(line.startswith("- ") for line in rule_page("LD802", 60).splitlines()) == len(entries)


def test_the_list_folds_its_last_column():
    folded = list_rules(80)
    assert folded.split() == list_rules().split()
    assert max(map(len, folded.splitlines())) <= 80
    assert sum(line.startswith("LD") for line in folded.splitlines()) == len(registry())
    assert list_rules(60) == list_rules()
