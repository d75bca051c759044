"""`check --measure`: every config in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from .project import check, document, findings, write

CODE = """
import os, sys, signal
import torch
from torch import nn

def net():
    return nn.Linear(4, 1)

def batches():
    print("printed by user code")
    generator = torch.Generator().manual_seed(0)
    for _ in range(2):
        x = torch.randn(8, 4, generator=generator)
        yield x, x.sum(1, keepdim=True)

def losses(model, batch, factor=1.0):
    x, y = batch
    prediction = model(x)
    return {"fit": nn.functional.mse_loss(prediction, y), "smooth": factor * nn.functional.l1_loss(prediction, y)}

def drifted(model, batch):
    return losses(model, batch, 50.0)

def raises(model, batch):
    raise RuntimeError("no luck")

def broadcast(model, batch):
    x, y = batch
    return {"fit": nn.functional.mse_loss(model(x), y[:, 0]), "smooth": nn.functional.l1_loss(model(x), y)}

def segfaults(model, batch):
    os.kill(os.getpid(), signal.SIGSEGV)

def killed(model, batch):
    os.kill(os.getpid(), signal.SIGKILL)

def leaves(model, batch):
    os._exit(0)

def lingers(model, batch):
    import threading, time
    threading.Thread(target=time.sleep, args=(1000,)).start()
    return losses(model, batch)
"""


ENDLESS = """
import os, subprocess, sys, time
from measured_project import *

def endless():
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(1000)"])
    with open("child", "w") as file:
        file.write(str(child.pid))
    while True:
        time.sleep(0.1)
    yield

def deaf(model, batch):
    os.closerange(3, 1000)
    time.sleep(1000)
"""


def config(step: str) -> str:
    return (
        'model: {target: "measured_project:net"}\ndata: {target: "measured_project:batches"}\n'
        f'loss:\n  step: "measured_project:{step}"\n  weights: {{fit: 1.0, smooth: 1.0}}\n'
    )


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("measured")
    steps = ("losses", "raises", "broadcast", "segfaults", "killed", "leaves", "lingers")
    return write(
        folder, measured_project__py=textwrap.dedent(CODE), **{f"{step}__yaml": config(step) for step in steps}
    )


@pytest.fixture(scope="module")
def reports(project):
    """What one check of all of them says, two at a time."""
    done = check(project, "--measure", "--jobs", "2", "--quick", "--quiet", "--format", "json", "--device", "cpu")
    assert done.exit_code == 2
    return {Path(report["config"]).stem: report for report in json.loads(done.stdout)["reports"]}


def test_healthy_ones_are_measured_beside_those_that_die(reports):
    assert list(reports) == sorted(reports)
    assert reports["losses"]["verdict"] == "pass"
    (objective,) = reports["losses"]["objectives"]
    assert [component["name"] for component in objective["components"]] == ["fit", "smooth"]
    assert reports["losses"]["environment"]["device"] == "cpu"


def test_rules_that_need_a_measurement_are_applied(reports):
    codes = {finding["code"] for finding in reports["broadcast"]["findings"] if finding["severity"] == "error"}
    assert codes == {"LD302"}


@pytest.mark.parametrize(
    ("step", "said"),
    [
        ("raises", "no luck"),
        ("segfaults", "killed by SIGSEGV"),
        ("killed", "killed by SIGKILL"),
        ("leaves", "ended with exit code 0 before it had reported"),
    ],
)
def test_one_that_dies_is_a_failure_of_its_own(step, said, reports):
    (failure,) = reports[step]["failures"]
    assert said in failure["message"]
    assert failure["advice"]


def test_threads_that_are_left_behind_hold_up_nothing(reports):
    assert reports["lingers"]["verdict"] == "pass"


def test_one_that_does_not_end_is_ended_with_what_it_has_started(tmp_path, monkeypatch):
    """One waits for its data for ever, one has closed the connection: neither keeps the check from its end."""
    monkeypatch.chdir(tmp_path)
    endless = config("losses").replace("measured_project:batches", "endless_project:endless")
    deaf = config("losses").replace("measured_project:losses", "endless_project:deaf")
    write(
        tmp_path,
        measured_project__py=textwrap.dedent(CODE),
        endless_project__py=ENDLESS,
        a__yaml=endless,
        b__yaml=deaf,
    )
    args = ["--measure", "--jobs", "2", "--timeout", "10", "--quick", "--device", "cpu"]
    for report in document(tmp_path, *args)["reports"]:
        (failure,) = report["failures"]
        assert "had not reported after 10 s" in failure["message"]
        assert "--timeout" in failure["advice"]
    assert has_ended((tmp_path / "child").read_text())


def has_ended(process: str) -> bool:
    stat = Path("/proc", process, "stat")
    return not stat.exists() or ") Z " in stat.read_text()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_with_the_command_ends_what_it_measures(number, tmp_path):
    """A job in CI that is cancelled leaves nothing behind, however it is ended."""
    config_text = config("losses").replace("measured_project:batches", "endless_project:endless")
    write(tmp_path, measured_project__py=CODE, endless_project__py=ENDLESS, a__yaml=config_text)
    root = Path(__file__).parents[2]
    command = subprocess.Popen(
        [sys.executable, "-m", "lossdoctor", "check", "a.yaml", "--measure", "--device", "cpu"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(root)},
        stderr=subprocess.DEVNULL,
    )
    pid = tmp_path / "child"
    wait_for(lambda: pid.exists() and pid.read_text())
    command.send_signal(number)
    assert command.wait() == -number
    wait_for(lambda: has_ended(pid.read_text()))


def wait_for(condition, seconds=60):
    """Return once a condition holds; a machine that is busy has a minute for it."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_timeout_needs_something_to_measure(project):
    done = check(project / "losses.yaml", "--timeout", "60")
    assert done.exit_code == 2
    assert "--timeout does nothing without --measure" in done.stderr


