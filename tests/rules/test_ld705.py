"""LD705: a loss that stands still although it could fall."""

import pytest

from lossdoctor.records import Severity

from .cases import check, the_finding
from .tried import curve, tried

FALLING = [10.0 * 0.8**step for step in range(40)]
STANDING = [10.0, 8.0] + [6.0] * 38
FLAT = [10.0] * 40


def test_much_is_left():
    finding = the_finding("LD705", tried(curve(a=STANDING), floors={"total": {"a": 0.0}}))
    assert (finding.severity, finding.components) == (Severity.WARNING, ("a",))
    assert "60 %" in finding.message


def test_it_has_arrived():
    assert check("LD705", tried(curve(a=STANDING), floors={"total": {"a": 5.9}})) == []


def test_it_falls():
    assert check("LD705", tried(curve(a=FALLING), floors={"total": {"a": 0.0}})) == []


def test_without_a_floor_only_a_run_that_did_nothing_counts():
    """When training, nobody knows the least value."""
    the_finding("LD705", tried(curve(a=FLAT)))
    assert check("LD705", tried(curve(a=STANDING))) == []


@pytest.mark.parametrize(
    "facts",
    [tried(curve(a=FLAT, adversarial=True)), tried(curve(a=FLAT), stopped="interrupted"), tried(curve(a=FLAT[:10]))],
    ids=["two players", "interrupted", "a few steps"],
)
def test_nothing_is_said(facts):
    assert check("LD705", facts) == []


def test_regularizers_are_not_named():
    finding = the_finding("LD705", tried(curve(a=FLAT, b=FLAT, roles={"b": "regularizer"})))
    assert finding.components == ("a",)
