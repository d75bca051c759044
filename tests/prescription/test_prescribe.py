"""A prescription cures what it says, keeps the rest of the file, and does nothing twice."""

import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossdoctor.cli import app
from lossdoctor.config.load import load_config
from lossdoctor.prescription.apply import write_prescription
from lossdoctor.prescription.prescribe import prescribe
from lossdoctor.records import Severity

SAMPLES = Path(__file__).parents[2] / "sample_data"
HERE = Path(__file__).parent

POSE = """\
# Pose from features.
model: {target: "scales:Pose"}
data: {target: "scales:batches"}
loss:
  step: scales:losses   # what is minimised
  weights:
    rotation: 1.0       # in radians
    translation: 1.0
    size: 1e-3
  roles: {size: regularizer}
measure: {batches: 3}
"""


@pytest.fixture
def pose(tmp_path):
    shutil.copy(HERE / "scales.py", tmp_path)
    path = tmp_path / "pose.yaml"
    path.write_text(POSE)
    return path


@pytest.fixture(scope="module")
def founding():
    return prescribe(SAMPLES / "colorization" / "unnormalized.yaml")


class TestFoundingCase:
    def test_causes_before_weights(self, founding):
        assert [cure.name.split()[0] for cure in founding.cures] == ["LD201", "LD106", "weights"]
        assert {finding.code for finding in founding.cured} == {"LD201", "LD106"}
        assert founding.left == founding.arisen == ()

    def test_the_result_is_the_balanced_sample(self, founding, tmp_path):
        fixed = tmp_path / "fixed.yaml"
        fixed.write_text(founding.fixed.replace("../photos/", "photos/").replace("  checkpoint", "  # checkpoint"))
        (tmp_path / "photos").mkdir()
        ours = load_config(fixed).loss.components
        theirs = load_config(SAMPLES / "colorization" / "balanced.yaml").loss.components
        for name, component in theirs.items():
            assert ours[name].model_dump(exclude={"weight"}) == component.model_dump(exclude={"weight"})
            assert ours[name].weight == pytest.approx(component.weight, rel=0.1)

    def test_only_the_two_lines_change(self, founding):
        changed = [line for line in founding.diff.splitlines() if line[0] in "+-"][2:]
        assert [line.split(":")[0].strip("+- ") for line in changed] == ["lab", "ab", "lab", "ab"]

    def test_every_weight_says_from_which_numbers_it_comes(self, founding):
        reason = founding.cures[-1].reason
        assert "lab: " in reason
        assert "perceptual, whose weight stays" in reason
        assert "over the batches" in reason


class TestUserCode:
    def test_weights_alone(self, pose):
        prescription = prescribe(pose)
        assert [cure.name for cure in prescription.cures] == ["weights"]
        shares = {row.name: row.grad_share for row in prescription.after.objectives[0].components}
        assert shares["rotation"] == pytest.approx(shares["translation"], rel=0.1)
        assert prescription.fixed.splitlines()[4] == "  step: scales:losses   # what is minimised"

    def test_a_second_time_changes_nothing(self, pose):
        write_prescription(prescribe(pose), pose, backup=False)
        again = prescribe(pose)
        assert again.diff == ""
        assert again.cures == ()

    def test_a_declared_budget(self, pose):
        pose.write_text(POSE.replace("  roles:", "  shares: {rotation: 0.8, translation: 0.2}\n  roles:"))
        after = prescribe(pose).after.objectives[0]
        shares = {row.name: row.grad_share for row in after.components}
        assert shares["rotation"] / shares["translation"] == pytest.approx(4, rel=0.1)

    def test_balanced_is_left_alone_unless_asked(self, pose):
        pose.write_text(POSE.replace("translation: 1.0", "translation: 0.3e-6"))
        assert prescribe(pose).cures == ()
        assert [cure.name for cure in prescribe(pose, rebalance=True).cures] == ["weights"]


class TestWeightsThatWait:
    LOSSES = """

def broadcast(model, batch):
    x, y = batch
    columns = model(x)[:, :1], y[:, 0]
    far = 1e6 * torch.nn.functional.mse_loss(*columns)
    return {"translation": far, "rotation": (model(x) - y).square().mean()}


def vanishing(model, batch):
    x, y = batch
    return {"translation": (model(x) - y).square().mean(), "rotation": 1e-18 * model(x).mean()}
"""

    @pytest.fixture
    def setup(self, pose):
        def written(losses):
            pose.with_name("scales.py").write_text((HERE / "scales.py").read_text() + self.LOSSES)
            pose.write_text(
                POSE.replace("scales:losses", f"scales:{losses}")
                .replace("    size: 1e-3\n", "")
                .replace("  roles: {size: regularizer}\n", "")
            )
            return pose

        return written

    @pytest.mark.filterwarnings("ignore:Using a target size")
    def test_for_an_error_in_a_component_that_they_would_be_set_by(self, setup):
        path = setup("broadcast")
        prescription = prescribe(path)
        assert prescription.has_errors
        assert prescription.cures == ()
        assert "--rebalance" in run(path, "--diff").stderr
        assert prescribe(path, rebalance=True).rebalanced

    def test_not_for_a_component_that_is_nothing_but_rounding(self, setup):
        """Brought down to its size, the whole gradient would be too small to change a weight."""
        prescription = prescribe(setup("vanishing"))
        assert "LD101" in {finding.code for finding in prescription.left}
        assert prescription.cures == ()


