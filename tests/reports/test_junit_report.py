from dataclasses import replace
from xml.etree import ElementTree as ET

from junitparser import Error, Failure, JUnitXml, Skipped

from lossdoctor.reports import render_junit

from .report_samples import CRASHED, FOUNDING, HEALTHY, LAB, UNUSABLE


def suites(*reports):
    return list(JUnitXml.fromstring(render_junit(reports).encode()))


def test_a_suite_for_each_config_and_a_case_for_each_finding():
    founding, healthy = suites(FOUNDING, HEALTHY)
    assert (founding.name, founding.tests, founding.failures, founding.skipped) == (FOUNDING.config, 6, 1, 2)
    assert (healthy.name, healthy.tests, healthy.failures) == (HEALTHY.config, 1, 0)
    assert founding.time == 3.24


def test_the_totals_are_those_of_the_suites():
    root = ET.fromstring(render_junit([FOUNDING, UNUSABLE, CRASHED]))
    for name in ("tests", "failures", "errors", "skipped"):
        assert int(root.get(name)) == sum(int(suite.get(name)) for suite in root)


def test_only_errors_fail():
    [suite] = suites(FOUNDING)
    outcomes = {case.name: [type(result) for result in case.result] for case in suite}
    assert outcomes == {
        "LD201 unnormalized-color-space in lab, ab": [Failure],
        "LD106 overlapping-components in lab, ab": [],
        "LD102 starved-component in perceptual": [],
        "LD104 value-misleads in perceptual": [],
        "not evaluated: needs probes": [Skipped],
        "not evaluated: no trial was run": [Skipped],
    }
    assert [case.result[0].message for case in list(suite)[4:]] == ["LD301, LD403", "LD701"]


def test_a_failure_says_what_where_and_what_to_do():
    [suite] = suites(replace(FOUNDING, findings=(LAB,)))
    case = next(case for case in suite if case.name.startswith("LD201"))
    [failure] = case.result
    assert (failure.message, failure.type) == (LAB.message, "LD201")
    assert failure.text.splitlines() == [LAB.message, "sample_data/colorization/unnormalized.yaml:14", LAB.remedy]
    assert "\n  channels.L: min 0, max 98.9, std 27.41\n" in case.system_out
    assert "loss.components.ab.normalize: true" in case.system_out


def test_a_config_of_no_use_is_an_error():
    [suite] = suites(UNUSABLE)
    [key, file] = [(case.name, case.result[0]) for case in suite]
    assert key[0] == "config: loss.weights.lab"
    assert isinstance(key[1], Error)
    assert key[1].text.splitlines()[0] == "bad.yaml:3"
    assert file[0] == "config"
