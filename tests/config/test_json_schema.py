"""The JSON Schema accepts what `load_config` accepts, and knows every key."""

from __future__ import annotations

import json

import pytest

from lossdoctor.config.json_schema import config_schema
from lossdoctor.config.starter import starter_config
from lossdoctor.config.yaml_reader import read_yaml

from .test_bad_configs import CASES, RULE_CASES
from .test_load import FULL

jsonschema = pytest.importorskip("jsonschema")

BASE = {"model": {"target": "unet"}, "data": {"target": "a:b"}, "loss": {"step": "a:b"}}


@pytest.fixture
def is_valid(toy_rules):
    return jsonschema.Draft202012Validator(config_schema()).is_valid


def test_is_a_schema_of_its_dialect(toy_rules):
    schema = config_schema()
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["title"] == "lossdoctor config"
    jsonschema.Draft202012Validator.check_schema(schema)
    assert json.loads(json.dumps(schema)) == schema


@pytest.mark.parametrize(
    "data",
    [
        BASE,
        read_yaml(FULL, "f").value,
        read_yaml(starter_config("images"), "f").value,
        read_yaml(starter_config("code"), "f").value,
        {**BASE, "loss": {"components": {"x": {"term": "ssim", "weight": None}}, "function": None}},
        {**BASE, "loss": {"step": "a:b", "weights": {"x": {"from": 0, "to": 1.5, "over": 3}}}},
        {**BASE, "measure": {"parameters": {"g": "*"}, "device": "cuda:0"}, "trial": {"measure_every": 5}},
        {**BASE, "data": {"target": "a:b", "validation": {"target": "a:c"}}},
        {**BASE, "rules": {"select": ["LD9"], "LD901": {"share": 1, "count": 2}}},
    ],
)
def test_good_configs(is_valid, data):
    assert is_valid(data)


@pytest.mark.parametrize("case", [case for case in CASES if " typo" in case.name], ids=lambda case: case.name)
def test_unknown_keys(is_valid, case):
    data = read_yaml(case.text, "f").value
    assert not is_valid({**BASE, **data})


@pytest.mark.parametrize("text", [text for name, text, *_ in RULE_CASES if "option" in name or "typo" in name])
def test_rules(is_valid, text):
    assert not is_valid({**BASE, **read_yaml(text, "f").value})


@pytest.mark.parametrize("loss", [{}, {"step": "a:b", "function": "a:b"}, {"components": None}, {"step": "no colon"}])
def test_exactly_one_loss(is_valid, loss):
    assert not is_valid({**BASE, "loss": loss})


def test_real_rules_have_their_options():
    from lossdoctor.rules import registry

    schema = config_schema()
    is_valid = jsonschema.Draft202012Validator(schema).is_valid
    rules = schema["$defs"]["RulesConfig"]["properties"]
    for code in registry():
        assert rules[code]["description"]
        assert is_valid({**BASE, "rules": {code: {}}})
        assert not is_valid({**BASE, "rules": {code: {"no_such_option": 1}}})


def test_keys_are_described(toy_rules):
    schema = config_schema()
    for name, section in schema["$defs"].items():
        for key, value in section.get("properties", {}).items():
            if not name.endswith("Options") and key != "term":
                assert value.get("description") or "$ref" in value, f"{name}.{key}"
    assert "from" in schema["$defs"]["Schedule"]["required"]
