import io
import re
from dataclasses import replace
from pathlib import Path

import pytest
from rich.cells import cell_len
from rich.console import Console

from lossdoctor.printable import printable
from lossdoctor.records import Cosine, Location, Severity, Skipped
from lossdoctor.reports import FORMATS, render_rich, render_text
from lossdoctor.reports.rich_report import MOST_IN_FULL

from .report_samples import (
    CRASHED,
    FOUNDING,
    GAN,
    HEALTHY,
    HOSTILE_NAMES,
    LAB,
    OVERLAP,
    SAMPLES,
    STARVED,
    STATIC,
    UNUSABLE,
    component,
    hostile,
    objective,
    shown,
)

GOLDEN = Path(__file__).parent / "golden"
ANSI = re.compile(r"\x1b\[[0-9;]*m")


@pytest.mark.parametrize("width", [80, 120])
@pytest.mark.parametrize("name", SAMPLES)
def test_golden(name, width):
    golden = (GOLDEN / f"{name}_{width}.txt").read_text(encoding="utf-8")
    assert shown(SAMPLES[name], width) == golden


@pytest.mark.parametrize("name", ["rich", "json", "markdown"])
@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_formats_for_reading_name_every_finding_and_component(report, name):
    text = FORMATS[name]([report])
    assert all(finding.code in text for finding in report.findings)
    assert all(part.name in text for total in report.objectives for part in total.components)
    assert all(rule.code in text for rule in report.skipped)


def row(text, name):
    return next(line for line in text.splitlines() if line[3:].startswith(f"{name} "))


def test_a_row_says_weight_value_weighted_value_and_share():
    total = FOUNDING.objectives[0]
    text = shown(FOUNDING, 80)
    assert row(text, "ab").split()[:5] == ["✗", "ab", "2", "791.1", "1582"]
    for part in total.components:
        [share] = re.findall(r"([\d.]+) %", row(text, part.name))
        assert float(share) == pytest.approx(100 * part.grad_share, abs=0.05)
    assert row(text, "total").split() == ["total", "2263", "gradient", "norm", f"{total.grad_norm:.0f}"]


def test_the_length_of_a_bar_is_the_share():
    parts = [component(name, 1.0, 1.0, norm) for name, norm in zip("abcd", (50.0, 25.0, 25.0, 0.0), strict=True)]
    text = shown(replace(HEALTHY, objectives=(objective("total", *parts),)), 100)
    assert [row(text, name).count("━") for name in "abcd"] == [12, 6, 6, 0]


def test_wide_shows_all_numbers_at_any_width():
    wanted = ["value share", "weighted grad norm", "cosine to total", "value spread", "grad spread"]
    for text in (shown(FOUNDING, 120), shown(FOUNDING, 80, wide=True), render_text([FOUNDING])):
        assert all(word in text for phrase in wanted for word in phrase.split())
        assert all(number in text for number in ("+0.57", "-0.01", "1465", "11.0 %", "+0.98"))
    assert "+0.57" not in shown(FOUNDING, 109).split("LD201")[0]


def test_the_worst_finding_marks_a_component():
    text = shown(FOUNDING, 80)
    assert [row(text, name)[0] for name in ("perceptual", "lab", "ab")] == ["·", "✗", "✗"]
    quieter = shown(replace(FOUNDING, findings=(OVERLAP,)), 80)
    assert [row(quieter, name)[0] for name in ("perceptual", "lab", "ab")] == [" ", "!", "!"]


def test_a_mark_stays_in_its_objective():
    other = objective("other", component("reconstruction", 1.0, 1.0, 1.0))
    text = shown(replace(GAN, objectives=(*GAN.objectives, other)), 80)
    marks = [line[0] for line in text.splitlines() if line[3:].startswith("reconstruction ") and "100" in line]
    assert marks == ["!", " "]


def test_findings_come_by_severity_then_code_and_symptoms_under_their_cause():
    text = shown(FOUNDING, 120)
    places = [text.index(code) for code in ("LD201", "LD102", "LD106", "LD104")]
    assert places == sorted(places)
    assert "explains  · LD102 starved-component in perceptual: perceptual holds" in text
    assert "grad_share" not in text[places[1] : places[2]]


@pytest.mark.parametrize("symptom", [STARVED, replace(STARVED, explained_by="LD102")])
def test_a_symptom_without_its_cause_stands_for_itself(symptom):
    text = shown(replace(FOUNDING, findings=(symptom, OVERLAP)), 80)
    assert f"because   {symptom.explained_by} explains it" in text
    assert STARVED.message in text


def test_no_finding_is_lost_or_shown_twice():
    twin = replace(LAB, message="A second cause of the same kind.")
    elsewhere = replace(STARVED, objective="other", message="The same symptom of another objective.")
    text = shown(replace(FOUNDING, findings=(LAB, twin, STARVED, elsewhere)), 200)
    for finding in (LAB, twin, STARVED, elsewhere):
        assert " ".join(text.split()).count(finding.message) == 1
    assert text.count("because   LD201 explains it") == 1


