"""`inspect --write-shares`: today's balance becomes the budget of tomorrow."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossdoctor.balance import summarize
from lossdoctor.cli import app
from lossdoctor.config.edit import edited
from lossdoctor.config.load import load_config
from lossdoctor.errors import LossDoctorError
from lossdoctor.shares_file import recorded_shares, write_shares

from .rules.cases import gradients

CONFIG = """\
# a budget to be
version: 1
model: {target: "shared_project:net"}
data: {target: "shared_project:batches"}   # two batches

loss:
    step: "shared_project:losses"
    weights: {fit: 1.0, smooth: 1.0, decay: 1.0e-3}   # as in the paper
    roles: {decay: regularizer}
measure:
    # few are enough
    batches: 2
"""

CODE = """
import torch
from torch import nn

def net():
    return nn.Linear(4, 1)

def batches():
    x = torch.ones(8, 4)
    return [(x, x.sum(1, keepdim=True))] * 2

def losses(model, batch):
    x, y = batch
    p = model(x)
    return {"fit": nn.functional.mse_loss(p, y), "smooth": nn.functional.l1_loss(p, y), "decay": model.weight.square().sum()}
"""


def objectives(*measured):
    return [summarize(each) for each in measured]


def inspect(path, *args):
    return CliRunner().invoke(app, ["inspect", str(path), "--quick", "--quiet", *args])


@pytest.fixture
def config(tmp_path) -> Path:
    (tmp_path / "shared_project.py").write_text(textwrap.dedent(CODE))
    path = tmp_path / "config.yaml"
    path.write_text(CONFIG)
    return path


def test_shares_are_those_of_the_rivals_with_two_digits_and_add_up_to_1():
    measured = gradients(
        a=(1.0, 2.0), b=(1.0, 1.0), c=(1.0, 0.0123456), reg=(1.0, 5.0), gone=(1.0, 0.0), roles={"reg": "regularizer"}
    )
    shares = recorded_shares(objectives(measured))
    assert shares == {"a": pytest.approx(0.6659), "b": 0.33, "c": 0.0041}
    assert sum(shares.values()) == pytest.approx(1, abs=1e-9)


def test_names_are_qualified_where_objectives_share_them():
    gan = [gradients(name, adv=(1.0, 1.0), l1=(1.0, 1.0)) for name in ("g", "d")]
    assert set(recorded_shares(objectives(*gan))) == {"g.adv", "g.l1", "d.adv", "d.l1"}
    assert recorded_shares(objectives(gradients(a=(1.0, 1.0)))) == {}


def test_the_file_gets_them_and_keeps_everything_else(config):
    done = inspect(config, "--write-shares")
    assert done.exit_code == 0, done.stderr
    shares = load_config(config).loss.shares
    assert set(shares) == {"fit", "smooth"}
    assert "wrote loss.shares" in done.stderr
    lines = config.read_text().splitlines()
    added = [line for line in lines if line not in CONFIG.splitlines()]
    assert [line for line in lines if line not in added] == CONFIG.splitlines()
    assert [line.partition(":")[0].strip() for line in added] == ["shares"]


def test_what_was_written_is_met_and_written_again_the_same(config):
    inspect(config, "--write-shares")
    first = config.read_text()
    done = inspect(config, "--write-shares", "--select", "LD105")
    assert done.exit_code == 0
    assert config.read_text() == first


def test_a_later_change_of_balance_is_off_budget(config):
    inspect(config, "--write-shares")
    done = inspect(config, "--set", "loss.weights.smooth=100.0", "--select", "LD105", "--format", "csv")
    assert done.exit_code == 1
    assert "LD105" in done.stdout


def test_without_shares_nothing_is_written(config):
    before = config.read_bytes()
    done = inspect(config, "--write-shares", "--set", "loss.roles={decay: regularizer, fit: regularizer}")
    assert done.exit_code == 2
    assert "no shares to write" in done.stderr
    assert config.read_bytes() == before


@pytest.mark.parametrize(
    "text",
    [
        CONFIG.replace("\n", "\r\n"),
        "\ufeff" + CONFIG,
        CONFIG.replace("# two batches", "# zwölf"),
        CONFIG.replace("roles: {decay: regularizer}", "shares: {fit: 0.5}  # by hand"),
    ],
    ids=["windows", "byte order mark", "unicode", "shares"],
)
def test_the_text_around_stays_byte_for_byte(text, tmp_path):
    changed = edited(text, {("loss", "shares"): {"fit": 0.25, "smooth": 0.75}})
    rest = [line for line in text.splitlines(keepends=True) if "shares" not in line]
    assert [line for line in changed.splitlines(keepends=True) if line in rest] == rest
    assert ("\r\n" in changed) == ("\r\n" in text)


def test_a_file_that_cannot_be_written_is_one_message(tmp_path):
    with pytest.raises(LossDoctorError, match="cannot write loss.shares"):
        write_shares(tmp_path / "gone.yaml", objectives(gradients(a=(1.0, 1.0), b=(1.0, 1.0))))
