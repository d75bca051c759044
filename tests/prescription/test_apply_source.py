"""Patches applied to faulty setups of the other tests: the next measurement is the judge."""

import shutil
from pathlib import Path

import pytest

from lossdoctor.prescription.apply_source import apply_source
from lossdoctor.prescription.prescribe import prescribe

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
    return apply_source(prescribe(path)), before, source.read_text()


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


@pytest.mark.parametrize(
    ("module", "step"),
    [
        ("faulty/detached", "detach"),  # without the first detach, the second still cuts
        ("faulty/non_finite", "root_of_zero"),  # finite, and zero: the tensors are the same
    ],
)
def test_a_patch_that_does_not_help_is_taken_back(tmp_path, module, step):
    prescription, before, after = patched(tmp_path, module, model="Net", loss={"step": step})
    assert prescription.patched == ()
    assert prescription.has_errors
    assert after == before
