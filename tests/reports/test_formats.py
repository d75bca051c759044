"""Every format says the same, whatever the names in it."""

import subprocess
import sys

import pytest

from lossdoctor.cli.options import FormatName
from lossdoctor.printable import printable
from lossdoctor.reports import FORMATS

from .readers import READERS, line, read_github, titled
from .report_samples import BROKEN, CRASHED, FOUNDING, GAN, HEALTHY, HOSTILE_NAMES, STATIC, UNUSABLE, hostile

CHECKED = [FOUNDING, GAN, HEALTHY, BROKEN, STATIC, UNUSABLE, CRASHED]


def expected(reports):
    for report in reports:
        for finding in report.findings:
            place = finding.location
            file, number = (place.file, place.line) if place else (report.config, 0)
            title = titled(finding.code, finding.name, finding.components)
            yield line(finding.severity.value, title, printable(finding.message), printable(file), number)


def test_the_option_takes_every_format():
    assert [name.value for name in FormatName] == list(FORMATS)
    assert set(READERS) == set(FORMATS) - {"rich"}


def test_no_format_is_loaded_before_it_is_needed():
    code = "import sys, lossdoctor.cli; print([name for name in sys.modules if name.startswith('lossdoctor.reports')])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


@pytest.mark.parametrize("name", READERS)
def test_every_format_carries_the_same_findings(name):
    read = list(READERS[name](FORMATS[name](CHECKED)))
    assert sorted(read) == sorted(expected(CHECKED))


@pytest.mark.parametrize("name", READERS)
@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_hostile_text_stays_text_in_every_format(name, text):
    report = hostile(text)
    written = FORMATS[name]([report])
    written.encode("utf-8")
    assert all(char.isprintable() or char == "\n" or char == "\u200b" for char in written)
    assert sorted(READERS[name](written)) == sorted(expected([report]))


@pytest.mark.parametrize("name", FORMATS)
def test_what_kept_a_config_from_being_used_is_in_every_format(name):
    written = " ".join(FORMATS[name]([HEALTHY, UNUSABLE, CRASHED]).split())
    for part in ("loss.weights.lab", "expected a number, found 'heavy'", "write it without quotes", "bad.yaml"):
        assert part in written
    assert "step raised RuntimeError" in written


@pytest.mark.parametrize("name", sorted(set(FORMATS) - {"csv", "github"}))
def test_what_could_not_be_evaluated_is_in_every_format_but_the_lists_of_findings(name):
    written = FORMATS[name]([FOUNDING, STATIC])
    assert all(rule.code in written and rule.reason in written for rule in FOUNDING.skipped)


@pytest.mark.parametrize("name", FORMATS)
def test_no_report_at_all_is_a_report_too(name):
    assert FORMATS[name]([]) == "" if name == "github" else FORMATS[name]([]).endswith("\n")


def test_a_reader_notices_a_line_that_is_broken():
    text = FORMATS["github"]([FOUNDING])
    assert list(read_github(text.replace("LD201", "LD202"))) != list(read_github(text))
