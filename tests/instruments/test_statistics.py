import math

import numpy as np
import pytest
import torch

from lossdoctor.instruments import statistics
from lossdoctor.instruments.statistics import by_channel, has_channels, moments, overall, thinned


def values(*shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).normal(3, 2, shape).astype(dtype)


def summary(found):
    return found.minimum, found.maximum, found.mean, found.std


def expected(array):
    array = np.asarray(array, dtype=np.float64)
    return array.min(), array.max(), array.mean(), array.std()


@pytest.mark.parametrize("shape", [(1,), (17,), (4, 3), (5, 7, 2), (3, 2, 4, 6), (2, 3, 2, 4, 5)])
def test_overall_is_what_numpy_has(shape):
    batches = [values(*shape, seed=seed) for seed in range(3)]
    found = overall(moments(torch.tensor(batch)) for batch in batches)
    np.testing.assert_allclose(summary(found), expected(np.concatenate([b.ravel() for b in batches])), rtol=1e-12)


def test_channels_are_dimension_one():
    batches = [values(n, 3, 4, seed=n) for n in (2, 5, 1)]
    found = by_channel(moments(torch.tensor(batch)) for batch in batches)
    joined = np.concatenate(batches)
    for channel in range(3):
        np.testing.assert_allclose(summary(found[channel]), expected(joined[:, channel]), rtol=1e-12)


@pytest.mark.parametrize("offset", [0, 1e3, 1e5])
def test_a_small_spread_around_a_large_mean_survives_float32(offset):
    """The mean of squares less the square of the mean would give 0, or the root of a negative number."""
    array = (values(50, 2, 9) + offset).astype(np.float32)
    found = overall([moments(torch.tensor(array))])
    assert found.std == pytest.approx(array.astype(np.float64).std(), rel=1e-2)


def test_batches_with_different_means_are_pooled():
    a, b = values(4, 3), values(9, 3) + 100
    found = overall([moments(torch.tensor(a)), moments(torch.tensor(b))])
    assert found.std == pytest.approx(np.concatenate([a, b]).std(), rel=1e-12)


@pytest.mark.parametrize("constant", [0.3, -7.1, 1e-20, 0.0])
def test_a_constant_deviates_by_exactly_zero(constant):
    found = overall([moments(torch.full((9, 3, 11), constant)) for _ in range(3)])
    assert found.std == 0
    assert found.mean == found.minimum == found.maximum == np.float32(constant)


@pytest.mark.parametrize("device_asks", [True, False])
def test_what_is_not_finite_is_left_out(device_asks, monkeypatch):
    if not device_asks:  # the way that tensors on other devices take, which must not be waited for
        monkeypatch.setattr(statistics, "_moments_of_all", lambda rows: statistics._moments_of_some(rows, rows == rows))
    array = values(6, 2, 4)
    array[0, 0, 0], array[1, 0, 1], array[2, 1, 3] = np.nan, np.inf, -np.inf
    found = by_channel([moments(torch.tensor(array))])
    for channel in range(2):
        column = array[:, channel]
        np.testing.assert_allclose(summary(found[channel]), expected(column[np.isfinite(column)]), rtol=1e-12)


def test_both_ways_give_the_same():
    rows = torch.tensor(values(3, 50))
    a, b = statistics._moments_of_all(rows), statistics._moments_of_some(rows, rows.isfinite())
    torch.testing.assert_close(a, b)


@pytest.mark.parametrize("tensor", [torch.full((3, 2), math.nan), torch.empty(0), torch.empty(0, 3), torch.empty(2, 0)])
def test_nothing_to_summarise_is_not_a_number(tensor):
    assert all(map(math.isnan, summary(overall([moments(tensor)]))))


def test_an_empty_batch_beside_others_changes_nothing():
    full = torch.tensor(values(4, 3))
    assert overall([moments(full), moments(full[:0])]) == overall([moments(full)])


def test_batches_with_another_number_of_channels_have_none():
    assert by_channel([moments(torch.ones(2, 3)), moments(torch.ones(2, 4))]) == ()
    assert by_channel([]) == ()


@pytest.mark.parametrize(
    ("tensor", "magnitudes"),
    [
        (torch.tensor([True, False, True]), [1, 0, 1]),
        (torch.tensor([[3, -4], [5, 6]]), [3, -4, 5, 6]),
        (torch.tensor([3 + 4j, 0j]), [5, 0]),
        (torch.tensor([0.5, 1.5], dtype=torch.float16), [0.5, 1.5]),
        (torch.tensor([0.5, 1.5], dtype=torch.bfloat16), [0.5, 1.5]),
        (torch.tensor(7, dtype=torch.uint8), [7]),
    ],
)
def test_every_type_of_number(tensor, magnitudes):
    np.testing.assert_allclose(summary(overall([moments(tensor)])), expected(magnitudes), rtol=1e-6)


def test_gradients_are_not_recorded():
    assert not moments(torch.ones(3, 2, requires_grad=True) * 2).requires_grad


@pytest.mark.parametrize(
    ("shape", "answer"),
    [((4, 3), True), ((4, 64), True), ((4, 65), False), ((4,), False), ((), False), ((4, 0), False), ((2, 1, 5), True)],
)
def test_which_tensors_have_channels(shape, answer):
    assert has_channels(torch.empty(shape)) is answer


class TestThinned:
    @pytest.fixture(autouse=True)
    def small_samples(self, monkeypatch):
        monkeypatch.setattr(statistics, "SAMPLE_ELEMENTS", 1000)
        monkeypatch.setattr(statistics, "SAMPLE_ELEMENTS_PER_CHANNEL", 100)

    @pytest.mark.parametrize(
        "shape", [(100_000,), (1, 3, 200, 300), (5000, 3), (3, 70, 90), (1, 100_000), (1, 64, 5000)]
    )
    def test_it_is_small_whatever_the_shape(self, shape):
        tensor = torch.empty(shape)
        most = 100 * shape[1] if has_channels(tensor) else 1000
        assert most / 2 < thinned(tensor).numel() <= most

    def test_features_stay_features(self):
        """Thinning brings dimension 1 of (3, 70, 90) below the most channels that are looked at one by one."""
        assert moments(torch.rand(3, 70, 90)).shape == (1, 5)

    def test_what_is_small_stays_whole(self):
        tensor = torch.rand(10, 3, 10)
        assert thinned(tensor) is tensor

    def test_every_channel_and_all_regions_are_kept(self):
        ramp = torch.arange(400.0).expand(2, 3, 400, 400)
        sample = thinned(ramp)
        assert sample.shape[1] == 3
        assert sample.min() < 40
        assert sample.max() > 360

    def test_a_channel_is_thinned_the_same_beside_others(self):
        image = torch.rand(4, 3, 50, 60)
        assert by_channel([moments(image)])[1:] == by_channel([moments(image[:, 1:])])

    def test_nothing_is_copied(self):
        tensor = torch.rand(4, 3, 500, 500)
        assert thinned(tensor).untyped_storage().data_ptr() == tensor.untyped_storage().data_ptr()