def test_fix_lines_can_be_pasted_as_yaml():
    yaml = pytest.importorskip("yaml")
    changes = {"loss.weights.ab": 0.25, "loss.components.lab.channels": ["L"], "model.strict": True}
    text = shown(replace(HEALTHY, findings=(replace(LAB, fix=changes),)), 100)
    block = text[text.index("fix ") : text.index("next:")].replace("fix ", "    ", 1)
    assert yaml.safe_load("\n".join(line.strip() for line in block.splitlines())) == changes


def test_long_evidence_points_to_the_json_report():
    text = shown(replace(FOUNDING, findings=(replace(LAB, evidence={f"k{i}": i for i in range(40)}),)), 80)
    assert "k15" in text
    assert "k16" not in text
    assert "24 more lines in the JSON report" in text


def test_skipped_rules_are_grouped_by_reason():
    assert "skipped: LD301, LD403 (needs probes); LD701 (no trial was run)\n" in shown(FOUNDING, 80)
    assert "skipped" not in shown(HEALTHY, 80)


@pytest.mark.parametrize("width", [40, 60, 80, 100, 120, 200])
@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_the_verdict_is_the_last_line_and_fits(report, width):
    last = shown(report, width).splitlines()[-1]
    assert last[0] == {"fail": "✗", "warn": "!", "pass": "✓"}[report.verdict.value]
    assert cell_len(last) <= width


def test_the_verdict_says_as_much_as_fits():
    lines = {width: shown(FOUNDING, width).splitlines()[-1] for width in (120, 100, 80, 40)}
    counts = "✗ 1 error, 1 warning, 2 notes"
    path = "sample_data/colorization/unnormalized.yaml"
    assert lines[120] == f"{counts} · inspect {path} · 4 batches on cpu · 3.2 s"
    assert lines[100] == f"{counts} · inspect unnormalized.yaml · 4 batches on cpu · 3.2 s"
    assert lines[80] == f"{counts} · inspect unnormalized.yaml · 4 batches on cpu"
    assert lines[40] == counts
    assert shown(HEALTHY, 80).splitlines()[-1].startswith("✓ no findings · ")


def test_only_existing_commands_are_advised():
    assert "next: lossdoctor rule LD201 explains unnormalized-color-space\n" in shown(FOUNDING, 80)
    assert "next:" not in shown(HEALTHY, 80)


@pytest.mark.parametrize("width", [5, 20, 40, 80, 120])
@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_hostile_strings_are_shown_not_obeyed(name, width):
    text = shown(hostile(name), width)
    assert all(char.isprintable() for char in text.replace("\n", ""))
    text.encode("utf-8")
    if width >= 80 and len(name) < 20:
        assert printable(name) in text
    assert all(cell_len(line) <= width for line in text.splitlines())


def test_a_very_long_string_does_not_flood_the_terminal():
    assert len(shown(hostile("long" * 100_000), 80).splitlines()) < 500


@pytest.mark.parametrize("width", [40, 80, 120])
def test_wide_characters_and_odd_numbers_keep_the_columns_aligned(width):
    parts = [
        component("感知損失", 1.0, 1.2e-9, 679.9),
        component("lab", 1e6, 2263.0, 1.0),
        component("naïve", 0.5, float("nan"), 1e-30, finite=False),
    ]
    text = shown(replace(HEALTHY, objectives=(objective("total", *parts),)), width)
    rows = [row(text, part.name) for part in parts]
    ends = {cell_len(line[: re.search(r"(?<= )(1|1e6|0\.5)(?= )", line).end()]) for line in rows}
    assert len(ends) == 1


@pytest.mark.parametrize("wide", [False, True])
@pytest.mark.parametrize("width", [20, 40, 80, 110, 200])
def test_thirty_components(width, wide):
    names = [f"c{index}" for index in range(30)]
    parts = [component(name, 1.0, 1.0, 1.0) for name in names]
    cosines = tuple(Cosine(a, b, 0.01) for a in names for b in names if a < b)
    strong = (*cosines[1:], Cosine("c7", "c9", -0.99))
    text = shown(replace(HEALTHY, objectives=(objective("total", *parts, cosines=strong),)), width, wide=wide)
    assert all(row(text, name) for name in names)
    assert ("-0.99" in text) == (wide or width >= 110)


def test_one_component_and_no_components():
    alone = replace(component("mse", 1.0, 0.5, 0.1), grad_share=None, value_share=1.0)
    report = replace(HEALTHY, objectives=(replace(objective("total", alone), components=(alone,)),))
    assert row(shown(report, 80), "mse").split() == ["mse", "1", "0.5", "0.5", "–"]
    empty = replace(report.objectives[0], components=())
    assert "total" in shown(replace(HEALTHY, objectives=(empty,)), 80)


