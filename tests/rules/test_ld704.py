"""LD704: outputs that have become the same everywhere, or lost their colour."""

import pytest

from lossdoctor.records import Severity
from lossdoctor.trial_records import ChannelColors, FinalOutput

from .cases import check, the_finding
from .tried import curve, tried

TARGET = ChannelColors((0.5, 0.45, 0.4), std=0.25, between_samples=0.2, colorfulness=40.0)


def ends_with(target=TARGET, samples=8, image=True, means=TARGET.means, std=0.2, between=0.15, colorfulness=30.0):
    output = ChannelColors(means, std, between, colorfulness)
    seen = FinalOutput("output", output, target, samples, image)
    return tried(curve(a=(1.0, 0.5)), outputs=(seen,))


def test_outputs_like_their_targets():
    assert check("LD704", ends_with()) == []


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"std": 1e-4}, "is constant"),
        ({"between": 1e-4}, "is the same for every sample"),
        ({"colorfulness": 2.0}, "is almost grey"),
        ({"means": (0.01, 0.02, 0.01)}, "is almost black"),
        ({"means": (0.1, 0.9, 0.1)}, "is almost all green"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_collapses(fault, words):
    finding = the_finding("LD704", ends_with(**fault))
    assert finding.severity is Severity.WARNING
    assert words in finding.message


@pytest.mark.parametrize(
    "target",
    [
        ChannelColors((0.5, 0.5, 0.5), std=0.0, between_samples=0.0, colorfulness=0.0),
        ChannelColors((0.01, 0.01, 0.01), std=0.01, between_samples=0.01, colorfulness=1.0),
        ChannelColors((0.5,), std=0.2, between_samples=0.2, colorfulness=None),
    ],
    ids=["constant", "dark", "of one channel"],
)
def test_targets_that_ask_for_nothing_else(target):
    same = {"means": target.means, "std": target.std, "between": target.between_samples}
    assert check("LD704", ends_with(target, colorfulness=target.colorfulness, **same)) == []


def test_numbers_have_no_colour():
    assert check("LD704", ends_with(image=False, colorfulness=2.0)) == []


def test_one_sample_cannot_differ():
    assert check("LD704", ends_with(samples=1, between=0.0)) == []