def test_what_user_code_prints_is_not_in_the_report_and_progress_is_told(project):
    done = check(project / "losses.yaml", "--measure", "--quick", "--format", "json")
    json.loads(done.stdout)
    assert f"measured {project / 'losses.yaml'}" in done.stderr


def test_a_static_baseline_of_shares_is_written_and_compared(project, tmp_path):
    write(tmp_path, measured_project__py=textwrap.dedent(CODE), c__yaml=config("losses"))
    base = tmp_path / "base.json"
    assert check(tmp_path, "--measure", "--quick", "--baseline", base, "--update-baseline").exit_code == 0
    known = json.loads(base.read_text())["configs"]["c.yaml"]
    assert sum(known["shares"]["total"].values()) == pytest.approx(1, abs=1e-3)
    assert {"device", "torch", "lossdoctor"} <= known["environment"].keys()
    assert "seconds" not in known["environment"]
    code = (tmp_path / "measured_project.py").read_text().replace("factor=1.0", "factor=50.0")
    (tmp_path / "measured_project.py").write_text(code)
    drifted = findings(tmp_path, "--measure", "--quick", "--baseline", base)
    assert ("LD905", "error", ("fit",)) in drifted
    # A static update keeps what only a measurement can know.
    assert check(tmp_path, "--baseline", base, "--update-baseline").exit_code == 0
    assert json.loads(base.read_text())["configs"]["c.yaml"]["shares"] == known["shares"]


def test_a_config_that_cannot_be_used_is_not_measured(tmp_path):
    write(
        tmp_path,
        measured_project__py=textwrap.dedent(CODE),
        a__yaml=config("losses"),
        b__yaml=config("losses") + "x: 1\n",
    )
    good, bad = document(tmp_path, "--measure", "--quick")["reports"]
    assert good["objectives"]
    assert bad["failures"][0]["key"] == "x"
