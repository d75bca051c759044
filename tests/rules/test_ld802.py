from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.data import BatchEntry, DataFacts, UnreadableSample
from lossdoctor.records import Severity

from .cases import case, check, gradients, operand, operation, spread, the_finding

HEALTHY = gradients(a=(1.0, 1.0))
PHOTO = BatchEntry("input", (3, 16, 16), "float32", samples=32, distinct=4000)
MASK = BatchEntry("target", (1, 16, 16), "float32", samples=32, distinct=2)
LABEL = BatchEntry("target", (), "int64", samples=32, distinct=5)


def data(*entries, copies=(0, 0, 0, 0), unreadable=()):
    return DataFacts(batches=4, batch_sizes=(8,) * 4, entries=entries, copies=copies, unreadable=unreadable)


def seen(*entries, facts=HEALTHY, operations=(), **more):
    return case(facts, data=data(*entries, **more), operations=operations)


def compared_with(value, name="mse_loss"):
    """Return a comparison of a prediction with one value everywhere."""
    return operation(name, operand(spread(-1, 1), grad=True), operand(spread(value, value, std=0.0)), of="a")


class TestSeries:
    """Measured vectors, whose few values are those of one sample."""

    SERIES = BatchEntry("input", (24,), "float32", samples=32, distinct=24)

    def test_copies_of_one(self):
        assert the_finding("LD802", seen(self.SERIES, copies=(7,) * 4)).evidence["copies"] == [7, 7, 7, 7]

    @pytest.mark.parametrize("entry", [replace(SERIES, distinct=2), replace(SERIES, dtype="int64")])
    def test_prompts_and_one_hot_codes_repeat_themselves(self, entry):
        assert check("LD802", seen(entry, copies=(7,) * 4)) == []

    def test_a_target_of_zeros(self):
        zeros = BatchEntry("target[0]", (24,), "float32", samples=32, distinct=1, constant=32, value=0.0)
        finding = the_finding("LD802", seen(self.SERIES, zeros, operations=[compared_with(0.0)]))
        assert "target[0] is 0" in finding.message


class TestUnreadable:
    def test_files_that_could_not_be_read_are_a_warning(self):
        files = (UnreadableSample("cat.jpg", "truncated"), UnreadableSample("dog.jpg", "not an image"))
        finding = the_finding("LD802", case(HEALTHY, data=DataFacts(batches=2, unreadable=files)))
        assert finding.severity is Severity.WARNING
        assert finding.components == ()
        assert finding.evidence == {"cat.jpg": "truncated", "dog.jpg": "not an image"}
        assert "cat.jpg and 1 more" in finding.message

    def test_readable_data_is_fine(self):
        assert check("LD802", case(HEALTHY, data=DataFacts(batches=2, batch_sizes=(8, 8), samples=16))) == []


class TestCopies:
    @pytest.mark.parametrize(("copies", "fires"), [((7,) * 4, True), ((4,) * 4, True), ((7, 7, 7, 3), False)])
    def test_half_of_every_batch(self, copies, fires):
        assert bool(check("LD802", seen(PHOTO, MASK, copies=copies))) == fires

    def test_discrete_data_repeats_itself(self):
        discrete = replace(PHOTO, distinct=32)
        assert check("LD802", seen(discrete, LABEL, copies=(7,) * 4)) == []
        assert check("LD802", seen(replace(discrete, distinct=33), LABEL, copies=(7,) * 4))

    def test_a_batch_of_three_is_too_small_to_tell(self):
        facts = DataFacts(batches=2, batch_sizes=(3, 3), entries=(PHOTO,), copies=(2, 2))
        assert check("LD802", case(HEALTHY, data=facts)) == []


class TestConstantInputs:
    @pytest.mark.parametrize(("constant", "fires"), [(4, True), (3, False)])
    def test_a_tenth_of_the_pictures(self, constant, fires):
        assert bool(check("LD802", seen(replace(PHOTO, constant=constant)))) == fires

    def test_a_single_one_is_an_exception(self):
        assert check("LD802", seen(replace(PHOTO, samples=4, constant=1))) == []

    def test_all_of_them(self):
        black = replace(PHOTO, constant=32, value=0.0, distinct=1)
        assert "32 of 32 samples of input" in the_finding("LD802", seen(black)).message

    def test_latents_of_zeros(self):
        latent = BatchEntry("input", (64,), "float32", 32, distinct=1, constant=32, value=0.0)
        assert check("LD802", seen(latent, replace(PHOTO, name="target"))) == []

    def test_labels_time_steps_and_coordinates(self):
        step = BatchEntry("input", (2,), "float32", 32, distinct=60, constant=8)
        assert check("LD802", seen(step)) == []

    def test_a_picture_of_few_values_may_be_empty(self):
        assert check("LD802", seen(replace(PHOTO, constant=8, distinct=2))) == []

    def test_a_condition_beside_the_input(self):
        condition = BatchEntry("[2]", (1, 16, 16), "float32", 32, distinct=1, constant=32, value=0.1)
        dropped = BatchEntry("[3]", (77, 32), "float32", 32, distinct=4000, constant=8)
        assert check("LD802", seen(PHOTO, condition, dropped)) == []

    def test_the_largest_tensor_of_a_mapping_is_its_input(self):
        entries = [replace(PHOTO, name="image", constant=8), replace(MASK, name="mask")]
        assert the_finding("LD802", seen(*reversed(entries))).evidence["entry"] == "image"


