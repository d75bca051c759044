from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from lossdoctor.facts.gradients import Block
from lossdoctor.records import Severity

from .cases import (
    LAB,
    LAB_DATA,
    PHOTO,
    PREDICTION,
    after_fix,
    case,
    check,
    gradients,
    operand,
    operation,
    spread,
    the_finding,
)

P = (spread(-0.3, 0.4), spread(-0.2, 0.5), spread(-0.1, 0.6))  # channels of a prediction
VARYING, THRICE = (1.0, 1.1), (3.0, 3.3)


def pair(a=VARYING, b=THRICE, cosine=0.999, **more):
    return gradients(a=(a, 1.0), b=(b, 3.0), cosines={("a", "b"): cosine}, batches=len(a), **more)


def predicted(*channels):
    return operand(*channels, grad=True)


class TestIdentity:
    def test_parallel_gradients_and_a_constant_ratio_are_one_function(self):
        finding = the_finding("LD106", case(pair()))
        assert finding.severity is Severity.WARNING
        assert finding.components == ("a", "b")
        assert finding.evidence["value_ratio"] == pytest.approx(1 / 3)
        assert finding.evidence["cosine"] == pytest.approx(0.999)

    def test_the_remedy_gives_the_joint_weight(self):
        """w·a + v·b with a = b/3 is (w/3 + v)·b."""
        finding = the_finding("LD106", case(pair(weights={"a": 6.0, "b": 1.0})))
        assert "give b the weight 3" in finding.remedy

    @pytest.mark.parametrize(("cosine", "fires"), [(0.991, True), (0.99, False), (-0.999, False)])
    def test_the_cosine_has_to_exceed_99_percent(self, cosine, fires):
        assert bool(check("LD106", case(pair(cosine=cosine)))) == fires

    @pytest.mark.parametrize(("last", "fires"), [(3.3 * 1.0001, True), (3.3 * 1.001, False)])
    def test_the_ratio_has_to_be_constant(self, last, fires):
        assert bool(check("LD106", case(pair(b=(3.0, last))))) == fires

    def test_l1_beside_mse_on_the_same_images_is_no_overlap(self):
        """Collinear early in training, but MSE grows with the square of what L1 grows with."""
        both = [operation(name, PREDICTION, PHOTO, of=c) for name, c in (("l1_loss", "a"), ("mse_loss", "b"))]
        assert check("LD106", case(pair(a=(0.2, 0.25), b=(0.04, 0.0625)), operations=both)) == []

    def test_values_that_never_change_prove_nothing(self):
        """Two penalties of the same weights, or batches that are all alike."""
        assert check("LD106", case(pair(a=(1.0, 1.0), b=(3.0, 3.0)))) == []

    def test_one_batch_proves_nothing(self):
        assert check("LD106", case(pair(a=(1.0,), b=(3.0,), cosine=1.0))) == []

    def test_one_batch_is_enough_for_the_same_operation_on_the_same_tensors(self):
        twice = [operation("mse_loss", PREDICTION, PHOTO, of=component) for component in ("a", "b")]
        assert check("LD106", case(pair(a=(1.0,), b=(3.0,), cosine=1.0), operations=twice))

    def test_focal_loss_beside_a_cross_entropy_is_no_overlap(self):
        logits, labels = predicted(*P), operand(spread(0, 2), name="target", shape=(8,))
        both = [operation("cross_entropy", logits, labels, of=component) for component in ("a", "b")]
        assert check("LD106", case(pair(a=(1.09, 1.11), b=(0.48, 0.50)), operations=both)) == []
        assert check("LD106", case(pair(a=(1.09,), b=(0.48,)), operations=both)) == []

    @pytest.mark.parametrize("facts", [pair(weights={"b": 0.0}), pair(detached=["b"])], ids=["weight 0", "detached"])
    def test_what_does_not_train_counts_nothing_twice(self, facts):
        assert check("LD106", case(facts)) == []

    def test_values_that_are_zero_or_not_finite_have_no_ratio(self):
        assert check("LD106", case(pair(b=(0.0, 0.0)))) == []
        assert check("LD106", case(pair(b=(float("inf"), 3.3)))) == []

    def test_options(self):
        assert check("LD106", case(pair(cosine=0.5)), cosine=0.499)
        assert check("LD106", case(pair(cosine=0.5)), cosine=0.5) == []
        assert check("LD106", case(pair(a=(1.0, 2.0), b=(3.0, 6.01))), ratio_spread=0.01)


