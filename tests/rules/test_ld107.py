"""LD107: a gradient that is random in direction and norm, and holds most of the total."""

from dataclasses import replace

import pytest

from lossdoctor.facts.gradients import Block
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding

SWINGS, STEADY = (10.0, 0.1, 0.1, 0.1), (2.0, 2.5, 2.0, 2.2)


def examined(norms, agreement, other=0.5):
    """Return a case of a component with these gradient norms in four batches, beside a steady one."""
    facts = gradients(noisy=(1.0, 1.0), steady=(1.0, other), batches=len(norms))
    gramians = tuple(((norm**2, 0.0), (0.0, other**2)) for norm in norms)
    return case(replace(facts, blocks=(Block("trunk", (True, True), 100, gramians),), agreement=(agreement, 0.8)))


def test_noise():
    finding = the_finding("LD107", examined(SWINGS, 0.02))
    assert (finding.severity, finding.components) == (Severity.WARNING, ("noisy",))
    assert finding.evidence["mean_cosine_between_batches"] == 0.02
    assert finding.evidence["batches"] == 4


@pytest.mark.parametrize(
    "sound",
    [
        examined(SWINGS, 0.4),  # large or small, always the same way
        examined(STEADY, 0.0),  # random, as near an optimum
        examined(SWINGS, 0.0, other=100.0),  # drowns nothing
        examined(SWINGS, None),
        examined(SWINGS[:2], 0.0),  # too few batches
    ],
)
def test_is_not(sound):
    assert check("LD107", sound) == []


def test_never_from_the_value_alone():
    facts = gradients(a=((100.0, 0.1, 0.1, 0.1), 1.0), b=(1.0, 1.0), batches=4)
    assert check("LD107", case(replace(facts, agreement=(0.0, 0.0)))) == []
