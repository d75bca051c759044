"""LD701: half of what could go has to go from a batch that is seen again and again."""

import pytest

from lossdoctor.facts.outputs import Output
from lossdoctor.facts.probes import Optimum
from lossdoctor.records import Severity

from .cases import PHOTO, PREDICTION, case, check, gradients, operation, the_finding
from .tried import curve, tried


def fell(end, start=10.0, floor=0.0, **more):
    return tried(curve(a=(start, (start + end) / 2, end), **more), floors={"total": {"a": floor}})


def test_what_keeps_more_than_half_cannot_overfit():
    finding = the_finding("LD701", fell(6.0))
    assert (finding.severity, finding.components) == (Severity.ERROR, ("a",))
    assert finding.evidence["gone"] == pytest.approx(0.4)
    assert "still falling" in finding.remedy


@pytest.mark.parametrize(("end", "floor"), [(4.0, 0.0), (7.0, 5.0), (-6.0, -10.0)])
def test_half_of_what_lies_above_a_perfect_prediction_is_enough(end, floor):
    assert check("LD701", fell(end, floor=floor)) == []


@pytest.mark.parametrize(("end", "floor"), [(8.0, 5.0), (1.0, -10.0)])
def test_less_than_half_of_it_is_not(end, floor):
    assert check("LD701", fell(end, floor=floor))


def test_only_those_that_stayed_are_named():
    both = curve(a=(10.0, 9.0), b=(1.0, 0.1))
    finding = the_finding("LD701", tried(both, floors={"total": {"a": 0.0, "b": 0.0}}))
    assert finding.components == ("a",)


def test_weights_say_what_counts():
    both = curve(a=(10.0, 9.0), b=(1.0, 0.1), weights={"a": 1e-3})
    assert check("LD701", tried(both, floors={"total": {"a": 0.0, "b": 0.0}})) == []


def test_regularizers_and_weights_of_zero_are_not_to_blame():
    three = curve(a=(10.0, 9.0), b=(1.0, 1.0), c=(1.0, 1.0), roles={"b": "regularizer"}, weights={"c": 0.0})
    finding = the_finding("LD701", tried(three, floors={"total": {"a": 0.0, "b": 0.0, "c": 0.0}}))
    assert finding.components == ("a",)


def test_nothing_to_train():
    assert "every parameter is frozen" in the_finding("LD701", fell(10.0, trained=0)).message


@pytest.mark.parametrize(
    "facts",
    [
        fell(10.0, adversarial=True),
        tried(curve(a=(10.0, 9.0)), floors={}),
        tried(curve(a=(10.0, 9.0)), floors={"total": {"a": 0.0}}, stopped="interrupted"),
    ],
    ids=["two players", "no floor known", "interrupted"],
)
def test_nothing_is_said(facts):
    assert check("LD701", facts) == []


class TestPerfectIsNoBetter:
    """A perfect prediction is worth no less than the untrained one."""

    def facts(self, end, target=PHOTO):
        output = Output("output", (8, 3), "float32", None, PREDICTION.overall, channels=())
        optimum = Optimum("total", "a", 3.0, 3.0, 3.0, True, "output", "batch[1]", PHOTO.overall)
        compared = operation("mse_loss", PREDICTION, target, of="a")
        examined = case(gradients(a=(2.0, 1.0)), optima=(optimum,), outputs=(output,), operations=(compared,))
        return tried(curve(a=(2.0, 2.0, end)), floors={"total": {"a": 3.0}}, examined=examined)

    def test_where_the_target_itself_is_compared(self):
        finding = the_finding("LD701", self.facts(end=1.9))
        assert "a perfect prediction is worth 3" in finding.message
        assert "its own target" in finding.remedy

    def test_what_is_learned_by_heart_all_the_same(self):
        assert check("LD701", self.facts(end=0.5)) == []

    def test_where_something_else_is_compared(self):
        """As the noise of a diffusion model."""
        assert check("LD701", self.facts(end=1.9, target=PREDICTION)) == []