def terminal(**options):
    return Console(
        file=io.StringIO(),
        width=80,
        force_terminal=True,
        legacy_windows=False,
        **{"color_system": "256"} | options,
    )


@pytest.mark.parametrize("report", SAMPLES.values(), ids=SAMPLES)
def test_colour_adds_nothing_but_colour(report, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    console = terminal()
    console.print(render_rich([report]))
    coloured = console.file.getvalue()
    assert "\x1b[" in coloured
    plain = "".join(f"{line.rstrip()}\n" for line in ANSI.sub("", coloured).splitlines())
    assert plain == shown(report, 80)


def test_no_color_gives_plain_text_even_on_a_terminal(monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")
    console = terminal()
    console.print(render_rich([FOUNDING]))
    assert "\x1b" not in console.file.getvalue()


def test_text_for_files_never_holds_ansi_codes(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "40")
    assert render_text([FOUNDING]) == shown(FOUNDING, 110)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
@pytest.mark.parametrize(
    "report", [*SAMPLES.values(), hostile("感≥"), hostile("\udcff")], ids=[*SAMPLES, "wide", "surrogate"]
)
def test_a_terminal_that_is_not_utf8_gets_ascii(report, encoding):
    file = io.TextIOWrapper(io.BytesIO(), encoding=encoding, errors="strict")
    Console(file=file, width=80).print(render_rich([report]))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert "?" not in text


def test_ascii_keeps_marks_bars_and_columns():
    file = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    Console(file=file, width=80).print(render_rich([FOUNDING]))
    file.flush()
    text = file.buffer.getvalue().decode("ascii")
    assert row(text, "lab").startswith("x  lab")
    assert row(text, "ab").count("=") == row(shown(FOUNDING, 80), "ab").count("━")
    assert row(text, "total").rstrip() == row(shown(FOUNDING, 80), "total")
    assert text.splitlines()[-1].startswith("x 1 error, 1 warning, 2 notes - inspect")


def test_marks_differ_without_colour():
    findings = [replace(LAB, severity=severity, components=(severity.value,)) for severity in Severity]
    parts = [component(severity.value, 1.0, 1.0, 1.0) for severity in Severity]
    text = shown(replace(FOUNDING, objectives=(objective("total", *parts),), findings=tuple(findings)), 80)
    assert len({row(text, severity.value)[0] for severity in Severity}) == 3


def several(*reports, width=80):
    file = io.StringIO()
    Console(file=file, width=width, color_system=None).print(render_rich(reports))
    return file.getvalue()


def test_a_source_below_the_working_directory_is_named_from_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    finding = replace(LAB, location=Location(str(tmp_path / "train.py"), 7))
    assert "source    train.py:7\n" in shown(replace(STATIC, findings=(finding,)), 80)


def test_of_several_reports_only_those_with_findings_are_shown_and_all_are_counted():
    text = several(HEALTHY, STATIC, UNUSABLE, width=100)
    assert HEALTHY.config not in text
    assert text.count("LD201 unnormalized-color-space  error") == 1
    assert text.splitlines()[-1] == "✗ 1 config not usable, 1 error · 3 configs, 2 of them with findings"
    assert several(HEALTHY, HEALTHY).splitlines() == ["✓ no findings · 2 configs"]


def test_what_kept_a_config_from_being_used_says_where_and_what_to_do():
    lines = [line.strip() for line in several(UNUSABLE, CRASHED).splitlines()]
    assert "✗  bad.yaml:3" in lines
    assert lines[lines.index("✗  bad.yaml:3") + 1] == "loss.weights.lab: expected a number, found 'heavy'"
    assert "→ write it without quotes" in lines
    assert "✗  b.yaml" in lines


def test_what_was_skipped_is_said_once_for_all_reports():
    assert several(FOUNDING, FOUNDING).count("skipped:") == 1


def test_very_many_skipped_rules_are_counted():
    skipped = tuple(Skipped(f"LD{number}", "needs a measurement") for number in range(101, 131))
    [line] = [line for line in shown(replace(STATIC, skipped=skipped), 100).splitlines() if "skipped" in line]
    assert line == "skipped: 30 rules from LD101 to LD130 (needs a measurement)"


def test_of_very_many_reports_all_keep_their_verdict():
    text = several(*(replace(STATIC, config=f"config-{index:03}.yaml") for index in range(120)), width=100)
    assert text.count("✗ 1 error · check config-") == 120
    assert text.count("LD201 unnormalized-color-space  error") == MOST_IN_FULL


@pytest.mark.parametrize("used", [True, False, None])
def test_the_mark_of_an_input_that_is_not_used_is_explained(used):
    report = hostile("a")
    [verdict] = report.trial.verdicts
    verdicts = (replace(verdict, control=0.5, input_used=used),)
    text = shown(replace(report, trial=replace(report.trial, verdicts=verdicts)), 80)
    assert ("! got as far with the input zeroed" in text) == (used is False)
