"""The schema: what the reading of a config relies on, and the checks that a single value carries."""

from __future__ import annotations

from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from lossdoctor.config.descriptions import describe
from lossdoctor.config.schema import BUILT_IN_MODELS, Config, Schedule
from lossdoctor.config.sections import alternatives, fields, find_spot, is_section


def sections(annotation: Any) -> set[type[BaseModel]]:
    """Every section of the schema below an annotation."""
    found: set[type[BaseModel]] = set()
    for alternative in alternatives(annotation).values():
        if is_section(alternative):
            found |= {alternative}.union(*(sections(field.annotation) for field in alternative.model_fields.values()))
        elif get_args(alternative) and get_origin(alternative) in (dict, list):
            found |= sections(get_args(alternative)[-1])
    return found


def test_every_key_is_documented():
    assert len(sections(Config)) >= 16
    for section in sections(Config):
        assert section.__doc__
        for key in fields(section):
            # `term` says what it is by its values; sections are described by themselves.
            assert describe(section, key) or key == "term", f"{section.__name__}.{key}"


def test_every_section_is_closed_strict_and_frozen():
    for section in sections(Config):
        config = section.model_config
        assert config["strict"] is config["frozen"] is True
        assert config["extra"] == ("allow" if section.__name__ == "RulesConfig" else "forbid")


BASE = {"model": {"target": "a:b"}, "data": {"target": "a:b"}, "loss": {"step": "a:b"}}


@pytest.mark.parametrize(
    ("change", "keys"),
    [
        ({"data": {"images": 1}}, ("data", "images")),
        ({"data": {"target": "a:b", "validation": {"target": 1}}}, ("data", "validation", "target")),
        ({"loss": {"components": {"mse": {"term": "mse", "mse": 1}}}}, ("loss", "components", "mse", "mse")),
        (
            {"loss": {"components": {"x": {"term": "tv", "weight": {"from": "a", "to": 1, "over": 1}}}}},
            ("loss", "components", "x", "weight", "from"),
        ),
        (
            {"loss": {"components": {"x": {"term": "perceptual", "layers": [0, -1]}}}},
            ("loss", "components", "x", "layers", "1"),
        ),
        ({"loss": {"step": "a:b", "weights": {"number": "x"}}}, ("loss", "weights", "number")),
        ({"measure": {"parameters": {"patterns": 1}}}, ("measure", "parameters", "patterns")),
        ({"trial": {"measure_every": "x"}}, ("trial", "measure_every")),
    ],
)
def test_locations_become_the_keys_that_the_user_wrote(change, keys):
    with pytest.raises(ValidationError) as caught:
        Config.model_validate({**BASE, **change})
    (detail,) = caught.value.errors()
    assert find_spot(Config, detail["loc"]).keys == keys


def test_built_in_models_are_those_that_exist():
    from lossdoctor.models import BUILT_IN

    assert set(BUILT_IN_MODELS) == set(BUILT_IN)


@pytest.mark.parametrize("shape", ["linear", "cosine", "step"])
def test_schedules(shape):
    schedule = Schedule(**{"from": 2.0}, to=-1.0, start=10, over=20, shape=shape)
    weights = [schedule.at(step) for step in range(50)]
    assert set(weights[:11]) == {2.0}
    assert set(weights[30:]) == {-1.0}
    assert weights == sorted(weights, reverse=True)
    middle = {"linear": 0.5, "cosine": 0.5, "step": 2.0}[shape]
    assert schedule.at(20) == pytest.approx(middle)
