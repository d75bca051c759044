"""The arithmetic of L = Σ wᵢ·Lᵢ, against plain vectors in NumPy."""

import itertools
import math

import numpy as np
import pytest

from lossdoctor import balance
from lossdoctor.facts.gradients import Block, ObjectiveGradients

RANDOM = np.random.default_rng(0)
NAMES = ("a", "b", "c")


def objective(vectors, weights=(1.0, 1.0, 1.0), values=None, reached=None):
    """`vectors[block][batch]` is a (K, n) array of gradients, or None where the batch has nothing to say."""
    count = len(weights)
    batches = len(vectors[0])
    return ObjectiveGradients(
        name="total",
        components=NAMES[:count],
        weights=tuple(weights),
        declared=(True,) * count,
        roles=(None,) * count,
        attached=(True,) * count,
        values=tuple(map(tuple, values)) if values is not None else ((1.0,) * count,) * batches,
        output_grad_norms=((None,) * count,) * batches,
        blocks=tuple(
            Block(
                name=f"block {i}",
                reached_by=reached[i] if reached else (True,) * count,
                parameters=block[0].shape[1],
                gramians=tuple(tuple(map(tuple, gramian(g).tolist())) for g in block),
            )
            for i, block in enumerate(vectors)
        ),
    )


def gramian(g):
    with np.errstate(invalid="ignore"):  # 0·∞
        return g @ g.T


def random_vectors(blocks=2, batches=3, count=3, size=20):
    return [[RANDOM.normal(size=(count, size)) for _ in range(batches)] for _ in range(blocks)]


def joined(vectors, batch):
    return np.concatenate([block[batch] for block in vectors], axis=1)


WEIGHTS = [(1.0, 1.0, 1.0), (0.5, -2.0, 3.0), (0.0, 1.0, 1e6), (1e-8, 1.0, 0.0)]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_against_plain_vectors(weights):
    vectors = random_vectors()
    report = balance.summarize(objective(vectors, weights))
    all_of = [joined(vectors, batch) for batch in range(3)]
    w = np.array(weights)
    norms = np.mean([np.linalg.norm(g, axis=1) for g in all_of], axis=0)
    totals = [w @ g for g in all_of]

    assert report.grad_norm == pytest.approx(np.mean([np.linalg.norm(total) for total in totals]))
    assert report.value == pytest.approx(w.sum())
    for k, row in enumerate(report.components):
        assert row.grad_norm == pytest.approx(norms[k])
        assert row.weighted_grad_norm == pytest.approx(abs(w[k]) * norms[k])
        assert row.grad_share == pytest.approx(abs(w[k]) * norms[k] / (abs(w) * norms).sum())
        assert row.weighted_value == pytest.approx(w[k])
        if w[k]:
            cosines = [
                w[k] * g[k] @ t / np.linalg.norm(w[k] * g[k]) / np.linalg.norm(t) for g, t in zip(all_of, totals)
            ]
            assert row.cosine_to_total == pytest.approx(np.mean(cosines), abs=1e-9)
        else:
            assert row.cosine_to_total is None
    for pair in report.cosines:
        i, j = NAMES.index(pair.a), NAMES.index(pair.b)
        plain = [g[i] @ g[j] / np.linalg.norm(g[i]) / np.linalg.norm(g[j]) for g in all_of]
        assert pair.cosine == pytest.approx(np.mean(plain))
    assert [(pair.a, pair.b) for pair in report.cosines] == [("a", "b"), ("a", "c"), ("b", "c")]


@pytest.mark.parametrize("weights", WEIGHTS)
def test_other_weights_are_as_if_measured_with_them(weights):
    vectors = random_vectors()
    assert balance.summarize(objective(vectors), weights) == balance.summarize(objective(vectors, weights))


