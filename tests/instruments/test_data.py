from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest
import torch

from lossdoctor.instruments.data import measure_data


@dataclass
class Scan:
    image: torch.Tensor
    age: torch.Tensor
    patient: list[str]


def entry(batches, name):
    (found,) = [entry for entry in measure_data(batches).entries if entry.name == name]
    return found


class TestEntries:
    @pytest.mark.parametrize(
        ("batch", "names"),
        [
            (torch.rand(4, 3), ["input"]),
            ((torch.rand(4, 3), torch.rand(4)), ["input", "target"]),
            ([torch.rand(4, 3), torch.rand(4), torch.rand(4, 2)], ["input", "target", "[2]"]),
            ({"image": torch.rand(4, 3), "file": ["a"] * 4}, ["image"]),
            ((torch.rand(4, 3), {"mask": torch.rand(4), "scale": 2.0}), ["input", "target.mask"]),
            (Scan(torch.rand(4, 3), torch.rand(4), ["a"] * 4), ["image", "age"]),
            ((torch.rand(4, 3), torch.rand(7), torch.tensor(1.0)), ["input"]),  # not one row for every sample
            ([torch.rand(4, 3), [torch.rand(4), torch.rand(4, 2)]], ["input", "target[0]", "target[1]"]),
            ([torch.rand(2, 3), [torch.rand(2, 4), torch.rand(5, 4)]], ["input"]),  # boxes of every image
            ([{"boxes": torch.rand(4, 4)}, {"boxes": torch.rand(2, 4)}], []),
            ("text", []),
        ],
    )
    def test_names(self, batch, names):
        assert [entry.name for entry in measure_data([batch]).entries] == names

    def test_shape_type_and_number_over_all_batches(self):
        found = entry([torch.rand(4, 3, 8, 8), torch.rand(2, 3, 8, 8)], "input")
        assert (found.shape, found.dtype, found.samples, found.elements) == ((3, 8, 8), "float32", 6, 192)

    def test_constant_samples_as_numpy_counts_them(self):
        x = torch.randint(0, 2, (64, 2, 2)).float()
        found = entry([x[:40], x[40:]], "input")
        assert found.constant == (np.ptp(x.flatten(1).numpy(), axis=1) == 0).sum() > 0
        assert found.value is None

    @pytest.mark.parametrize(
        "dtype", [torch.float32, torch.bfloat16, torch.uint8, torch.int64, torch.bool, torch.uint16]
    )
    def test_one_value_everywhere(self, dtype):
        ones = torch.ones(4, 6).to(dtype)
        assert entry([ones, ones], "input").value == 1.0
        assert entry([ones, ones * 0 if dtype != torch.bool else ~ones], "input").value is None

    @pytest.mark.parametrize("bad", [torch.nan, torch.inf, -torch.inf])
    def test_samples_that_are_not_finite(self, bad):
        x = torch.rand(8, 5)
        x[2, 3] = x[6, 0] = bad
        found = entry([x, torch.full((2, 5), bad)], "input")
        assert (found.non_finite, found.constant) == (4, 0)

    def test_distinct_values(self):
        assert entry([torch.arange(10.0).repeat(4, 3)], "input").distinct == 10

    def test_empty_batches(self):
        found = entry([torch.rand(0, 3), torch.rand(2, 3)], "input")
        assert (found.empty, found.samples) == (1, 2)
        assert entry([torch.rand(0, 3)], "input").value is None


class TestCopies:
    def test_of_the_whole_sample(self):
        x, y = torch.rand(6, 3), torch.rand(6)
        x[3:] = x[:3]
        assert measure_data([(x, y)]).copies == (0,)
        y[3:5] = y[:2]
        assert measure_data([(x, y)]).copies == (2,)

    def test_inside_a_batch_only(self):
        x = torch.rand(4, 3)
        assert measure_data([x, x, x[:1].expand(4, 3)]).copies == (0, 0, 3)

    def test_large_samples_are_compared_too(self):
        x = torch.rand(3, 3, 128, 128)
        x[2] = x[0]
        assert measure_data([x]).copies == (1,)

    def test_tensors_without_elements(self):
        assert measure_data([(torch.rand(3, 0), torch.rand(3))]).copies == (0,)


def test_the_batches_stay_as_they_are():
    x = torch.rand(4, 3, requires_grad=True)
    before = x.detach().clone()
    measure_data([x])
    assert torch.equal(x, before)
    assert x.requires_grad
