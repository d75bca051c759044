"""`overfit-batch` and `train` at the command line: what they leave, what they refuse, and how they are interrupted."""

from __future__ import annotations

import json
import shutil
import signal
from pathlib import Path

import pytest
import yaml
from safetensors.torch import load_file
from typer.testing import CliRunner

from lossdoctor.cli import app
from lossdoctor.run_folder import FILES

HERE = Path(__file__).parent

CONFIG = {
    "version": 1,
    "model": {"target": "resumable:Net"},
    "data": {"target": "resumable:data_set"},
    "loss": {"function": "resumable:terms", "weights": {"square": 1.0, "absolute": 0.5}},
    "measure": {"batches": 2},
    "trial": {"steps": 12, "lr": 0.01, "checkpoint_every": 5},
}

INTERRUPTING = """
import signal
import resumable

calls = 0

def terms(output, batch):
    global calls
    calls += 1
    if calls == 25:
        signal.raise_signal({number})
    return resumable.terms(output, batch)
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with a config and the module that it names."""
    shutil.copy(HERE / "resumable.py", tmp_path)
    write(tmp_path / "config.yaml")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write(path, **sections):
    merged = {key: {**value, **sections.get(key, {})} if key != "version" else value for key, value in CONFIG.items()}
    path.write_text(yaml.safe_dump(merged))


def call(command, *arguments):
    return CliRunner().invoke(app, [command, "config.yaml", "--quick", *arguments])


def trial_of(result):
    return json.loads(result.stdout)["trial"]


def refused(result, *words):
    """The one message of a command that could not do its work."""
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.stderr
    assert result.stderr.count("lossdoctor: ") == 1
    assert all(word in result.stderr for word in words), result.stderr
    return True


def without_events(names):
    """Leave out what is written for TensorBoard where it is installed."""
    return {name for name in names if not name.startswith("events.out.")}


@pytest.mark.parametrize("command", ["overfit-batch", "train"])
def test_a_run_leaves_its_files_and_says_so(command, project):
    result = call(command, "--quiet", "--format", "json")
    assert result.exit_code == 0, result.output
    folder = project / "runs" / "config"
    assert without_events(file.name for file in folder.iterdir()) == {*FILES} - {"samples.png"}
    trial = trial_of(result)
    assert (trial["kind"], trial["steps"], trial["planned"], trial["stopped"]) == (command, 12, 12, None)
    assert without_events(Path(file).name for file in trial["files"]) == {*FILES} - {"samples.png"}
    (curve,) = trial["curves"]
    assert curve["steps"] == list(range(12))
    assert {name: len(values) for name, values in curve["components"].items()} == {"square": 12, "absolute": 12}
    assert [verdict["component"] for verdict in trial["verdicts"]] == ["square", "absolute"]
    assert json.loads((folder / "report.json").read_text())["trial"] == trial
    assert load_file(folder / "last.safetensors")["head.weight"].shape == (3, 16)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("command", ["overfit-batch", "train"])
def test_a_signal_ends_the_step_and_saves(command, number, project):
    (project / "interrupting.py").write_text(INTERRUPTING.format(number=int(number)))
    write(project / "config.yaml", loss={"function": "interrupting:terms"})
    handler = signal.getsignal(number)
    result = call(command, "--quiet", "--format", "json")
    assert result.exit_code == 128 + number, result.output
    trial = trial_of(result)
    assert trial["stopped"] == f"interrupted by {number.name}"
    assert 0 < trial["steps"] < 12
    assert {*FILES} - {"samples.png"} <= {file.name for file in (project / "runs" / "config").iterdir()}
    assert signal.getsignal(number) is handler


def test_an_interrupted_training_goes_on(project):
    whole = call("train", "--quiet", "--format", "json", "--output-dir", "whole")
    part = call("train", "--quiet", "--format", "json", "--steps", "7")
    resumed = call("train", "--quiet", "--format", "json", "--resume")
    assert [result.exit_code for result in (whole, part, resumed)] == [0, 0, 0]
    assert trial_of(resumed)["notes"][-1] == "resumed at step 7"
    assert trial_of(resumed)["curves"] == trial_of(whole)["curves"]
    weights = [Path(folder, "last.safetensors").read_bytes() for folder in ("whole", "runs/config")]
    assert weights[0] == weights[1]


def test_time_may_be_limited(project):
    result = call("train", "--quiet", "--format", "json", "--steps", "100000", "--max-seconds", "1")
    assert result.exit_code == 0, result.output
    assert trial_of(result)["stopped"] == "1 seconds were over"
    assert 0 < trial_of(result)["steps"] < 100000


