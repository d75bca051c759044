import json
import math
from dataclasses import replace
from pathlib import PurePosixPath

import numpy as np
import pytest

from lossdoctor.records import Severity
from lossdoctor.reports import render_json

from .report_samples import BROKEN, FOUNDING, HOSTILE_NAMES, LAB, SAMPLES, hostile

TOP = "schema, version, command, config, verdict, objectives, findings, skipped, trial, environment"
OBJECTIVE = "name, value, grad_norm, components, cosines"
COMPONENT = (
    "name, weight, role, value, weighted_value, value_share, grad_norm, weighted_grad_norm, grad_share, "
    "output_grad_norm, cosine_to_total, spread, attached, finite"
)
FINDING = "code, name, severity, objective, components, message, evidence, remedy, explained_by, fix, location"


def keys(mapping):
    return ", ".join(mapping)


def parsed(report):
    def refuse(constant):
        raise AssertionError(constant)

    document = json.loads(render_json([report]), parse_constant=refuse)
    return document["reports"][0] if report.command == "check" else document


@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_fields_are_those_of_the_schema_in_their_order(report):
    document = parsed(report)
    assert keys(document) == f"{TOP}, failures, known_findings" if report.command == "check" else TOP
    for total in document["objectives"]:
        assert keys(total) == OBJECTIVE
        assert {keys(part) for part in total["components"]} == {COMPONENT}
        assert {keys(part["spread"]) for part in total["components"]} == {"value, grad_norm"}
        assert {keys(pair) for pair in total["cosines"]} <= {"a, b, cosine"}
    assert {keys(finding) for finding in document["findings"]} <= {FINDING}
    places = [finding["location"] for finding in document["findings"]]
    assert {keys(place) for place in places if place} <= {"file, line, column"}
    assert {keys(rule) for rule in document["skipped"]} <= {"code, reason"}


def test_values_arrive_as_they_are():
    document = parsed(FOUNDING)
    assert document["schema"] == "lossdoctor/1"
    assert (document["command"], document["verdict"], document["trial"]) == ("inspect", "fail", None)
    assert document["objectives"][0]["components"][1]["value"] == 679.88
    finding = document["findings"][3]
    assert (finding["code"], finding["severity"], finding["components"]) == ("LD201", "error", ["lab", "ab"])
    assert finding["evidence"]["channels"]["a"]["min"] == -86.1827
    assert finding["fix"] == {"loss.components.lab.normalize": True, "loss.components.ab.normalize": True}
    assert finding["location"] == {
        "file": "sample_data/colorization/unnormalized.yaml",
        "line": 14,
        "column": 49,
    }


def test_what_is_not_finite_is_null():
    evidence = {
        "a": math.nan,
        "b": [math.inf, (1, -math.inf)],
        "c": {"d": np.float32("nan"), "e": np.int64(3)},
    }
    document = parsed(replace(BROKEN, findings=(replace(LAB, evidence=evidence),)))
    assert document["findings"][0]["evidence"] == {
        "a": None,
        "b": [None, [1, None]],
        "c": {"d": None, "e": 3},
    }
    assert type(document["findings"][0]["evidence"]["c"]["e"]) is int
    assert [component["value"] for component in document["objectives"][0]["components"]] == [2.5e7, 0.4, None]


def test_what_json_does_not_know_becomes_text():
    evidence = {1: PurePosixPath("a/b"), "level": Severity.NOTE, "set": {"b", "a"}}
    document = parsed(replace(BROKEN, findings=(replace(LAB, evidence=evidence),)))
    assert document["findings"][0]["evidence"] == {"1": "a/b", "level": "note", "set": ["a", "b"]}


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_strings_survive_and_stay_harmless(name):
    report = hostile(name)
    text = render_json([report])
    assert all(char.isprintable() or char == "\n" for char in text)
    text.encode("utf-8")
    document = json.loads(text)
    assert document["objectives"][0]["components"][0]["name"] == name
    assert document["findings"][0]["evidence"][name] == {name: [name, {name: [name, None]}]}
    assert document["environment"] == {name: name, "device": name}


def test_the_text_ends_with_a_newline_and_never_varies():
    assert render_json([FOUNDING]) == render_json([FOUNDING])
    assert render_json([FOUNDING]).endswith("}\n")
