"""Plain scalars are those of YAML 1.2's core schema, read by libyaml or by PyYAML's own parser."""

from __future__ import annotations

import math

import pytest
import yaml
from ruamel.yaml import YAML

from lossdoctor.config import yaml_reader
from lossdoctor.config.yaml_core import with_core_scalars
from lossdoctor.config.yaml_reader import read_value, read_yaml

#: From the tables of https://yaml.org/spec/1.2.2/#1032-tag-resolution and what YAML 1.1 made of the same texts.
SCALARS = {
    **dict.fromkeys(["", "~", "null", "Null", "NULL"]),
    **dict.fromkeys(["true", "True", "TRUE"], True),
    **dict.fromkeys(["false", "False", "FALSE"], False),
    **{text: text for text in ["yes", "Yes", "YES", "no", "No", "on", "On", "off", "y", "n", "tRue", "nUll"]},
    "0": 0,
    "-0": 0,
    "+12": 12,
    "-19": -19,
    "00": 0,
    "08": 8,
    "0777": 777,
    "0o7": 7,
    "0o17": 15,
    "0xFF": 255,
    **{text: text for text in ["0O17", "0Xff", "0o8", "0xg", "1 000", "1,000"]},
    "1e-3": 1e-3,
    "1E3": 1e3,
    "-1.5e+10": -1.5e10,
    "1.": 1.0,
    ".5": 0.5,
    "-.5": -0.5,
    "+.5": 0.5,
    "12e03": 12e3,
    "1.e3": 1e3,
    "0.": 0.0,
    "1e999": math.inf,
    ".inf": math.inf,
    ".Inf": math.inf,
    "+.INF": math.inf,
    "-.inf": -math.inf,
    **{text: text for text in ["inf", "nan", "-inf", ".iNF", ".Nan", "-.nan", "1e", "e3", ".", "+", "1.2.3", "v1"]},
    **{text: text for text in ["1:30", "190:20:30", "'1'", '"true"', "'null'"]},
    # ruamel.yaml reads these in its YAML 1.2 mode as it does in 1.1; in the core schema they are text.
    **{text: text for text in ["1_000", "1__0", "0x1_0", "685.230_15", "0b101", "-0x1", "-0o1"]},
    **{text: text for text in ["2001-01-01", "2001-12-14t21:59:43.10-05:00", "=", "<<"]},
}
RUAMEL_DIFFERS = set(list(SCALARS)[-11:])


def expected_of(text: str) -> object:
    value = SCALARS[text]
    return value.strip("'\"") if isinstance(value, str) else value


@pytest.fixture(params=["libyaml", "python"])
def parser(request, monkeypatch):
    """Read with either of PyYAML's parsers."""
    loader = {"libyaml": yaml.CSafeLoader, "python": yaml.SafeLoader}[request.param]
    monkeypatch.setattr(yaml_reader, "CoreLoader", with_core_scalars(loader))


@pytest.mark.parametrize("text", SCALARS)
def test_core_schema(parser, text):
    for value in (read_yaml(f"key: {text}\n", "f").value["key"], read_value(text, "f")):
        assert value == expected_of(text)
        assert type(value) is type(expected_of(text))


@pytest.mark.parametrize("text", [".nan", ".NaN", ".NAN"])
def test_not_a_number(parser, text):
    assert math.isnan(read_value(text, "f"))


@pytest.mark.parametrize("text", [text for text in SCALARS if text not in RUAMEL_DIFFERS])
def test_ruamel_reads_the_same(text):
    reference = YAML(typ="rt").load(f"key: {text}\n")["key"]
    value = read_value(text, "f")
    assert value == reference
    for kind in (bool, int, float, str):
        assert isinstance(value, kind) == isinstance(reference, kind)


def test_explicit_tags_of_the_core_schema(parser):
    text = "{a: !!str 1, b: !!float 1, c: !!int '12', d: !!bool 'true', e: !!null '', f: !!map {}, g: !!seq []}"
    value = read_value(text, "f")
    assert value == {"a": "1", "b": 1.0, "c": 12, "d": True, "e": None, "f": {}, "g": []}
    assert type(value["b"]) is float


@pytest.mark.parametrize("text", ["!!int 1_000", "!!float x", "!!bool yes", "!!null x", "!!int 1.5"])
def test_explicit_tags_that_do_not_fit(parser, text):
    with pytest.raises(yaml_reader.ConfigError, match="what the tag !!"):
        read_value(text, "f")