@pytest.mark.parametrize("command", ["overfit-batch", "train"])
def test_no_time_at_all_is_a_run_without_steps(command, project):
    result = call(command, "--format", "json", "--max-seconds", "0")
    assert result.exit_code == 0, result.output
    assert (trial_of(result)["steps"], trial_of(result)["stopped"]) == (0, "0 seconds were over")
    if command == "train":
        assert call("train", "--quiet", "--resume").exit_code == 0


def test_a_full_disk_is_one_message_and_leaves_what_was_there(project, monkeypatch):
    assert call("train", "--steps", "5").exit_code == 0
    folder = project / "runs" / "config"
    before = {file.name: file.read_bytes() for file in folder.iterdir()}
    write_bytes = Path.write_bytes

    def full(path, data):
        write_bytes(path, data[:100])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    assert refused(call("train", "--resume"), "cannot write", "No space left on device")
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_errors_of_the_diagnosis_stop_a_training_unless_forced(project):
    write(project / "config.yaml", loss={"function": "resumable:detached"})
    result = call("train", "--quiet", "--format", "json")
    assert (result.exit_code, trial_of(result)) == (1, None)
    assert "--force" in result.stderr
    assert not (project / "runs").exists()
    forced = call("train", "--quiet", "--format", "json", "--force")
    assert (forced.exit_code, trial_of(forced)["steps"]) == (1, 12)
    overfitted = call("overfit-batch", "--quiet", "--format", "json", "--overwrite")
    assert (overfitted.exit_code, trial_of(overfitted)["steps"]) == (1, 12)


def test_batches_have_an_index(project):
    starts = [
        trial_of(
            call("overfit-batch", "--quiet", "--format", "json", "--batch-index", str(k), "--output-dir", f"run{k}")
        )["verdicts"][0]["start"]
        for k in (0, 1)
    ]
    assert starts[0] != starts[1]
    assert refused(call("overfit-batch", "--batch-index", "2"), "--batch-index 2", "--batches")


def test_a_checkpoint_is_the_start_of_training_but_of_overfitting_only_when_asked(project):
    call("train", "--steps", "12")
    write(project / "config.yaml", model={"checkpoint": "runs/config/last.safetensors"})

    def first(command, *options):
        result = call(command, "--quiet", "--format", "json", "--output-dir", "other", "--overwrite", *options)
        trial = trial_of(result)
        return trial["from_checkpoint"], trial["verdicts"][0]["start"]

    fresh, trained = first("overfit-batch"), first("overfit-batch", "--from-checkpoint")
    assert (fresh[0], trained[0]) == (False, True)
    assert trained[1] < fresh[1]
    assert first("train")[0] is True
    assert first("train", "--from-scratch")[0] is False
    assert first("overfit-batch", "--from-scratch") == fresh
    assert refused(call("overfit-batch", "--from-scratch", "--from-checkpoint", "--overwrite"), "model.checkpoint")


def test_a_folder_belongs_to_one_config_and_command(project):
    assert call("train").exit_code == 0
    assert refused(call("train"), "holds a run of this config already", "--resume", "--overwrite")
    assert refused(call("overfit-batch"), "holds a run of train", "--output-dir")
    assert call("overfit-batch", "--overwrite").exit_code == 0
    assert refused(call("train", "--resume"), "holds a run of overfit-batch")
    shutil.copy("config.yaml", "other.yaml")
    other = CliRunner().invoke(app, ["train", "other.yaml", "--output-dir", "runs/config"])
    assert refused(other, "another config", str(project / "config.yaml"))


def test_what_cannot_be_resumed_is_left_as_it_was(project):
    assert refused(call("train", "--resume"), "runs/config holds no run to resume")
    assert refused(call("train", "--resume", "--overwrite"), "resumed and overwritten")
    assert call("train").exit_code == 0
    folder = project / "runs" / "config"
    assert refused(call("train", "--resume", "--set", "trial.lr=0.1"), "trial.lr was 0.01, and is 0.1")
    assert refused(call("train", "--resume", "--seed", "3"), "measure.seed was 0, and is 3")
    for damage in (b"no state", (folder / "state.pt").read_bytes()[:1000]):
        (folder / "state.pt").write_bytes(damage)
        before = {file.name: file.read_bytes() for file in folder.iterdir()}
        assert refused(call("train", "--resume"), "state.pt cannot be read", "--overwrite")
        assert {file.name: file.read_bytes() for file in folder.iterdir()} == before


def test_a_folder_of_something_else_is_not_written_into(project):
    mine = project / "runs" / "config"
    mine.mkdir(parents=True)
    (mine / "thesis.tex").write_text("x")
    assert refused(call("train"), "not empty, and holds no run")
    assert [file.name for file in mine.iterdir()] == ["thesis.tex"]
    assert call("train", "--overwrite").exit_code == 0
    assert (mine / "thesis.tex").read_text() == "x"
    (project / "file").write_text("x")
    assert refused(call("train", "--output-dir", "file"), "file is a file")
