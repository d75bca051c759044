"""LD507: a weight that changes nothing."""

import pytest

from .cases import check, the_finding
from .test_ld504 import totals


def test_a_weight_that_is_only_a_switch():
    finding = the_finding("LD507", totals(1.0, 0.5, 1.0, responses=(1.0, 1.0, 0.0)))
    assert finding.components == ("c",)
    assert finding.evidence["effective"] == {"c": 1.0}


def test_all_weights_ignored_is_one_finding():
    assert the_finding("LD507", totals(1.0, 0.5, 0.1, responses=(0.0, 0.0, 0.0))).components == ("a", "b", "c")


@pytest.mark.parametrize("responses", [(1.0, 1.0, 1.0), (3.0, 1.0, 1.0), (None, None, None), (1.0, 8.0, 0.01)])
def test_weights_that_count(responses):
    assert check("LD507", totals(1.0, 0.5, 0.1, responses=responses)) == []
