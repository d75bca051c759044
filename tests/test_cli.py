"""The command line as a user meets it: what goes where, exit codes, and one message for whatever is wrong."""

from __future__ import annotations

import json
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from lossdoctor.cli import app

STEP = """
import torch
from torch import nn

class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.trunk = nn.Linear(4, 8)
        self.head = nn.Linear(8, 1)

    def forward(self, x):
        return self.head(torch.tanh(self.trunk(x)))

def batches():
    generator = torch.Generator().manual_seed(1)
    for _ in range(3):
        x = torch.randn(16, 4, generator=generator)
        yield x, x.sum(1, keepdim=True)

def losses(model, batch):
    x, y = batch
    prediction = model(x)
    return {"fit": nn.functional.mse_loss(prediction, y), "smooth": nn.functional.l1_loss(prediction, y)}

def detached(model, batch):
    return losses(model, batch) | {"logged": losses(model, batch)["fit"].item()}
"""

CONFIG = """
version: 1
model: {{target: "{module}:Model"}}
data: {{target: "{module}:batches"}}
loss:
  step: {module}:{step}
  weights: {{fit: 1.0, smooth: 1.0}}
"""


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A folder with a user's module and a config that uses it."""
    write(tmp_path)
    return tmp_path


def write(folder: Path, code: str = STEP, step: str = "losses", config: str = CONFIG) -> Path:
    module = "project_under_test"
    (folder / f"{module}.py").write_text(textwrap.dedent(code))
    path = folder / "config.yaml"
    path.write_text(config.format(module=module, step=step))
    return path


def run(*args: str | Path) -> Result:
    return CliRunner().invoke(app, [str(arg) for arg in args])


def assert_refused(result: Result, *words: str) -> None:
    """Exit 2, one message on stderr that holds the words, nothing on stdout, no traceback."""
    assert result.exit_code == 2, result.output
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert result.stderr.count("lossdoctor:") == 1
    for word in words:
        assert word in result.stderr


def test_a_healthy_setup_exits_0_and_shows_its_table_on_stdout(project: Path) -> None:
    result = run("inspect", project / "config.yaml")
    assert result.exit_code == 0, result.output
    assert "fit" in result.stdout
    assert "smooth" in result.stdout
    assert "measuring" in result.stderr


def test_a_fault_exits_1_and_is_named_with_the_users_line(tmp_path: Path) -> None:
    config = write(tmp_path, step="detached")
    result = run("inspect", config, "--format", "json", "--quiet")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    (finding,) = [finding for finding in report["findings"] if finding["severity"] == "error"]
    assert (finding["code"], finding["components"]) == ("LD501", ["logged"])
    assert report["verdict"] == "fail"


@pytest.mark.parametrize(("level", "code"), [("error", 0), ("warning", 0), ("note", 1), ("never", 0)])
def test_fail_on_moves_the_failing_level(project: Path, level: str, code: int) -> None:
    weightless = (project / "config.yaml").read_text().replace(", smooth: 1.0", "")
    (project / "config.yaml").write_text(weightless)
    result = run("inspect", project / "config.yaml", "--select", "LD902", "--fail-on", level)
    assert result.exit_code == code, result.output


def test_json_has_stdout_for_itself(project: Path) -> None:
    result = run("inspect", project / "config.yaml", "--format", "json")
    assert json.loads(result.stdout)["schema"] == "lossdoctor/1"
    assert "gradient" in result.stderr


def test_formats_and_outputs_are_paired_in_order(project: Path) -> None:
    text, data = project / "report.txt", project / "report.json"
    result = run(
        "inspect", project / "config.yaml", "--format", "rich", "--output", text, "--format", "json", "--output", data
    )
    assert result.exit_code == 0, result.output
    assert "smooth" in text.read_text()
    assert json.loads(data.read_text())["command"] == "inspect"
    assert "smooth" in result.stdout
    assert sorted(path.name for path in project.iterdir() if path.suffix in (".txt", ".json")) == [
        "report.json",
        "report.txt",
    ]


def test_options_override_the_config(project: Path) -> None:
    result = run(
        "inspect",
        project / "config.yaml",
        *("--batches", "2", "--seed", "7", "--precision", "bf16", "--set", "loss.weights.fit=3", "--quiet"),
        *("--format", "json"),
    )
    report = json.loads(result.stdout)
    assert report["environment"]["batches"] == 2
    assert report["environment"]["seed"] == 7
    assert report["environment"]["precision"] == "bf16"
    assert report["objectives"][0]["components"][0]["weight"] == 3.0


