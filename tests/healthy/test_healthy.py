"""Setups as practitioners write them and nothing wrong: no error, hardly a warning, no trace of the measurement."""

import random
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.overrides import _get_current_function_mode_stack

from lossdoctor.config.load import load_config
from lossdoctor.diagnose import diagnose
from lossdoctor.instruments.examine import examine
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case
from lossdoctor.setup.build import open_setup

CONFIGS = sorted(Path(__file__).parent.glob("*.yaml"))

#: Warnings that are true and that whoever wrote the setup would want to read.
EXPECTED_WARNINGS = {
    "luma_chroma": {"LD102"},  # a total variation without the role of a regularizer, at 0.01 % of the gradient
    "srgan": {"LD101"},  # the weights of ESRGAN, on features that are not VGG's
}


def state_of(model):
    """Everything that a measurement could have changed, as values that compare."""
    tensors = {name: tensor.detach().clone() for name, tensor in model.state_dict(keep_vars=True).items()}
    modules = [
        (module.training, len(module._forward_hooks), len(module._forward_pre_hooks)) for module in model.modules()
    ]
    parameters = [(parameter.requires_grad, parameter.grad is None) for parameter in model.parameters()]
    return tensors, modules, parameters


def state_of_process():
    numbers = torch.get_rng_state().tolist(), random.getstate(), np.random.get_state()[1].tolist()
    return *numbers, torch.is_grad_enabled(), torch.get_default_dtype(), _get_current_function_mode_stack(), sys.path[:]


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_no_alarm_and_no_trace(path):
    config = load_config(path)
    with open_setup(config) as setup:
        tensors, *rest = state_of(setup.model)
        process = state_of_process()
        examination = examine(setup)
        tensors_after, *rest_after = state_of(setup.model)
        assert state_of_process() == process
    findings, _ = diagnose(Case(config=config, examination=examination))

    assert [finding for finding in findings if finding.severity is Severity.ERROR] == []
    warnings = {finding.code for finding in findings if finding.severity is Severity.WARNING}
    assert warnings == EXPECTED_WARNINGS.get(path.stem, set())
    assert not {"gradients", "operations", "outputs", "parameters"} & examination.skipped.keys()
    assert rest_after == rest
    assert all(torch.equal(tensors_after[name], tensor) for name, tensor in tensors.items())
