"""LD101 and LD102 on a trajectory: a balance that holds at the start and is lost later."""

from __future__ import annotations

import pytest

from lossdoctor.balance import summarize
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case
from lossdoctor.trial_records import Curve, TrajectoryPoint, Trial

from .cases import case, check, gradients, the_finding

STEP = {"step": "my_project.train:losses"}


def trajectory(*moments, config=None, adversarial=False, **options):
    """A run measured several times, each moment given as component=(value, norm); the first is the diagnosis too."""
    measured = [gradients(**options, **moment) for moment in moments]
    points = tuple(TrajectoryPoint(10 * k, (summarize(each),)) for k, each in enumerate(measured))
    curve = Curve("total", (), (), {}, {}, {}, trained=1, adversarial=adversarial)
    facts = case(measured[0], config=config)
    return Case(
        config=facts.config,
        examination=facts.examination,
        trial=Trial("train", 10, 10, curves=(curve,), trajectory=points),
    )


START = {"a": (1.0, 1.0), "b": (1.0, 1.0)}


def end(value, norm):
    return {"a": (0.5, 1.0), "b": (value, norm)}


@pytest.mark.parametrize(("norm", "fires"), [(0.0050, True), (0.0051, False)])
def test_a_component_that_is_starved_later(norm, fires):
    facts = trajectory(START, end(0.9, norm), end(0.9, norm), config=STEP)
    assert bool(check("LD102", facts)) == fires
    if fires:
        finding = the_finding("LD102", facts)
        assert (finding.severity, finding.components, finding.fix) == (Severity.WARNING, ("b",), None)
        assert finding.evidence["step"] == 20
        assert "step 20" in finding.message
        assert "50 % at the start" in finding.message
        assert finding.location is not None


def test_once_is_not_enough_unless_there_are_only_two_measurements():
    assert check("LD102", trajectory(START, end(0.9, 1.0), end(0.9, 1e-4))) == []
    assert check("LD102", trajectory(START, end(0.9, 1e-4), end(0.9, 1.0))) == []
    assert len(check("LD102", trajectory(START, end(0.9, 1e-4)))) == 1


@pytest.mark.parametrize("value", [0.5, 0.0, -1.0])
def test_what_has_been_learned_may_be_silent(value):
    facts = trajectory(START, end(value, 1e-4), end(value, 1e-4))
    assert check("LD102", facts) == []
    assert check("LD101", facts) == []  # nobody is left behind


def test_a_negative_component_is_learned_as_it_falls():
    start = {"a": (1.0, 1.0), "b": (-1.0, 1.0)}
    assert check("LD102", trajectory(start, end(-1.6, 1e-4))) == []
    assert len(check("LD102", trajectory(start, end(-1.4, 1e-4)))) == 1


@pytest.mark.parametrize(("norm", "fires"), [(49.0, True), (48.9, False)])
def test_a_component_that_dominates_later_and_leaves_another_behind(norm, fires):
    moment = {"a": (0.5, norm), "b": (0.9, 1.0)}
    facts = trajectory(START, moment, moment)
    assert bool(check("LD101", facts)) == fires
    if fires:
        finding = the_finding("LD101", facts)
        assert finding.components == ("a",)
        assert finding.severity is Severity.WARNING
        assert finding.evidence["left_behind"] == ["b"]


def test_what_was_so_at_the_start_is_said_once():
    starved = {"a": (1.0, 1e3), "b": (1.0, 1.0)}
    facts = trajectory(starved, starved, starved)
    assert len(check("LD101", facts)) == 1
    assert len(check("LD102", facts)) == 1


def test_players_and_regularizers_and_declared_shares_are_left_out():
    moments = (START, end(0.9, 1e-4), end(0.9, 1e-4))
    assert check("LD102", trajectory(*moments, adversarial=True)) == []
    assert check("LD102", trajectory(*moments, roles={"b": "regularizer"})) == []
    assert check("LD102", trajectory(*moments, config={**STEP, "shares": {"b": 0.001}})) == []


def test_a_component_without_a_number_says_nothing():
    assert check("LD102", trajectory(START, end(float("nan"), 1e-4))) == []
