"""`lossdoctor check` as a user and a CI job meet it: what is found, what is said, and the exit code."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from .project import BROKEN, FOREIGN, HEALTHY, RAW, SAMPLES, check, document, findings, write


@pytest.mark.parametrize(("name", "code"), [("unnormalized", 1), ("normalized", 0), ("balanced", 0)])
def test_the_samples_exit_as_they_should(name, code):
    assert check(SAMPLES / "colorization" / f"{name}.yaml").exit_code == code


def test_the_founding_case_names_components_cause_and_place():
    path = SAMPLES / "colorization" / "unnormalized.yaml"
    (report,) = document(path)["reports"]
    error = report["findings"][0]
    assert (error["code"], error["components"]) == ("LD201", ["lab", "ab"])
    line = path.read_text().splitlines()[error["location"]["line"] - 1]
    assert line[error["location"]["column"] - 1 :].startswith("normalize: false")
    assert all(finding["severity"] != "error" or finding is error for finding in report["findings"])


def test_healthy_setups_have_no_finding_above_a_note():
    healthy = Path(__file__).parents[1] / "healthy"
    assert [finding for finding in findings(healthy) if finding[1] != "note"] == []


def test_a_weight_that_balances_raw_units_makes_them_a_note(tmp_path):
    write(tmp_path, c__yaml=RAW.replace("normalize: false, weight: 1.0", "normalize: false, weight: 0.0005"))
    assert findings(tmp_path) == [("LD201", "note", ("lab",))]


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"a__yaml": HEALTHY}, 0),
        ({"a__yaml": HEALTHY, "b__yaml": RAW}, 1),
        ({"a__yaml": HEALTHY, "b__yaml": BROKEN}, 2),
        ({"a__yaml": RAW, "b__yaml": BROKEN, "c__yaml": FOREIGN}, 2),
        ({"a__yaml": HEALTHY, "b__yaml": FOREIGN}, 0),
        ({"b__yaml": FOREIGN}, 2),
    ],
    ids=lambda value: ",".join(value) if isinstance(value, dict) else str(value),
)
def test_exit_codes_of_good_bad_and_broken_files(files, code, tmp_path):
    assert check(write(tmp_path, **files)).exit_code == code


def test_a_broken_file_does_not_hide_what_the_others_have(tmp_path):
    write(tmp_path, a__yaml=RAW, b__yaml=BROKEN, c__yaml=FOREIGN)
    done = check(tmp_path)
    assert "LD201" in done.stdout
    assert f"{tmp_path / 'b.yaml'}:7:14: loss.components.pixels.term: expected one of mse" in done.stderr
    assert "skipped 1 YAML file" in done.stderr
    reports = {Path(report["config"]).name: report for report in document(tmp_path)["reports"]}
    assert sorted(reports) == ["a.yaml", "b.yaml"]
    (failure,) = reports["b.yaml"]["failures"]
    assert (failure["key"], failure["location"]["line"], failure["location"]["column"]) == (
        "loss.components.pixels.term",
        7,
        14,
    )


def test_several_problems_are_counted(tmp_path):
    write(tmp_path, b__yaml=BROKEN.replace("weight: 10.0", "wieght: 10.0"))
    assert "(and 1 more problem)" in check(tmp_path).stderr


def test_fail_on_and_select(tmp_path):
    write(tmp_path, c__yaml=RAW)
    assert check(tmp_path, "--fail-on", "never").exit_code == 0
    assert check(tmp_path, "--ignore", "LD201,LD903").exit_code == 0
    assert check(tmp_path, "--select", "LD9").exit_code == 1
    assert check(SAMPLES / "colorization" / "normalized.yaml", "--fail-on", "warning").exit_code == 1


def test_values_can_be_overridden(tmp_path):
    write(tmp_path, c__yaml=RAW)
    assert check(tmp_path, "--set", "loss.components.lab.normalize=true").exit_code == 0


def test_a_missing_checkpoint_can_be_left_out(tmp_path):
    write(tmp_path, c__yaml=HEALTHY.replace("{target: unet}", "{target: unet, checkpoint: gone.pt}"))
    done = check(tmp_path)
    assert done.exit_code == 2
    assert "'gone.pt', which is not there" in done.stderr
    assert check(tmp_path, "--from-scratch").exit_code == 0


@pytest.mark.parametrize(
    "options",
    [["--batches", "2"], ["--jobs", "2"], ["--quick"], ["--seed", "0"], ["--device", "cpu"], ["--at-step", "0"]],
    ids=" ".join,
)
def test_options_that_would_do_nothing_are_refused(options, tmp_path):
    done = check(write(tmp_path, c__yaml=HEALTHY), *options)
    assert done.exit_code == 2
    assert f"{options[0]} does nothing without --measure" in done.stderr


def test_a_loss_in_user_code_is_not_judged_by_guesses(tmp_path):
    step = HEALTHY[: HEALTHY.index("loss:")] + "loss: {step: 'p.t:losses', weights: {fit: 1.0, kl: 1000.0}}\n"
    (report,) = document(write(tmp_path, c__yaml=step))["reports"]
    assert report["findings"] == []
    assert {"LD101", "LD201", "LD301", "LD903"} <= {rule["code"] for rule in report["skipped"]}


def test_no_user_code_runs_and_torch_is_not_imported(tmp_path):
    """The project's own package would write a file, and so would a module named torch in front of the real one."""
    write(tmp_path, c__yaml=RAW.replace("target: unet", "target: 'project.models:Net'"))
    trap = "from pathlib import Path\nPath(__file__).with_name('ran').touch()\n"
    write(tmp_path, project______init____py=trap, torch__py=trap, kornia__py=trap)
    script = (
        "import sys; from lossdoctor.cli import app\n"
        "try: app(['check', '.'])\n"
        "except SystemExit as done: code = done.code\n"
        "heavy = {'torch', 'torchvision', 'kornia', 'pandas', 'numpy', 'project'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
        "sys.exit(code)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 1, done.stderr
    assert not list(tmp_path.rglob("ran"))