def test_permuting_the_components_permutes_the_rows():
    vectors = random_vectors()
    original = {row.name: row for row in balance.summarize(objective(vectors, (1.0, 2.0, 3.0))).components}
    for order in itertools.permutations(range(3)):
        permuted = [[g[list(order)] for g in block] for block in vectors]
        report = balance.summarize(objective(permuted, [k + 1.0 for k in order]))
        for name, k in zip(NAMES, order, strict=True):
            row = next(row for row in report.components if row.name == name)
            assert row.grad_share == pytest.approx(original[NAMES[k]].grad_share)
            assert row.cosine_to_total == pytest.approx(original[NAMES[k]].cosine_to_total)


def test_scaling_all_weights_changes_no_share():
    vectors = random_vectors()
    one, other = (balance.summarize(objective(vectors, [s * w for w in (1, 2, 3)])).components for s in (1, 1e-6))
    assert [row.grad_share for row in one] == pytest.approx([row.grad_share for row in other])
    assert [row.value_share for row in one] == pytest.approx([row.value_share for row in other])


class TestSharedParameters:
    def test_shares_are_taken_over_what_at_least_two_components_reach(self):
        trunk = np.array([[3.0, 4.0], [0.0, 5.0], [0.0, 0.0]])
        head = np.array([[100.0], [0.0], [7.0]])
        report = balance.summarize(objective([[trunk], [head]], reached=[(True, True, False), (True, False, True)]))
        a, b, c = report.components
        assert (a.grad_norm, b.grad_norm, c.grad_norm) == pytest.approx((math.hypot(5, 100), 5, 7))
        # Both blocks are shared; over them a has √(5² + 100²), b has 5, c has 7.
        assert (a.grad_share, b.grad_share, c.grad_share) == pytest.approx(
            [n / (math.hypot(5, 100) + 12) for n in (math.hypot(5, 100), 5, 7)]
        )

    def test_what_a_component_does_to_its_own_head_does_not_count(self):
        trunk, head = np.array([[1.0], [3.0], [0.0]]), np.array([[1e6], [0.0], [0.0]])
        report = balance.summarize(objective([[trunk], [head]], reached=[(True, True, False), (True, False, False)]))
        assert [row.grad_share for row in report.components] == [0.25, 0.75, None]

    def test_disjoint_components_have_no_shares(self):
        report = balance.summarize(
            objective(
                [[np.diag([1.0, 0, 0])], [np.diag([0, 2.0, 0])]], reached=[(True, False, False), (False, True, False)]
            )
        )
        assert [row.grad_share for row in report.components] == [None, None, None]

    def test_a_zero_gradient_is_a_share_of_zero(self):
        report = balance.summarize(objective([[np.array([[1.0], [0.0], [3.0]])]]))
        assert [row.grad_share for row in report.components] == [0.25, 0.0, 0.75]

    def test_all_zero(self):
        report = balance.summarize(objective([[np.zeros((3, 2))]], values=[(0.0, 0.0, 0.0)]))
        assert [row.grad_share for row in report.components] == [None] * 3
        assert [row.value_share for row in report.components] == [None] * 3
        assert report.grad_norm == 0.0

    def test_a_single_component(self):
        vectors = [[np.array([[3.0, 4.0]])]]
        facts = objective(vectors, (2.0,), reached=[(True,)])
        (row,) = balance.summarize(facts).components
        assert (row.grad_norm, row.weighted_grad_norm, row.grad_share, row.cosine_to_total) == (5.0, 10.0, None, 1.0)