class TestConstantTargets:
    EMPTY = replace(MASK, distinct=1, constant=32, value=0.0)

    def test_masks_that_are_all_empty(self):
        finding = the_finding("LD802", seen(PHOTO, self.EMPTY, operations=[compared_with(0.0)]))
        assert "target is 0 in every element of all 32 samples" in finding.message

    def test_a_loss_that_cannot_be_traced(self):
        assert check("LD802", seen(PHOTO, self.EMPTY))

    def test_masks_that_the_loss_does_not_look_at(self):
        assert check("LD802", seen(PHOTO, self.EMPTY, operations=[compared_with(0.5)])) == []

    def test_some_empty_masks(self):
        assert check("LD802", seen(PHOTO, replace(MASK, constant=30))) == []

    def test_the_ones_of_a_patch_discriminator(self):
        patches = BatchEntry("target", (1, 8, 8), "float32", 32, distinct=1, constant=32, value=1.0)
        assert check("LD802", seen(PHOTO, patches, operations=[compared_with(1.0)])) == []

    @pytest.mark.parametrize(("value", "fires"), [(0.0, False), (1.0, False), (-1.0, False), (3.7, True)])
    def test_a_quantity(self, value, fires):
        """The residual of an equation is compared with 0, a discriminator's output with 0, 1 or −1."""
        quantity = BatchEntry("target", (1,), "float32", 32, distinct=1, constant=32, value=value)
        assert bool(check("LD802", seen(PHOTO, quantity, operations=[compared_with(value)]))) == fires

    @pytest.mark.parametrize(("also", "fires"), [((), True), ((LABEL,), False)])
    def test_a_quantity_by_any_name_where_nothing_is_called_target(self, also, fires):
        price = BatchEntry("price", (12,), "float32", 32, distinct=1, constant=32, value=3.7)
        history = replace(PHOTO, name="history")
        assert bool(check("LD802", seen(history, price, *also, operations=[compared_with(3.7)]))) == fires

    @pytest.mark.parametrize("value", [0.0, 3.0])
    def test_one_class_alone(self, value):
        label = replace(LABEL, distinct=1, constant=32, value=value)
        assert check("LD802", seen(PHOTO, label, operations=[compared_with(value, "cross_entropy")]))
        assert check("LD802", seen(PHOTO, replace(label, samples=15), operations=[compared_with(value)])) == []
        assert check("LD802", seen(PHOTO, label)) == [], "labels of an auto-encoder"

    def test_a_mask_in_a_mapping(self):
        entries = [replace(PHOTO, name="image"), replace(self.EMPTY, name="mask")]
        assert check("LD802", seen(*entries, operations=[compared_with(0.0)]))


class TestEmpty:
    def test_one_finding_for_all_that_is_empty(self):
        finding = the_finding("LD802", seen(replace(PHOTO, empty=1), replace(LABEL, empty=1)))
        assert "input and target have no elements in 1 of 4 batches" in finding.message

    def test_an_optional_entry_may_be_empty(self):
        assert check("LD802", seen(PHOTO, BatchEntry("extra", (0,), "float32", 32, 0, empty=4))) == []


class TestNotFinite:
    TAINTED = replace(PHOTO, name="target", non_finite=5)

    def test_where_the_loss_is_not_finite_either(self):
        facts = gradients(a=(1.0, 1.0), b=(float("nan"), float("nan")))
        finding = the_finding("LD802", seen(PHOTO, self.TAINTED, facts=facts))
        assert "5 of 32 samples of target hold NaN or infinity, and b became" in finding.message

    def test_what_the_loss_masks_out_does_no_harm(self):
        assert check("LD802", seen(PHOTO, self.TAINTED)) == []


def test_options():
    assert check("LD802", seen(replace(PHOTO, constant=8)), constant_share=0.5) == []
    assert check("LD802", seen(PHOTO, copies=(4,) * 4), copied_share=0.6) == []
    assert check("LD802", seen(PHOTO, copies=(4,) * 4), distinct_values=5000) == []
