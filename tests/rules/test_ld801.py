from __future__ import annotations

import pytest

from lossdoctor.facts.checkpoint import CheckpointFacts, KeyMismatch
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding

HEALTHY = gradients(a=(1.0, 1.0), b=(1.0, 1.0))


def checkpoint(**facts):
    return CheckpointFacts(**{"path": "unet.pth", "layout": "state dict", "strict": True, "loaded": 40, **facts})


@pytest.mark.parametrize(
    "facts",
    [
        {"missing": ("head.weight",)},
        {"unexpected": ("fc.weight",)},
        {"reshaped": (KeyMismatch("head.weight", (3, 64), (10, 64)),)},
    ],
)
@pytest.mark.parametrize(("strict", "severity"), [(True, Severity.ERROR), (False, Severity.WARNING)])
def test_keys_that_do_not_fit(facts, strict, severity):
    finding = the_finding("LD801", case(HEALTHY, checkpoint=checkpoint(strict=strict, **facts)))
    assert finding.severity is severity
    assert finding.components == ("a", "b")
    assert "unet.pth" in finding.message


def test_the_evidence_shows_what_was_renamed_and_reshaped():
    facts = checkpoint(
        missing=("head.weight",),
        unexpected=("heads.weight",),
        reshaped=(KeyMismatch("stem.weight", (8, 3), (8, 1)),),
        near={"head.weight": "heads.weight"},
    )
    finding = the_finding("LD801", case(HEALTHY, checkpoint=facts))
    assert finding.evidence["near"] == {"head.weight": "heads.weight"}
    assert finding.evidence["reshaped"] == {"stem.weight": "model (8, 3), checkpoint (8, 1)"}
    assert "1 missing, 1 unexpected, 1 of another shape" in finding.message


def test_a_prefix_that_a_wrapper_added_is_no_fault():
    assert check("LD801", case(HEALTHY, checkpoint=checkpoint(stripped_prefix="module."))) == []


def test_thousands_of_keys_are_cut_short():
    missing = tuple(f"layer{index}.weight" for index in range(5000))
    finding = the_finding("LD801", case(HEALTHY, checkpoint=checkpoint(missing=missing)))
    assert len(finding.evidence["missing"]) == 10
    assert "5000 missing" in finding.message


def test_a_component_of_two_objectives_is_named_once():
    both = gradients("generator", adv=(1.0, 1.0)), gradients("critic", adv=(1.0, 1.0))
    finding = the_finding("LD801", case(*both, checkpoint=checkpoint(missing=("head.weight",))))
    assert (finding.objective, finding.components) == ("", ("adv",))
