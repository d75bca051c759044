from __future__ import annotations

import pytest

from lossdoctor.config.load import load_config, parse_config
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case

from .cases import after_fix, case, check, gradients, the_finding, whole


def scheduled(steps=200, measured=False, **schedule):
    """Return a case with one scheduled weight; `steps` of None leaves the length of the training open."""
    ramp = {"from": 0.0, "to": 1.0, "over": 100, **schedule}
    data = whole({"step": "my_project.train:losses", "weights": {"rec": 1.0, "kl": ramp}})
    config = parse_config({**data, **({} if steps is None else {"trial": {"steps": steps}})})
    return case(gradients(rec=(1.0, 1.0), kl=(1.0, 1.0)), config=config) if measured else Case(config=config)


@pytest.mark.parametrize("measured", [False, True])
def test_a_start_beyond_the_planned_steps(measured):
    finding = the_finding("LD901", scheduled(start=250_001, measured=measured))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("kl",)
    assert "stays 0 for all 200 steps" in finding.message
    assert "step 250001" in finding.message
    assert "loss.weights.kl" in finding.remedy


def test_a_warm_up_longer_than_the_training():
    finding = the_finding("LD901", scheduled(over=1000))
    assert "is 0.2 after all 200 steps" in finding.message


@pytest.mark.parametrize(
    ("schedule", "fires"),
    [
        ({"over": 200}, False),  # ends with the last step
        ({"over": 202}, False),
        ({"over": 210}, True),
        ({"start": 100, "over": 100}, False),
        ({"start": 199, "over": 0}, False),
        ({"start": 201, "over": 0}, True),
        ({"start": 100, "over": 150, "shape": "step"}, True),
        ({"over": 210, "shape": "cosine"}, False),  # slow at its end: 99.4 %
        ({"from": 1.0, "to": 0.0, "over": 1000}, True),
    ],
)
def test_the_schedule_is_simulated(schedule, fires):
    assert bool(check("LD901", scheduled(**schedule))) == fires


@pytest.mark.parametrize("schedule", [{"over": 1000}, {"start": 250_001}])
def test_without_planned_steps_the_training_may_be_as_long_as_it_takes(schedule):
    assert check("LD901", scheduled(steps=None, **schedule)) == []


@pytest.mark.parametrize("steps", [None, 200])
class TestWhateverTheSteps:
    def test_from_0_to_0(self, steps):
        assert "0 at both ends" in the_finding("LD901", scheduled(steps, to=0.0)).message

    def test_a_schedule_without_length_at_the_first_step(self, steps):
        assert "0 is never used" in the_finding("LD901", scheduled(steps, over=0)).message

    def test_a_constant_weight_is_what_it_says(self, steps):
        assert check("LD901", scheduled(steps, **{"from": 1.0})) == []


def test_numbers_are_no_schedules():
    assert check("LD901", Case(config=parse_config(whole({"step": "m:s", "weights": {"a": 1.0, "b": 0.0}})))) == []


def test_built_in_components():
    loss = {"components": {"lab": {"term": "mse"}, "tv": {"term": "tv", "weight": {"from": 0, "to": 1, "over": 0}}}}
    assert the_finding("LD901", Case(config=parse_config(whole(loss)))).components == ("tv",)


@pytest.mark.parametrize("measured", [False, True])
def test_a_component_of_one_of_several_objectives(measured):
    ramp = {"from": 0.0, "to": 0.0, "over": 100}
    config = parse_config(whole({"step": "m:s", "weights": {"generator.adv": ramp}}))
    objectives = [gradients("generator", adv=(1.0, 1.0)), gradients("discriminator", adv=(1.0, 1.0))]
    finding = the_finding("LD901", case(*(objectives if measured else ()), config=config))
    assert finding.remedy.startswith('Correct loss.weights."generator.adv"')
    assert finding.objective == ("generator" if measured else "total")


def test_points_at_the_weight(tmp_path):
    path = tmp_path / "config.yaml"
    path.write_text(
        "model: {target: unet}\ndata: {target: 'm:d'}\nloss:\n  step: m:s\n  weights:\n"
        "    kl: {from: 0.0, to: 1.0, start: 500, over: 10}\ntrial: {steps: 100}\n"
    )
    assert the_finding("LD901", Case(config=load_config(path))).location.line == 6


def test_options():
    assert check("LD901", scheduled(over=400), reached=0.5) == []


@pytest.mark.parametrize(
    ("schedule", "weight"),
    [({"from": 0.0, "to": 0.5, "over": 0}, 0.5), ({"from": 0.0, "to": 0.0, "over": 9}, None)],
)
def test_what_says_the_same_without_a_schedule(schedule, weight):
    """A jump before the first step is a number, and zero at both ends is no component."""
    loss = {"components": {"a": {"term": "mse", "weight": 1.0}, "b": {"term": "l1", "weight": schedule}}}
    (finding,) = check("LD901", Case(config=parse_config(whole(loss))))
    fixed = after_fix(loss, finding).loss.components
    assert (fixed["b"].weight if "b" in fixed else None) == weight


def test_whether_the_steps_or_the_schedule_are_wrong_only_the_author_knows():
    assert the_finding("LD901", scheduled(steps=100, over=5000)).fix is None
