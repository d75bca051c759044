"""What ships for CI: the action, its example workflow and the pre-commit hook, run as their hosts run them."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from lossdoctor.cli import app

ROOT = Path(__file__).parent.parent
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))
STEPS = {step["name"]: step for step in ACTION["runs"]["steps"]}
HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
WORKFLOW = yaml.safe_load((ROOT / "examples/github/lossdoctor.yml").read_text(encoding="utf-8"))
PROJECT = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
[LISTED] = re.findall(r"^dependencies = \[(.*?)^\]", PROJECT, re.DOTALL | re.MULTILINE)
DEPENDENCIES = re.findall('"(.*)"', LISTED)
INSTALLED = re.findall('"([^"]*>=[^"]*)"', STEPS["Install"]["run"])
FAULTY = ROOT / "sample_data/colorization/unnormalized.yaml"

SCRIPT = "import sys; sys.path.pop(0); from lossdoctor.cli import main; main()"

needs_bash = pytest.mark.skipif(shutil.which("bash") is None or os.name == "nt", reason="needs bash")


@pytest.mark.parametrize(
    ("schema", "file"), [("github-actions", "action.yml"), ("github-workflows", "examples/github/lossdoctor.yml")]
)
def test_github_takes_the_file(schema, file):
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(ROOT / file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout


def test_the_workflow_passes_what_the_action_takes_and_uploads_what_it_writes():
    steps = WORKFLOW["jobs"]["check"]["steps"]
    [ours] = [step for step in steps if "lossdoctor@" in step.get("uses", "")]
    assert set(ours["with"]) <= set(ACTION["inputs"])
    [upload] = [step for step in steps if "upload-sarif" in step.get("uses", "")]
    assert upload["with"]["sarif_file"] == ACTION["inputs"]["sarif-file"]["default"]


def test_every_input_is_used():
    text = json.dumps(ACTION["runs"])
    assert all(f"inputs.{name}" in text for name in ACTION["inputs"])


def test_no_input_is_written_into_a_script():
    assert not any("${{" in step["run"] for step in STEPS.values())


def test_the_action_installs_versions_that_the_package_takes():
    assert set(INSTALLED) <= set(DEPENDENCIES)


def test_a_check_imports_nothing_that_the_action_does_not_install(tmp_path):
    formats = [
        part for name in ("sarif", "markdown", "github") for part in ("--format", name, "--output", tmp_path / name)
    ]
    code = f"""
import importlib.metadata as metadata, sys
from typer.testing import CliRunner
from lossdoctor.cli import app
result = CliRunner().invoke(app, {["check", str(FAULTY), *map(str, formats)]!r})
assert result.exit_code == 1, result.output
distributions = metadata.packages_distributions()
print(*{{name.lower() for module in sys.modules for name in distributions.get(module.split(".")[0], ())}})
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    ours, installed = ({re.split(">=", wanted)[0] for wanted in listed} for listed in (DEPENDENCIES, INSTALLED))
    assert ours & set(run.stdout.split()) <= installed


def test_every_option_exists():
    known = CliRunner(env={"COLUMNS": "300"}).invoke(app, ["check", "--help"]).output
    texts = [
        STEPS["Check"]["run"].split("lossdoctor check")[1],
        *(" ".join([hook["entry"], *hook["args"]]) for hook in HOOKS),
    ]
    options = {option for text in texts for option in re.findall(r"--[a-z][a-z-]+", text)}
    assert {"--fail-on", "--format", "--output"} <= options
    assert all(option in known for option in options)