def test_healthy_samples_are_left_alone():
    prescription = prescribe(SAMPLES / "colorization" / "balanced.yaml", overrides=["measure.batches=1"])
    assert prescription.diff == ""
    assert not prescription.has_errors


def run(*arguments):
    return CliRunner().invoke(app, ["fix", *map(str, arguments)])


class TestCommand:
    def test_writes_in_place_with_a_backup(self, pose):
        pose.chmod(0o640)
        result = run(pose, "--backup")
        assert result.exit_code == 0, result.stderr
        assert pose.with_name("pose.yaml.bak").read_text() == POSE
        assert pose.read_text() != POSE
        assert pose.stat().st_mode & 0o777 == 0o640
        assert "wrote" in result.stdout

    def test_a_link_stays_a_link(self, pose, tmp_path):
        link = tmp_path / "link.yaml"
        link.symlink_to(pose)
        assert run(link).exit_code == 0
        assert link.is_symlink()
        assert pose.read_text() != POSE

    def test_diff_writes_nothing_and_can_be_applied(self, pose):
        result = run(pose, "--diff")
        assert pose.read_text() == POSE
        patched = subprocess.run(
            ["patch", "-s", "-o", "-", str(pose)], input=result.stdout, capture_output=True, text=True, check=True
        )
        assert patched.stdout == prescribe(pose).fixed

    def test_output_elsewhere(self, pose, tmp_path):
        assert run(pose, "--output", tmp_path / "new.yaml").exit_code == 0
        assert pose.read_text() == POSE
        assert (tmp_path / "new.yaml").read_text() == prescribe(pose).fixed

    def test_nowhere_to_write(self, pose, tmp_path):
        result = run(pose, "--output", tmp_path / "missing" / "new.yaml")
        assert result.exit_code == 2
        assert "folder" in result.stderr

    def test_errors_that_no_config_cures(self, pose):
        pose.with_name("scales.py").write_text(
            (HERE / "scales.py").read_text().replace("error[:, 3:].mean()", "error[:, 3:].mean().detach()")
        )
        result = run(pose, "--diff")
        assert result.exit_code == 1
        assert "LD501" in result.stderr

    def test_an_override_of_the_loss_is_refused(self, pose):
        """What is measured with it would be written for a loss without it."""
        result = run(pose, "--set", "loss.weights.size=1")
        assert result.exit_code == 2
        assert "loss.weights.size" in result.stderr
        assert pose.read_text() == POSE

    def test_other_overrides_hold_for_measuring_and_are_not_written(self, pose):
        assert run(pose, "--set", "measure.batches=2", "--set", "trial.steps=7").exit_code == 0
        assert pose.read_text() != POSE
        assert "measure: {batches: 3}" in pose.read_text()
        assert "trial" not in pose.read_text()

    def test_json(self, pose):
        import json

        document = json.loads(run(pose, "--json", "--diff", "--quiet").stdout)
        assert document["command"] == "fix"
        assert document["written"] is None
        assert document["before"]["objectives"][0]["components"][0]["name"] == "translation"
        assert document["diff"].startswith("---")


@pytest.mark.parametrize("delay", [0.0, 0.4, 0.8])
def test_killed_at_any_moment(pose, delay):
    """The old file or the new one: the process is killed once it has begun to write, or before."""
    expected = {POSE, prescribe(pose).fixed}
    process = subprocess.Popen(
        [sys.executable, "-m", "lossdoctor", "fix", str(pose)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    started = time.monotonic()
    while process.poll() is None and time.monotonic() - started < 30 and pose.read_text() == POSE:
        time.sleep(0.01)
    time.sleep(delay * 0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert pose.read_text() in expected
    assert not [finding for finding in prescribe(pose).after.findings if finding.severity is Severity.ERROR]


def test_a_component_that_is_there_twice_goes(tmp_path):
    """The one that is left has the weight of both, so the total stays what it was."""
    path = tmp_path / "twice.yaml"
    path.write_text(
        (SAMPLES / "colorization" / "balanced.yaml")
        .read_text()
        .replace("../photos/", f"{SAMPLES}/photos/")
        .replace("checkpoint: unet.safetensors", "")
        + "    colour: {term: mse, space: lab, channels: [a, b], weight: 5.0}   # ab again\n"
    )
    prescription = prescribe(path, overrides=["measure.batches=1"])
    assert [cure.name.split()[0] for cure in prescription.cures] == ["LD106"]
    before, after = prescription.before.objectives[0], prescription.after.objectives[0]
    assert len(after.components) == len(before.components) - 1
    assert after.value == pytest.approx(before.value, rel=1e-3)
    assert after.grad_norm == pytest.approx(before.grad_norm, rel=1e-3)
    removed = [line for line in prescription.diff.splitlines() if line.startswith("-    ")]
    assert len(removed) == 2