def test_quick_says_what_it_left_out(project: Path) -> None:
    report = json.loads(run("inspect", project / "config.yaml", "--quick", "--quiet", "--format", "json").stdout)
    assert {"code": "LD606", "reason": "left out by --quick"} in report["skipped"]
    assert not {"LD503", "LD604", "LD605"} & {skipped["code"] for skipped in report["skipped"]}


def test_from_scratch_ignores_the_checkpoint() -> None:
    sample = Path(__file__).parents[1] / "sample_data" / "colorization" / "normalized.yaml"
    options = ("--batches", "1", "--set", "data.size=32", "--quick", "--quiet", "--format", "json")
    report = json.loads(run("inspect", sample, "--from-scratch", *options).stdout)
    assert {"code": "LD801", "reason": "no checkpoint is configured"} in report["skipped"]


def test_what_user_code_prints_does_not_get_into_the_report(project: Path) -> None:
    code = STEP.replace("    x, y = batch\n", "    x, y = batch\n    print('training', flush=True)\n")
    result = run("inspect", write(project, code), "--format", "json", "--quiet")
    assert json.loads(result.stdout)["schema"] == "lossdoctor/1"
    assert "training" in result.stderr


BAD_STEPS = {
    "raises": ("raise RuntimeError('no such thing')", ("RuntimeError", "no such thing", "project_under_test.py:")),
    "exits": ("import sys; sys.exit(0)", ("SystemExit",)),
    "returns a list": ("return [1.0]", ("a list", "mapping")),
    "returns nothing": ("return None", ("NoneType",)),
    "returns an empty mapping": ("return {}", ("empty",)),
    "returns a vector": ("return {'fit': model(batch[0])}", ("'fit'", "(16, 1)", "scalar")),
    "returns a string": ("return {'fit': 'low'}", ("'fit'", "a str")),
    "returns numbers as names": ("return {1: model(batch[0]).mean()}", ("named 1",)),
    "mixes scalars and mappings": ("m = model(batch[0]).mean(); return {'fit': m, 'gan': {'a': m}}", ("mixes",)),
    "breaks its own graph": (
        "m = model(batch[0]).mean(); m.backward(); return {'fit': m, 'smooth': m}",
        ("differentiating", "fit"),
    ),
    "returns names without a weight's": ("return {'fitt': model(batch[0]).mean()}", ("smooth", "weights", "fitt")),
}


@pytest.mark.parametrize("kind", BAD_STEPS)
def test_a_bad_step_is_refused(tmp_path: Path, kind: str) -> None:
    body, words = BAD_STEPS[kind]
    config = write(tmp_path, STEP + f"\ndef bad(model, batch):\n    {body}\n", step="bad")
    assert_refused(run("inspect", config), *words)


BAD_MODULES = {
    "no such module": (STEP, "nowhere:Model", ("nowhere", "model.target")),
    "no such name": (STEP, "project_under_test:Modle", ("'Modle'", "Model")),
    "not callable": (STEP + "\nSIZE = 3\n", "project_under_test:SIZE", ("int",)),
    "not a model": (STEP, "project_under_test:batches", ("generator", "nn.Module")),
    "raises at import": ("raise ValueError('broken')", "project_under_test:Model", ("ValueError", "broken")),
    "does not parse": ("def f(:", "project_under_test:Model", ("SyntaxError",)),
    "needs arguments": (
        STEP.replace("def __init__(self)", "def __init__(self, width)"),
        "project_under_test:Model",
        ("TypeError", "width"),
    ),
    "needs a missing package": ("import no_such_package", "project_under_test:Model", ("no_such_package",)),
}


@pytest.mark.parametrize("kind", BAD_MODULES)
def test_a_bad_model_target_is_refused(tmp_path: Path, kind: str) -> None:
    code, target, words = BAD_MODULES[kind]
    assert_refused(run("inspect", write(tmp_path, code), "--set", f"model.target={target}"), *words)


BAD_DATA = {
    "empty": "    return []",
    "a number": "    return 3",
    "a mapping": "    return {'a': 1}",
    "raises while it is read": "    yield torch.zeros(0) @ torch.zeros(3)",
    "batches the model cannot take": "    yield 'text', 1",
    "empty batches": "    yield ()",
}