class TestContainment:
    def find(self, *operations):
        """Gradients and values that do not go together; only the operations can tell."""
        return check("LD106", case(pair(a=(1.0, 1.3), b=(3.0, 3.3), cosine=0.6), operations=operations))

    def test_an_mse_over_ab_is_part_of_an_mse_over_lab(self):
        inner = operation("mse_loss", predicted(*P[1:]), operand(*LAB[1:]), of="a")
        (finding,) = self.find(inner, operation("mse_loss", predicted(*P), LAB_DATA, of="b"))
        assert finding.components == ("b", "a")
        assert finding.severity is Severity.WARNING
        assert "a is part of b" in finding.message

    def test_written_out_by_hand_on_a_part_of_one_difference(self):
        sides = predicted(*P), LAB_DATA
        inner = operation("squared difference", *sides, of="a", result=(8, 2, 16, 16))
        outer = operation("squared difference", *sides, of="b", result=(8, 3, 16, 16))
        assert [finding.components for finding in self.find(inner, outer)] == [("b", "a")]

    def test_two_parts_of_one_difference_are_not_parts_of_each_other(self):
        sides = predicted(*P), LAB_DATA
        first = operation("squared difference", *sides, of="a", result=(8, 1, 16, 16))
        second = operation("squared difference", *sides, of="b", result=(8, 2, 16, 16))
        assert self.find(first, second) == []

    def test_other_channels_are_no_part(self):
        inner = operation("mse_loss", predicted(P[0]), operand(LAB[0]), of="a")
        assert self.find(inner, operation("mse_loss", predicted(*P[1:]), operand(*LAB[1:]), of="b")) == []

    def test_other_kinds_of_comparison_are_no_part(self):
        inner = operation("l1_loss", predicted(*P[1:]), operand(*LAB[1:]), of="a")
        assert self.find(inner, operation("mse_loss", predicted(*P), LAB_DATA, of="b")) == []

    def test_another_prediction_of_the_same_target_is_no_part(self):
        """An auxiliary head."""
        inner = operation("mse_loss", predicted(spread(-9, 9), spread(-8, 8)), operand(*LAB[1:]), of="a")
        assert self.find(inner, operation("mse_loss", predicted(*P), LAB_DATA, of="b")) == []

    def test_channels_have_to_match_side_by_side(self):
        """One-hot targets of classes that are equally frequent look alike; their predictions say which is which."""
        classes = (spread(0, 1, 0.25, 0.433),) * 4
        heads = spread(0, 1), spread(0.1, 1), spread(0, 0.9), spread(0.2, 0.8)
        outer = operation("mse_loss", predicted(*heads), operand(*classes), of="b")
        other_task = operation("mse_loss", predicted(spread(0.3, 0.7), spread(0, 1)), operand(*classes[:2]), of="a")
        assert self.find(other_task, outer) == []
        crossed = operation("mse_loss", predicted(heads[0]), operand(LAB[1]), of="a")
        mixed = operation("mse_loss", predicted(*heads[:2]), operand(LAB[0], LAB[1]), of="b")
        assert self.find(crossed, mixed) == []

    @pytest.mark.parametrize("shape", [(8, 3, 16, 16), (8, 3, 256)])
    def test_permuted_targets_of_mixup_are_another_function(self, shape):
        """lam·L(p, y) + (1 − lam)·L(p, y[perm]): equal statistics on both sides, unequal values."""
        one = operation("mse_loss", predicted(*P), PHOTO, of="a")
        other = operation(
            "mse_loss", operand(*P, grad=True, shape=shape), operand(*PHOTO.channels, shape=shape), of="b"
        )
        assert self.find(one, other) == []

    def test_constant_channels_prove_nothing(self):
        empty = spread(0, 0)
        inner = operation("l1_loss", predicted(empty), operand(empty), of="a")
        assert self.find(inner, operation("l1_loss", predicted(empty, P[0]), operand(empty, LAB[0]), of="b")) == []

    def test_one_operation_in_two_components_is_not_part_of_itself(self):
        """An MSE and a PSNR of it."""
        shared = operation("mse_loss", predicted(*P), PHOTO, of=("a", "b"))
        assert self.find(shared) == []

    def test_cross_entropies_do_not_add_up_over_channels(self):
        inner = operation("cross_entropy", predicted(*P[1:]), operand(*LAB[1:]), of="a")
        assert self.find(inner, operation("cross_entropy", predicted(*P), LAB_DATA, of="b")) == []


