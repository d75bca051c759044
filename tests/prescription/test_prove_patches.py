"""Patches applied to faulty setups of the other tests: the next measurement is the judge."""

import shutil
from pathlib import Path

import pytest

from lossdoctor.prescription.prescribe import prescribe
from lossdoctor.prescription.prove_patches import prove_patches, write_patches

TESTS = Path(__file__).parents[1]


def patched(tmp_path, module, **config):
    source = tmp_path / f"{Path(module).name}.py"
    shutil.copy(TESTS / f"{module}.py", source)
    name = source.stem
    path = tmp_path / "config.yaml"
    loss = "\n".join(f"  {key}: {name}:{value}" for key, value in config.pop("loss").items())
    path.write_text(
        f"model: {{target: '{name}:{config.pop('model')}', args: {config.pop('args', {})}}}\n"
        f"data: {{target: '{name}:{config.pop('data', 'batches')}'}}\nloss:\n{loss}\nmeasure: {{batches: 1}}\n"
    )
    before = source.read_text()
    proven = prove_patches(prescribe(path))
    assert source.read_text() == before, "nothing is written unasked"
    return write_patches(proven), before, source.read_text()


@pytest.mark.parametrize(
    ("module", "options"),
    [
        ("faulty/detached", {"model": "Net", "loss": {"function": "item"}}),
        ("faulty/detached", {"model": "Net", "loss": {"function": "data"}}),
        ("faulty/non_finite", {"model": "Net", "loss": {"function": "log_of_zero"}}),
    ],
)
def test_the_patch_cures(tmp_path, module, options):
    prescription, before, after = patched(tmp_path, module, **options)
    assert len(prescription.patched) == 1
    assert not prescription.has_errors
    changed = [(a, b) for a, b in zip(before.splitlines(), after.splitlines(), strict=True) if a != b]
    assert len(changed) == 1
    assert "# fault" in changed[0][0]


def test_weights_follow_the_patched_code(tmp_path):
    """With a gradient at last, the component turns out to be a small one."""
    prescription, *_ = patched(tmp_path, "faulty/detached", model="Net", loss={"step": "detach"})
    assert [patch.code for patch in prescription.patched] == ["LD501"]
    assert not prescription.has_errors


def test_a_patch_that_does_not_help_is_none(tmp_path):
    """Finite, and zero: the tensors are the same."""
    prescription, before, after = patched(tmp_path, "faulty/non_finite", model="Net", loss={"step": "root_of_zero"})
    assert prescription.patched == ()
    assert prescription.has_errors
    assert after == before


TWICE = """\
import torch.nn.functional as F

from detached import Net, batches


def losses(output, batch):
    prediction = output.detach()
    error = prediction - batch[1]
    size = error.abs().detach()
    return {"fit": F.mse_loss(output, batch[1]), "size": size.mean()}
"""


def test_two_places_of_one_fault(tmp_path):
    """After the first patch the value is still detached, elsewhere; together they are a cure."""
    shutil.copy(TESTS / "faulty" / "detached.py", tmp_path)
    (tmp_path / "twice.py").write_text(TWICE)
    path = tmp_path / "config.yaml"
    path.write_text('model: {target: "twice:Net"}\ndata: {target: "twice:batches"}\nloss: {function: "twice:losses"}\n')
    proven = prove_patches(prescribe(path))
    assert [patch.code for patch in proven.patches] == ["LD501", "LD501"]
    assert "detach" in (tmp_path / "twice.py").read_text()
    write_patches(proven)
    assert "detach()" not in (tmp_path / "twice.py").read_text()
    assert not prescribe(path).has_errors