@pytest.fixture
def runner(tmp_path):
    """A folder as a job has it, and a function that runs a step of the action there."""
    workspace, tools = tmp_path / "workspace", tmp_path / "tools"
    for folder in (workspace, tools, tmp_path / "temp"):
        folder.mkdir()
    # As the script that pip installs does, and unlike `-m`, without the working directory on sys.path.
    install(tools / "lossdoctor", f'exec "{sys.executable}" -c "{SCRIPT}" "$@"')
    install(tools / "python", f'exec "{sys.executable}" "$@"')
    install(
        tools / "gh", f'printf "%s\\n" "$*" >> "{tmp_path}/gh.log"; case "$*" in *--paginate*) echo "$FOUND";; esac'
    )
    environment = os.environ | {
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "RUNNER_TEMP": str(tmp_path / "temp"),
        "GITHUB_OUTPUT": str(tmp_path / "output"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary"),
        "GITHUB_REPOSITORY": "someone/project",
        "PATHS": ACTION["inputs"]["paths"]["default"],
        "FAIL_ON": ACTION["inputs"]["fail-on"]["default"],
        "ARGS": ACTION["inputs"]["args"]["default"],
        "SARIF": ACTION["inputs"]["sarif-file"]["default"],
        "MARKDOWN": ACTION["inputs"]["markdown-file"]["default"],
    }

    def run(step, **variables):
        # As https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax says of `shell: bash`.
        command = ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", STEPS[step]["run"]]
        return subprocess.run(
            command, cwd=workspace, env=environment | variables, capture_output=True, text=True, check=False
        )

    run.workspace, run.folder = workspace, tmp_path
    return run


def install(path, script):
    path.write_text(f"#!/usr/bin/env bash\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def faulty_config(folder):
    config = yaml.safe_load(FAULTY.read_text(encoding="utf-8"))
    config["data"]["images"] = str(ROOT / "sample_data/photos")
    config["model"].pop("checkpoint", None)
    (folder / "loss.yaml").write_text(json.dumps(config, indent=1))


@needs_bash
def test_the_action_fails_a_job_and_shows_why(runner):
    faulty_config(runner.workspace)
    result = runner("Check")
    assert result.returncode == 1, result.stderr
    assert "exit-code=1" in (runner.folder / "output").read_text()
    assert (runner.folder / "summary").read_text().startswith("## ✗ lossdoctor: 1 error")
    sarif = json.loads((runner.workspace / "lossdoctor.sarif").read_text())
    assert sarif["runs"][0]["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] == "loss.yaml"
    [annotation] = [line for line in result.stdout.splitlines() if line.startswith("::error ")]
    assert annotation.startswith("::error file=loss.yaml,line=")


@needs_bash
def test_the_table_is_no_command_and_annotations_are(runner):
    faulty_config(runner.workspace)
    lines = runner("Check").stdout.splitlines()
    token = lines[0].removeprefix("::stop-commands::")
    assert len(token) == 32
    end = lines.index(f"::{token}::")
    assert any("LD201" in line for line in lines[1:end])
    assert all(line.startswith("::") for line in lines[end + 1 :])


@needs_bash
def test_nothing_at_the_failing_level_passes(runner):
    faulty_config(runner.workspace)
    assert runner("Check", FAIL_ON="never").returncode == 0
    assert runner("Check", ARGS="--ignore LD2,LD9").returncode == 0
    assert runner("Check", ARGS="--ignore LD2\n--ignore LD9\n").returncode == 0


@needs_bash
def test_bad_usage_is_2_and_leaves_no_report_of_an_earlier_run(runner):
    faulty_config(runner.workspace)
    assert runner("Check").returncode == 1
    assert runner("Check", ARGS="--no-such-option").returncode == 2
    assert not (runner.workspace / "lossdoctor.sarif").exists()


@needs_bash
def test_paths_are_paths_whatever_is_in_them(runner):
    (runner.workspace / "a b").mkdir()
    faulty_config(runner.workspace / "a b")
    result = runner("Check", PATHS="\n  a b/loss.yaml\n")
    assert result.returncode == 1, result.stderr
    assert runner("Check", PATHS="$(touch stolen); `touch stolen`\n--help").returncode == 2
    assert not (runner.workspace / "stolen").exists()


@needs_bash
def test_modules_in_the_repository_are_not_imported(runner):
    """`python -c` and `python -m` look into the working directory first."""
    faulty_config(runner.workspace)
    for module in ("secrets", "yaml", "typer", "pip", "lossdoctor", "sitecustomize"):
        (runner.workspace / f"{module}.py").write_text("open('ran', 'w')\n")
    result = runner("Check")
    assert result.returncode == 1, result.stderr
    assert not (runner.workspace / "ran").exists()


def test_no_script_lets_python_look_into_the_working_directory():
    calls = [call for step in STEPS.values() for call in re.findall(r"\bpython +(\S+)", step["run"])]
    assert calls
    assert set(calls) == {"-I"}


@needs_bash
@pytest.mark.parametrize(
    ("found", "method", "path"),
    [
        ("", "POST", "repos/someone/project/issues/7/comments"),
        ("41\n42", "PATCH", "repos/someone/project/issues/comments/41"),
    ],
)
def test_a_pull_request_has_one_comment(runner, found, method, path):
    (runner.workspace / "lossdoctor.md").write_text("## report\n")
    result = runner("Comment", NUMBER="7", FOUND=found)
    assert result.returncode == 0, result.stderr
    asked, written = (runner.folder / "gh.log").read_text().splitlines()
    assert "repos/someone/project/issues/7/comments" in asked
    assert f"--method {method}" in written
    assert path in written
    assert (runner.folder / "temp/lossdoctor-comment.md").read_text() == "<!-- lossdoctor -->\n## report\n"


@needs_bash
def test_a_comment_that_may_not_be_written_does_not_fail_the_job(runner):
    (runner.workspace / "lossdoctor.md").write_text("## report\n")
    install(runner.folder / "tools/gh", "exit 1")
    result = runner("Comment", NUMBER="7")
    assert result.returncode == 0
    assert result.stdout.startswith("::warning ")


def test_the_hook_runs_a_command_that_exists():
    [hook] = HOOKS
    assert hook["entry"] == "lossdoctor check"
    assert hook["pass_filenames"] is False
    assert hook["args"] == ["."]