@pytest.mark.parametrize("kind", BAD_DATA)
def test_bad_data_is_refused(tmp_path: Path, kind: str) -> None:
    code = STEP + f"\ndef bad_batches():\n{BAD_DATA[kind]}\n"
    assert_refused(
        run("inspect", write(tmp_path, code), "--set", "data.target=project_under_test:bad_batches"),
    )


BAD_OPTIONS = {
    "device": (("--device", "cuda:99"), ("cuda:99", "--device")),
    "unknown device": (("--device", "tpu"), ("device", "tpu")),
    "override of an unknown key": (("--set", "measure.batchs=2"), ("batchs", "batches")),
    "override without a value": (("--set", "measure.batches"), ("measure.batches",)),
    "more outputs than formats": (("--output", "report.json"), ("--format",)),
    "output in no folder": (("--format", "json", "--output", "/nowhere/report.json"), ("/nowhere/report.json",)),
    "unknown rule": (("--select", "LD2O1"), ("LD2O1",)),
    "pattern that matches nothing": (("--set", "measure.parameters=decoder.*"), ("decoder.*", "trunk.weight")),
    "pattern of an unknown objective": (("--set", "measure.parameters={gan: '*'}"), ("gan", "total")),
}


@pytest.mark.parametrize("kind", BAD_OPTIONS)
def test_bad_options_are_refused(project: Path, kind: str) -> None:
    options, words = BAD_OPTIONS[kind]
    assert_refused(run("inspect", project / "config.yaml", *options), *words)


def test_a_missing_config_is_refused(tmp_path: Path) -> None:
    assert_refused(run("inspect", tmp_path / "missing.yaml"), "missing.yaml")


def test_every_problem_of_a_config_is_listed_with_its_line(project: Path) -> None:
    path = project / "config.yaml"
    path.write_text(path.read_text().replace("version: 1", "version: 2\nmodle: {}"))
    result = run("inspect", path)
    assert_refused(result, f"{path}:2", f"{path}:3", "modle", "version")


def test_traceback_only_where_it_is_asked_for(tmp_path: Path) -> None:
    config = write(tmp_path, STEP + "\ndef bad(model, batch):\n    raise RuntimeError('no')\n", step="bad")
    result = run("inspect", config, "--traceback")
    assert result.exit_code == 2
    assert "Traceback" in result.stderr


@pytest.mark.parametrize("name", ["[a]", "[/x]", "\x1b[2J", "a\nb", "‮evil", "总损失", "=1+1"])
def test_names_are_shown_as_they_are_and_do_nothing(tmp_path: Path, name: str) -> None:
    code = (
        STEP
        + f"\ndef named(model, batch):\n    return {{{name!r}: model(batch[0]).mean(), 'fit': model(batch[0]).std()}}\n"
    )
    config = write(tmp_path, code, step="named")
    config.write_text(config.read_text().replace("  weights: {fit: 1.0, smooth: 1.0}\n", ""))
    result = run("inspect", config, "--format", "json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["objectives"][0]["components"][0]["name"] == name
    assert "\x1b" not in result.stderr
    assert "‮" not in result.stderr


def test_rule_explains_one_rule_and_lists_all() -> None:
    assert "CIELAB" in run("rule", "LD201").stdout
    listing = run("rule").stdout
    assert listing.splitlines()[0].startswith("LD101")
    assert_refused(run("rule", "LD2O1"), "LD201")


def test_schema_is_json() -> None:
    assert json.loads(run("schema").stdout)["$schema"].startswith("https://json-schema.org")


@pytest.mark.parametrize("kind", ["images", "code"])
def test_init_writes_a_config_and_never_over_another(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "lossdoctor.yaml"
    assert run("init", path, "--for", kind).exit_code == 0
    before = path.read_text()
    assert_refused(run("init", path, "--for", kind), "lossdoctor.yaml", "--force")
    assert path.read_text() == before
    assert run("init", path, "--for", kind, "--force").exit_code == 0


def test_what_init_writes_for_code_runs(tmp_path: Path) -> None:
    path = tmp_path / "lossdoctor.yaml"
    run("init", path, "--for", "code")
    result = run("inspect", path)
    assert result.exit_code == 0, result.output
