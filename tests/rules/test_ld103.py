from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.checkpoint import CheckpointFacts
from lossdoctor.records import Severity

from .cases import (
    LAB_DATA,
    LAB_PREDICTION,
    PHOTO,
    PREDICTION,
    case,
    check,
    gradients,
    gramian,
    operand,
    operation,
    spread,
    the_finding,
)

#: Both components compare the output with data of their own.
FITS = [operation("mse_loss", PREDICTION, PHOTO, of="a"), operation("l1_loss", PREDICTION, LAB_DATA, of="b")]


def found(facts, operations=FITS, **more):
    return bool(check("LD103", case(facts, operations=operations, **more)))


def opposed(at_output, in_parameters=-0.8, batches=3, weights=None, roles=None, a=1.0, b=1.0, **others):
    """Return two components with these cosines; those at the output may differ from batch to batch."""
    names = ("a", "b", *others)
    components = {"a": (1.0, a), "b": (1.0, b), **{name: (1.0, norm) for name, norm in others.items()}}
    facts = gradients(cosines={("a", "b"): in_parameters}, batches=batches, weights=weights, roles=roles, **components)
    if at_output is None:
        return facts
    cosines = at_output if isinstance(at_output, list) else [at_output] * batches
    return replace(
        facts,
        output_gramians=tuple(
            gramian(dict.fromkeys(names, 1.0), {("a", "b"): cosine}, [True] * len(names)) for cosine in cosines
        ),
    )


def test_opposite_pulls_at_the_same_output():
    finding = the_finding("LD103", case(opposed(-0.9), operations=FITS))
    assert finding.severity is Severity.WARNING
    assert finding.components == ("a", "b")
    assert finding.evidence["cosines"] == pytest.approx([-0.8] * 3)
    assert finding.evidence["cosines_at_output"] == pytest.approx([-0.9] * 3)


@pytest.mark.parametrize(("at_output", "fires"), [(-0.73, True), (-0.71, False)])
def test_two_views_pulled_together_and_spread_are_just_within_the_limit(at_output, fires):
    """The gradient of a spread at (s + e₁, s + e₂) and that of a distance, e₁ − e₂, oppose by 1/√2 where s = 0."""
    assert found(opposed(at_output)) == fires


def test_real_and_fake_conflict_in_the_parameters_alone():
    assert not found(opposed(0.0, in_parameters=-0.95))


@pytest.mark.parametrize(("in_parameters", "fires"), [(-0.51, True), (-0.49, False)])
def test_what_meets_at_the_output_but_not_in_the_parameters(in_parameters, fires):
    assert found(opposed(-0.9, in_parameters)) == fires


@pytest.mark.parametrize(("cosines", "fires"), [([-0.9, -0.9, -0.55], True), ([-0.95, -0.95, -0.45], False)])
def test_every_batch_has_to_say_so(cosines, fires):
    assert found(opposed(cosines)) == fires


def test_one_batch_is_not_enough():
    assert not found(opposed(-1.0, batches=1))


def test_a_negative_weight_turns_agreement_into_conflict():
    facts = opposed(0.9, in_parameters=0.8, weights={"a": 1.0, "b": -0.5})
    assert the_finding("LD103", case(facts, operations=FITS)).evidence["cosines"] == pytest.approx([-0.8] * 3)
    assert not found(opposed(-0.9, weights={"a": 1.0, "b": -0.5}))


@pytest.mark.parametrize(("b", "fires"), [(0.112, True), (0.11, False)])
def test_both_have_to_matter(b, fires):
    assert found(opposed(-0.9, b=b)) == fires  # 0.111 / 1.111 = 10 %


def test_only_the_parameters_that_both_reach_count():
    facts = opposed(-0.9)
    heads = gradients(a=(1.0, 1.0), b=(1.0, 1.0), own={"a": 1e3, "b": 1e3}, batches=3).blocks[1:]
    assert found(replace(facts, blocks=(*facts.blocks, *heads)))


def test_a_third_component_dilutes_the_shares():
    assert not found(opposed(-0.9, rest=20.0))


def test_a_regularizer_is_there_to_pull_the_other_way():
    assert not found(opposed(-0.9, roles={"b": "regularizer"}))


def test_after_training_the_components_cancel_out():
    checkpoint = CheckpointFacts("net.pt", "state dict", strict=True, loaded=4)
    assert not found(opposed(-1.0), checkpoint=checkpoint)


class TestUnknownOutput:
    """Where the step calls the model several times, what both compare tells whether they meet."""

    def facts(self, first, second):
        return case(
            opposed(None, in_parameters=-0.9),
            operations=[operation("mse_loss", *first, of="a"), operation("l1_loss", *second, of="b")],
        )

    def test_the_same_prediction(self):
        facts = self.facts((PREDICTION, PHOTO), (PREDICTION, LAB_DATA))
        assert the_finding("LD103", facts).components == ("a", "b")

    def test_different_predictions(self):
        assert check("LD103", self.facts((PREDICTION, PHOTO), (LAB_PREDICTION, PHOTO))) == []

    def test_no_comparison_at_all(self):
        assert not found(opposed(None, in_parameters=-0.99), [])


def test_the_message_says_what_a_step_does_to_the_smaller():
    """⟨g, g + h⟩ = |g|² + |g||h|c: with |h| = 2|g| and c = −0.8 that is −0.6|g|², with |h| = |g| it is 0.2|g|²."""
    smaller, alike = (case(opposed(-0.9, a=a), operations=FITS) for a in (2.0, 1.0001))
    assert "makes b worse" in the_finding("LD103", smaller).message
    assert "leaves b 20 % of the progress" in the_finding("LD103", alike).message


@pytest.mark.parametrize(
    "second",
    [
        [],
        [operation("mse_loss", PREDICTION, LAB_PREDICTION, of="b")],
        [operation("binary_cross_entropy", PREDICTION, operand(spread(1, 1)), of="b")],
    ],
    ids=["nothing traced", "two predictions", "real or fake"],
)
@pytest.mark.parametrize(("cosine", "fires"), [(-0.96, False), (-0.98, True)])
def test_two_components_without_data_are_there_to_limit_something(second, cosine, fires):
    assert found(opposed(cosine), second) == fires
    assert found(opposed(cosine), [*FITS[:1], *second])


def test_options():
    assert check("LD103", case(opposed(-0.9), operations=FITS), cosine=-0.95) == []
    assert check("LD103", case(opposed(-0.9), operations=FITS), every_batch=-0.85) == []
    assert check("LD103", case(opposed(-0.9, b=0.5), operations=FITS), least_share=0.4) == []
    assert check("LD103", case(opposed(-0.9)), opposite=-0.8)