class TestNotFinite:
    @pytest.mark.parametrize("bad", [math.nan, math.inf])
    def test_stays_with_its_component(self, bad):
        g = np.array([[1.0, 0.0], [bad, 0.0], [0.0, 3.0]])
        report = balance.summarize(objective([[g]], values=[(1.0, bad, 2.0)]))
        a, b, c = report.components
        assert (a.grad_share, c.grad_share, a.value_share, c.value_share) == (0.25, 0.75, 1 / 3, 2 / 3)
        assert (b.value, b.grad_norm, b.grad_share, b.value_share, b.finite) == (None, None, None, None, False)
        assert a.finite
        assert (report.value, report.grad_norm) == (None, None)
        assert [pair.cosine for pair in report.cosines] == [None, 0.0, None]

    def test_a_bad_component_without_weight_does_not_spoil_the_total(self):
        g = np.array([[3.0, 0.0], [math.nan, 0.0], [0.0, 4.0]])
        report = balance.summarize(objective([[g]], weights=(1.0, 0.0, 1.0), values=[(1.0, math.nan, 2.0)]))
        assert (report.value, report.grad_norm) == (3.0, 5.0)
        assert report.components[0].cosine_to_total == 0.6

    def test_one_bad_batch_makes_the_mean_unknown(self):
        good, bad = np.eye(3), np.eye(3) * [1, math.nan, 1]
        report = balance.summarize(objective([[good, bad]]))
        assert [row.grad_norm for row in report.components] == [None, None, None]  # NaN · 0 is NaN in every row
        report = balance.summarize(objective([[good, good]], values=[(1.0, 1.0, 1.0), (1.0, math.inf, 1.0)]))
        assert [row.value for row in report.components] == [1.0, None, 1.0]


class TestOverBatches:
    def test_means_are_over_the_batches_that_have_the_component(self):
        g = [np.diag([2.0, 1.0, 1.0]), np.diag([4.0, 0.0, 1.0])]
        report = balance.summarize(objective([g], values=[(1.0, 10.0, 1.0), (3.0, None, 1.0)]))
        a, b, _ = report.components
        assert (a.value, a.grad_norm, b.value, b.grad_norm) == (2.0, 3.0, 10.0, 1.0)
        assert report.value == pytest.approx(np.mean([12.0, 4.0]))
        assert report.grad_norm == pytest.approx(np.mean([math.sqrt(6), math.sqrt(17)]))

    def test_spread(self):
        g = [np.diag([n, 1.0, 1.0]) for n in (1.0, 2.0, 6.0)]
        report = balance.summarize(objective([g], values=[(-1.0, 0.0, 5.0), (-2.0, 0.0, None), (-6.0, 0.0, None)]))
        a, b, c = report.components
        plain = np.std([1, 2, 6], ddof=1) / 3
        assert (a.spread.value, a.spread.grad_norm) == pytest.approx((plain, plain))
        assert (b.spread.value, b.spread.grad_norm) == (None, 0.0)
        assert (c.spread.value, c.spread.grad_norm) == (None, None)

    def test_value_ratios(self):
        facts = objective(
            [[np.eye(3)] * 4], values=[(2.0, 1.0, 1.0), (3.0, 0.0, 1.0), (4.0, None, 1.0), (9.0, 3.0, 1.0)]
        )
        assert balance.value_ratios(facts, 0, 1) == [2.0, 3.0]


def test_block_norms_are_those_of_one_block():
    vectors = random_vectors()
    facts = objective(vectors)
    expected = np.mean([np.linalg.norm(g, axis=1) for g in vectors[1]], axis=0)
    assert balance.block_norms(facts, facts.blocks[1]) == pytest.approx(expected)


def test_total_norm_where_gradients_cancel():
    assert balance.total_norm(((1.0, -1.0), (-1.0, 1.0)), (1.0, 1.0)) == 0.0
    assert balance.total_norm(((1.0, -1.0 - 1e-9), (-1.0 - 1e-9, 1.0)), (1.0, 1.0)) == 0.0  # rounding below zero


def test_cosines_stay_between_minus_one_and_one():
    assert balance.cosine(((1.0, 1.0 + 1e-9), (1.0 + 1e-9, 1.0)), 0, 1) == 1.0
    assert balance.cosine(((1.0, -1.0 - 1e-9), (-1.0 - 1e-9, 1.0)), 0, 1) == -1.0
