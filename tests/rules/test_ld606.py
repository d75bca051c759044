from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.checkpoint import CheckpointFacts
from lossdoctor.facts.outputs import Output
from lossdoctor.records import Severity

from .cases import case, check, gradients, spread, the_finding

OUTPUT = Output("output", (8, 1, 16, 16), "float32", "sigmoid", spread(0, 1), saturated=0.9, saturated_wrong=0.5)
CHECKPOINT = CheckpointFacts("net.pt", "state dict", strict=True, loaded=4)


def seen(checkpoint=None, **changes):
    return case(gradients(a=(1.0, 1.0)), outputs=(replace(OUTPUT, **changes),), checkpoint=checkpoint)


def test_saturated_and_wrong():
    finding = the_finding("LD606", seen())
    assert finding.severity is Severity.WARNING
    assert finding.components == ()
    assert "90 % of output sits where its sigmoid is flat" in finding.message
    assert "50 % of that lies far from the target" in finding.message


@pytest.mark.parametrize(("share", "fires"), [(0.51, True), (0.49, False)])
def test_most_of_the_output(share, fires):
    assert bool(check("LD606", seen(saturated=share))) == fires


@pytest.mark.parametrize(("wrong", "fires"), [(0.26, True), (0.24, False), (0.0, False)])
@pytest.mark.parametrize("checkpoint", [None, CHECKPOINT])
def test_a_trained_mask_is_saturated_and_right(wrong, fires, checkpoint):
    assert bool(check("LD606", seen(checkpoint, saturated_wrong=wrong))) == fires


def test_without_a_target_only_fresh_weights_tell():
    assert "target" not in the_finding("LD606", seen(saturated_wrong=None)).message
    assert check("LD606", seen(CHECKPOINT, saturated_wrong=None)) == []


def test_a_code_among_several_outputs_may_be_flat_on_purpose():
    assert check("LD606", seen(name="output[1]", saturated_wrong=None)) == []
    assert check("LD606", seen(name="output[1]"))


def test_options():
    assert check("LD606", seen(), saturated_share=0.95) == []
    assert check("LD606", seen(), wrong_share=0.6) == []
