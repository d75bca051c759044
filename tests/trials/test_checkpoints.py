"""`inspect --checkpoints`: the balance at every checkpoint of a training that is over."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
import yaml
from safetensors.torch import save_file
from torch import nn
from typer.testing import CliRunner

from lossdoctor.checkpoint_files import matching_files, number_in
from lossdoctor.cli import app
from lossdoctor.setup.build import Setup
from lossdoctor.setup.loss import Losses
from lossdoctor.trials.checkpoints import measure_checkpoints

HERE = Path(__file__).parent
X = torch.tensor([[1.0, 2.0], [3.0, -1.0]])
Y = torch.tensor([[1.0], [0.0]])


def setup(**options):
    def loss(model, batch):
        output = model(batch[0])
        return Losses({"total": {"fit": (output - batch[1]).square().mean(), "size": output.abs().mean()}}, output)

    return Setup(nn.Linear(2, 1), [(X, Y)], loss, weights={"fit": 1.0, "size": 0.5}, **options)


def weights(scale):
    return {"weight": scale * torch.tensor([[1.0, 0.5]]), "bias": torch.tensor([0.25])}


def by_hand(scale):
    """Values and gradient norms of both components, by plain backward in float64."""
    numbers = {}
    for name in ("fit", "size"):
        model = nn.Linear(2, 1).double()
        model.load_state_dict(weights(scale))
        output = model(X.double())
        value = (output - Y).square().mean() if name == "fit" else output.abs().mean()
        value.backward()
        numbers[name] = value.item(), torch.cat([p.grad.flatten() for p in model.parameters()]).norm().item()
    return numbers


def saved(tmp_path, **scales):
    files = []
    for name, scale in scales.items():
        files.append(tmp_path / f"{name}.safetensors")
        save_file(weights(scale), files[-1])
    return files


def test_each_checkpoint_is_measured_in_the_order_of_its_step(tmp_path):
    prepared = setup()
    before = {name: tensor.clone() for name, tensor in prepared.model.state_dict().items()}
    trial = measure_checkpoints(prepared, saved(tmp_path, step_100=0.1, step_20=1.0, step_3=3.0))
    assert trial.kind == "checkpoints"
    assert [point.step for point in trial.trajectory] == [3, 20, 100]
    assert [Path(point.source).stem for point in trial.trajectory] == ["step_3", "step_20", "step_100"]
    for point, scale in zip(trial.trajectory, (3.0, 1.0, 0.1)):
        (report,) = point.objectives
        wanted = by_hand(scale)
        parts = {name: weight * wanted[name][1] for name, weight in (("fit", 1.0), ("size", 0.5))}
        for component in report.components:
            assert (component.value, component.grad_norm) == pytest.approx(wanted[component.name], rel=1e-5)
            assert component.grad_share == pytest.approx(parts[component.name] / sum(parts.values()), rel=1e-5)
        assert report.value == pytest.approx(wanted["fit"][0] + 0.5 * wanted["size"][0], rel=1e-5)
    (curve,) = trial.curves
    assert curve.steps == (3, 20, 100)
    assert curve.total == tuple(point.objectives[0].value for point in trial.trajectory)
    assert all(torch.equal(before[name], tensor) for name, tensor in prepared.model.state_dict().items())


def test_files_that_do_not_tell_their_step_are_counted_as_given(tmp_path):
    trial = measure_checkpoints(setup(), saved(tmp_path, early=1.0, late=0.5))
    assert [(point.step, Path(point.source).stem) for point in trial.trajectory] == [(0, "early"), (1, "late")]
    assert trial.notes


def test_files_are_found_in_natural_order(tmp_path, monkeypatch):
    for name in ("run-10.pt", "run-9.pt", "run-9.txt"):
        (tmp_path / name).touch()
    monkeypatch.chdir(tmp_path)
    assert [file.name for file in matching_files(["*.pt"])] == ["run-9.pt", "run-10.pt"]
    assert [file.name for file in matching_files([str(tmp_path / "*.pt"), "*"])] == [
        "run-9.pt", "run-10.pt", "run-9.pt", "run-9.txt", "run-10.pt",
    ]  # fmt: skip
    assert number_in("epoch=2-step=400.ckpt") == 400
    assert number_in("best.ckpt") is None


@pytest.fixture
def project(tmp_path, monkeypatch):
    shutil.copy(HERE / "resumable.py", tmp_path)
    config = {
        "model": {"target": "torch.nn:Linear", "args": {"in_features": 4, "out_features": 3}},
        "data": {"target": "resumable:data_set"},
        "loss": {"function": "resumable:terms", "weights": {"square": 1.0, "absolute": 0.5}},
        "measure": {"batches": 2},
        "trial": {"steps": 6, "lr": 0.01},
    }
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(command, *arguments):
    return CliRunner().invoke(app, [command, "config.yaml", "--quick", *arguments])


def test_checkpoints_of_a_run_give_the_trajectory_of_that_run(project):
    trained = call("train", "--quiet", "--format", "json", "--set", "trial.measure_every=3")
    shutil.copy("runs/config/last.safetensors", "at_the_end.safetensors")
    inspected = call("inspect", "--quiet", "--format", "json", "--checkpoints", "*.safetensors")
    assert inspected.exit_code == 0, inspected.output
    (wanted,) = json.loads(trained.stdout)["trial"]["trajectory"][-1:]
    trial = json.loads(inspected.stdout)["trial"]
    (point,) = trial["trajectory"]
    assert (trial["kind"], trial["planned"], trial["control"]) == ("checkpoints", None, None)
    assert point == {**wanted, "step": 6, "source": "at_the_end.safetensors"}


def test_the_table_shows_shares_totals_and_norms(project):
    for step in (1, 3, 6):
        call("train", "--steps", str(step), "--overwrite")
        shutil.copy("runs/config/last.safetensors", f"after_{step}.safetensors")
    shown = call("inspect", "--checkpoints", "after_*.safetensors").stdout
    (header,) = [line for line in shown.splitlines() if "gradient share" in line]
    assert header.split()[2:] == ["after_1", "after_3", "after_6"]
    assert "3 checkpoints" in shown
    for name in ("square", "absolute", "total", "gradient norm"):
        assert any(line.startswith(name) and len(line.split()) >= 4 for line in shown.splitlines()), name


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("nothing-*.pt", ["no file matches nothing-*.pt"]),
        ("resumable.py", ["resumable.py"]),
        ("other.safetensors", ["other.safetensors does not fit the model", "weight"]),
    ],
)
def test_what_is_no_checkpoint_of_the_model_is_refused(pattern, words, project):
    save_file(weights(1.0), "other.safetensors")
    result = call("inspect", "--checkpoints", pattern)
    assert result.exit_code == 2
    assert all(word in result.stderr for word in words), result.stderr
    assert "Traceback" not in result.stderr