LAB_AND_AB = {
    "components": {
        "lab": {"term": "mse", "space": "lab", "weight": 1.0},
        "ab": {"term": "mse", "space": "lab", "channels": ["a", "b"], "weight": 2.0},
    }
}


class TestBuiltIn:
    def facts(self, loss):
        names = list(loss["components"])
        objective = gradients(**{name: (value, 1.0) for name, value in zip(names, (1.0, 2.0), strict=True)})
        return case(objective, config=loss)

    def test_the_config_says_it_without_operations(self):
        finding = the_finding("LD106", self.facts(LAB_AND_AB))
        assert finding.components == ("lab", "ab")
        assert finding.fix == {"loss.components.lab.channels": ["L"]}

    def test_a_component_without_gradient_counts_nothing_twice(self):
        facts = gradients(lab=(1.0, 1.0), ab=(2.0, 1.0), detached=["ab"])
        assert check("LD106", case(facts, config=LAB_AND_AB)) == []

    def test_after_the_fix_each_channel_counts_once(self):
        finding = the_finding("LD106", self.facts(LAB_AND_AB))
        fixed = after_fix(LAB_AND_AB, finding)
        assert fixed.loss.components["lab"].channels == ["L"]
        assert check("LD106", case(gradients(lab=(1.0, 1.0), ab=(2.0, 1.0)), config=fixed)) == []

    @pytest.mark.parametrize(
        ("first", "second"),
        [
            ({"term": "mse", "space": "lab"}, {"term": "l1", "space": "lab", "channels": ["a"]}),
            ({"term": "mse", "space": "lab"}, {"term": "mse", "space": "luv", "channels": ["L"]}),
            (
                {"term": "mse", "space": "lab", "channels": ["L", "a"]},
                {"term": "mse", "space": "lab", "channels": ["b"]},
            ),
            ({"term": "mse", "channels": ["R", "G"]}, {"term": "mse", "channels": ["G", "B"]}),
            ({"term": "ssim", "window": 5}, {"term": "ssim", "window": 11}),
            ({"term": "mse"}, {"term": "perceptual", "pretrained": "random"}),
        ],
    )
    def test_different_components_do_not_overlap(self, first, second):
        assert check("LD106", self.facts({"components": {"first": first, "second": second}})) == []


def measured(values, *vectors, weights=None):
    """Return gradients given as vectors, `vectors[batch][component]`, and values alike."""
    names = ["a", "b", "c", "d", "e", "f"][: len(values[0])]
    facts = gradients(batches=len(values), weights=weights, **dict.fromkeys(names, (1.0, 1.0)))
    reached, count = (True,) * len(names), len(vectors[0][0])
    gramians = tuple(tuple(map(tuple, (np.array(v) @ np.array(v).T).tolist())) for v in vectors)
    return replace(facts, values=tuple(map(tuple, values)), blocks=(Block("trunk", reached, count, gramians),))


