"""LD403: slopes of comparisons with the wrong sign, and components that like wrong answers better."""

import math
from dataclasses import replace

import pytest

from lossdoctor.diagnose import diagnose
from lossdoctor.facts.operands import Slope
from lossdoctor.facts.probes import Direction, Optimum

from .cases import case, check, gradients, operation, the_finding
from .traced import prediction, target

STEP = {"step": "my_project.train:losses", "weights": {"a": 1.0}}


def compared(name, slope, *, weight=1.0, other=None, operands=None):
    """Return a case of a component `a` that depends on one comparison, or on two."""
    sides = operands or (prediction(-1, 1), target(-2, 2))
    traced = [
        replace(operation(kind, *sides, of="a"), slopes={"total.a": value})
        for kind, value in ((name, slope), *([other] if other else []))
    ]
    return case(gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": weight}), operations=traced, config=STEP)


DOWN, UP = Slope(-0.1, -0.1, uniform=True), Slope(0.1, 0.1, uniform=True)


@pytest.mark.parametrize(
    ("name", "slope", "weight"),
    [
        ("mse_loss", DOWN, 1.0),
        ("mse_loss", UP, -1.0),
        ("cross_entropy", DOWN, 2.0),
        ("cosine_similarity", UP, 1.0),
        ("squared difference", DOWN, 1.0),
        ("kl_div", DOWN, 0.01),
        ("overlap", UP, 1.0),
        ("overlap of boxes", UP, 1.0),
    ],
)
def test_wrong(name, slope, weight):
    finding = the_finding("LD403", compared(name, slope, weight=weight))
    assert finding.components == ("a",)
    assert finding.evidence["level"] == "operation"
    assert finding.fix == {"loss.weights.a": -weight}
    assert finding.location.line == 12


@pytest.mark.parametrize(
    "right",
    [
        compared("mse_loss", UP),
        compared("mse_loss", DOWN, weight=-1.0),
        compared("mse_loss", DOWN, weight=0.0),
        compared("cosine_similarity", DOWN),
        compared("squared difference", Slope(-0.2, -0.1, uniform=False)),
        compared("squared difference", Slope(-0.2, 0.1, uniform=False)),
        compared("norm of a difference", replace(DOWN, bounded=True)),
        compared("mse_loss", DOWN, other=("l1_loss", UP)),
        compared("triplet_margin_loss", DOWN),
        compared("mse_loss", DOWN, operands=(prediction(-1, 1), target(0, 0))),
        compared("overlap of boxes", DOWN),
    ],
)
def test_right(right):
    assert check("LD403", right) == []


REAL, FAKE = prediction(0.3, 0.6), prediction(0.4, 0.7)
BCE, MINUS = Slope(1.0, 1.0, uniform=True), Slope(-1.0, -1.0, uniform=True)


def players(d_real, d_fake, g_slope, wanted):
    """Return a case of a discriminator with two components, and a generator that wants a label for its images."""
    made = [
        ("d.real", REAL, 1, d_real),
        ("d.fake", FAKE, 0, d_fake),
        ("g.adv", FAKE, wanted, g_slope),
    ]
    traced = [
        replace(operation("binary_cross_entropy", side, target(label, label), of=of), slopes={of: slope})
        for of, side, label, slope in made
    ]
    discriminator = gradients("d", real=(1.0, 1.0), fake=(1.0, 1.0))
    return case(discriminator, gradients("g", adv=(1.0, 1.0)), operations=traced)


def test_a_discriminator_that_takes_real_for_fake():
    assert {f.components for f in check("LD403", players(MINUS, MINUS, BCE, 1))} == {("real",), ("fake",)}


@pytest.mark.parametrize(("slope", "wanted"), [(BCE, 1), (MINUS, 0)])
def test_a_generator_may_climb(slope, wanted):
    """Non-saturating, and the minimax game as it stands in the paper."""
    assert check("LD403", players(BCE, BCE, slope, wanted)) == []


def test_domains_that_are_to_be_confused():
    """The encoder unlearns both labels of the very predictions that the classifier learns them from."""
    made = [
        (of, REAL if label else FAKE, label, slope)
        for of, slope in (("encoder", MINUS), ("domains", BCE))
        for label in (0, 1)
    ]
    traced = [
        replace(
            operation("binary_cross_entropy", side, target(label, label), of=f"{of}.{'ab'[label]}"),
            slopes={f"{of}.{'ab'[label]}": slope},
        )
        for of, side, label, slope in made
    ]
    objectives = (gradients(of, a=(1.0, 1.0), b=(1.0, 1.0)) for of in ("encoder", "domains"))
    assert check("LD403", case(*objectives, operations=traced)) == []


def answered(way, shuffled, weighed_by=None, weight=1.0, optima=(), **more):
    return case(
        gradients(a=(1.0, 1.0), b=(1.0, 1.0), weights={"a": weight}),
        directions=(
            Direction("total", "a", "output", "target", way, shuffled, weighed_by),
            *more.get("others", ()),
        ),
        optima=optima,
        config=STEP,
    )


RISING, WRONG = (0.2, 0.4, 0.6, 0.8, 1.0), (0.3, 0.4)


def test_a_score_that_is_minimised():
    finding = the_finding("LD403", answered((RISING, RISING), (WRONG, WRONG)))
    assert finding.evidence["level"] == "output"
    assert "from 0.2 to 1" in finding.message


@pytest.mark.parametrize(
    "right",
    [
        answered(((0.2, 0.0),), (WRONG,)),
        answered((RISING, RISING), (WRONG, WRONG), weight=-1.0),
        answered((RISING, (0.2, 0.4, 0.3, 0.8, 1.0)), (WRONG, WRONG)),  # not all the way
        answered((RISING, RISING), (WRONG, (1.0, 1.0))),  # no worse than other samples' in one batch
        answered((RISING,), ((0.999, 0.999),)),  # hardly worse
        answered((RISING,), (WRONG,), weighed_by="batch[2]"),
        answered((RISING,), (WRONG,), others=(Direction("total", "a", "output", "mask", ((0.2, 0.1),), (WRONG,)),)),
    ],
)
def test_what_is_no_score(right):
    assert check("LD403", right) == []


@pytest.mark.parametrize("uses_target", [True, False])
def test_what_it_makes_of_a_tensor_that_it_does_not_look_at_is_chance(uses_target):
    """Its value at other numbers of the batch, such as ids, happens to be less than at those of other samples."""
    by_chance = Direction("total", "a", "output", "ids", ((0.2, 0.1),), (WRONG,))
    seen = Optimum("total", "a", 0.1, 0.1, 0.3, uses_target, "output", "ids")
    found = check("LD403", answered((RISING,), (WRONG,), others=(by_chance,), optima=(seen,)))
    assert bool(found) is not uses_target


def past(*beyond, by_class=()):
    facts = answered((RISING, RISING), (WRONG, WRONG))
    (direction,) = facts.examination.directions
    direction = replace(direction, beyond=beyond, by_class=by_class)
    return replace(facts, examination=replace(facts.examination, directions=(direction,)))


@pytest.mark.parametrize(
    "wrong",
    [
        past((0.9, 0.2, -8.0), (0.9, 0.2, -8.0)),
        past((1.01, 0.9, 0.5), (1.0, 0.9, 0.2)),  # its peak is near the target
        past((1.0, 1.0, 1.0 + 1e-7), (1.0, 1.0, 1.0)),  # a correlation, which keeps what it has
        past((), ()),
        past((math.nan,) * 3, (math.nan,) * 3),
        past((), (), by_class=(0.9, 1.1, 1.2)),  # classes with weights
    ],
)
def test_a_score_turns_back_past_the_target(wrong):
    assert the_finding("LD403", wrong).evidence["level"] == "output"


@pytest.mark.parametrize(
    "other_terms",
    [
        past((1.2, 1.8, 3.4), (1.2, 1.8, 3.4)),
        past((1.2, 9.0, math.inf), (1.2, 9.0, math.inf)),
        past((), (), by_class=(0.7, 7.7, 14.7)),
    ],
    ids=["a rate", "a rate that overflows", "thresholds of a scale"],
)
def test_an_output_that_is_not_in_the_unit_of_the_target(other_terms):
    assert check("LD403", other_terms) == []


def test_what_it_compares_is_looked_at_before_what_it_answers():
    facts = compared("mse_loss", UP)
    examination = replace(facts.examination, directions=answered((RISING,), (WRONG,)).examination.directions)
    assert check("LD403", replace(facts, examination=examination)) == []


@pytest.mark.parametrize(
    ("slope", "wrong"),
    [(Slope(-0.2, -0.1, uniform=False), True), (Slope(-0.2, 0.1, uniform=False), False), (UP, False)],
    ids=["every element, unevenly", "some elements", "none"],
)
def test_where_elements_lead_away_unevenly_the_answers_decide(slope, wrong):
    """A mean of logarithms weighs its samples differently; so do advantages, which the answers tell apart."""
    facts = compared("squared difference", slope)
    examination = replace(facts.examination, directions=answered((RISING,), (WRONG,)).examination.directions)
    assert bool(check("LD403", replace(facts, examination=examination))) is wrong


def test_an_imperfect_optimum_is_its_symptom():
    codes = {code for f in diagnose(compared("mse_loss", DOWN))[0] if f.explained_by is None for code in [f.code]}
    assert codes == {"LD403"}