class TestCombinations:
    """A component that is made of others: c = a + 2 b, unless a test says otherwise."""

    random = np.random.default_rng(0)

    def batches(self, count=4, dimensions=50, mix=(1.0, 2.0), extra=0):
        vectors = [self.random.normal(size=(2 + extra, dimensions)) for _ in range(count)]
        values = [self.random.uniform(1, 2, 2 + extra) for _ in range(count)]
        combined = [np.insert(v, 2, mix[0] * v[0] + mix[1] * v[1], axis=0) for v in vectors]
        return [np.insert(v, 2, mix[0] * v[0] + mix[1] * v[1]).tolist() for v in values], combined

    def test_a_total_beside_its_parts(self):
        values, vectors = self.batches(extra=1)
        finding = the_finding("LD106", case(measured(values, *vectors, weights={"a": 0.5, "c": 3.0})))
        assert finding.severity is Severity.WARNING
        assert finding.components == ("c", "a", "b")
        assert finding.evidence["coefficients"] == {"a": pytest.approx(1.0), "b": pytest.approx(2.0)}
        assert "c is a + 2·b in every batch" in finding.message
        assert "a: 3.5, b: 7 " in finding.remedy  # 0.5 + 3, 1 + 2·3

    def test_built_in_parts_are_left_with_the_weights_of_the_same_total(self):
        values, vectors = self.batches()
        weights = {"a": 0.5, "c": 3.0}
        term = {"term": "mse", "weight": 1.0}
        config = {"components": {"a": {**term, "weight": 0.5}, "b": term, "c": {**term, "weight": 3.0}}}
        finding = the_finding("LD106", case(measured(values, *vectors, weights=weights), config=config))
        assert finding.fix["loss.components.c"] is None
        fixed = after_fix(config, finding).loss.components
        assert {name: c.weight for name, c in fixed.items()} == {"a": 3.5, "b": 7.0}

    def test_in_the_precision_of_measured_gradients(self):
        values, vectors = self.batches()
        noisy = [v * (1 + 1e-6 * self.random.normal(size=v.shape)) for v in vectors]
        assert the_finding("LD106", case(measured(values, *noisy))).components == ("c", "a", "b")

    def test_a_difference(self):
        values, vectors = self.batches(mix=(1.0, -1.0))
        assert set(the_finding("LD106", case(measured(values, *vectors))).components) == {"a", "b", "c"}

    def test_what_is_made_of_others_and_something_more(self):
        values, vectors = self.batches()
        for v in vectors:
            v[2] += 0.01 * self.random.normal(size=v.shape[1]) * np.linalg.norm(v[2]) / 7
        assert check("LD106", case(measured(values, *vectors))) == []

    def test_coefficients_that_change_from_batch_to_batch(self):
        """As with an adaptive weighting inside the component: it has no weights of its own to be set instead."""
        made = [self.batches(count=1, mix=(1.0, factor)) for factor in (1.0, 2.0, 3.0, 4.0)]
        assert check("LD106", case(measured([v[0] for v, _ in made], *(g[0] for _, g in made)))) == []

    def test_gradients_that_agree_while_values_do_not(self):
        values, vectors = self.batches()
        values = [[*v[:2], v[2] + offset] for v, offset in zip(values, (0.0, 1.0, 0.5, 0.2))]
        assert check("LD106", case(measured(values, *vectors))) == []

    @pytest.mark.parametrize("dimensions", [1, 2, 3])
    @pytest.mark.parametrize("count", [1, 2, 3, 4])
    def test_few_parameters_make_gradients_dependent_not_components(self, dimensions, count):
        """Squared distances of one point: gradients in few dimensions are combinations of each other in any batch."""
        targets = self.random.normal(size=(5, dimensions))
        points = self.random.normal(size=(count, dimensions))
        vectors = [2 * (point - targets) for point in points]
        values = [((point - targets) ** 2).sum(1).tolist() for point in points]
        assert check("LD106", case(measured(values, *vectors))) == []

    def test_batches_that_are_all_the_same_prove_nothing(self):
        """Full-batch training, one input: homogeneous components in few dimensions fit in value and gradient."""
        point, forms = self.random.normal(size=3), [np.diag(d) for d in self.random.uniform(0.1, 1, (4, 3))]
        vectors = [[2 * form @ point for form in forms]] * 4
        values = [[point @ form @ point for form in forms]] * 4
        assert check("LD106", case(measured(values, *vectors))) == []

    def test_a_twin_does_not_hide_a_combination(self):
        values, vectors = self.batches(extra=1)
        values, vectors = [[*v[:3], 3 * v[0]] for v in values], [[*v[:3], 3 * v[0]] for v in vectors]
        found = check("LD106", case(measured(values, *vectors)))
        assert sorted(len(finding.components) for finding in found) == [2, 3]

    def test_a_batch_without_one_of_them(self):
        values, vectors = self.batches()
        values[1][0] = None
        assert check("LD106", case(measured(values, *vectors))) == []
