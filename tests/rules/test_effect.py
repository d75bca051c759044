"""What a cause does to the others: how severe that is, and the words for it."""

from __future__ import annotations

import pytest

from lossdoctor import balance
from lossdoctor.records import Severity
from lossdoctor.rules.base import effect_of, listing, percent

from .cases import gradients

E, W, N = Severity.ERROR, Severity.WARNING, Severity.NOTE


def effect(names, **facts):
    return effect_of(balance.summarize(gradients(**facts)), names)


@pytest.mark.parametrize(("share", "severity"), [(99.0, E), (98.99, W), (95.0, W), (94.99, N), (50.0, N), (0.0001, N)])
def test_the_joint_share(share, severity):
    found = effect("ab", a=(1.0, share / 2), b=(1.0, share / 2), c=(1.0, 100 - share))
    assert found.severity is severity
    assert found.share == pytest.approx(share / 100)


@pytest.mark.parametrize(("left", "severity"), [(0.0999, E), (0.1, W), (0.499, W), (0.5, N)])
def test_the_least_that_is_left(left, severity):
    found = effect("a", a=(1.0, 90.0), b=(1.0, 10 - left), c=(1.0, left))
    assert found.severity is severity
    assert found.smallest.name == "c"


def test_what_would_be_small_anyway_is_nobodys_effect():
    """Without a, c would hold 0.05 of 80: below 0.1 % as well."""
    assert effect("a", a=(1.0, 20.0), b=(1.0, 79.95), c=(1.0, 0.05)).severity is N


def test_one_that_would_be_small_anyway_does_not_hide_one_that_would_not():
    found = effect("a", a=(1.0, 94.0), b=(1.0, 5.95), c=(1.0, 0.05), d=(1.0, 1e-9))
    assert found.severity is E


def test_a_regularizer_is_not_harmed():
    assert effect("a", a=(1.0, 1e6), kl=(1.0, 1.0), roles={"kl": "regularizer"}).severity is N
    assert effect("a", a=(1.0, 50.0), b=(1.0, 50.0), kl=(1.0, 1e-9), roles={"kl": "regularizer"}).severity is N


def test_a_regularizer_can_be_the_cause():
    assert effect(["kl"], kl=(1.0, 1e6), b=(1.0, 1.0), roles={"kl": "regularizer"}).severity is E


def test_without_a_share_there_is_no_effect():
    found = effect("a", a=(1.0, 1.0), b=(1.0, 1.0), detached=["a"])
    assert (found.severity, found.share, found.smallest) == (N, None, None)
    assert found.describe("a") == ""


def test_the_effect_in_words():
    assert effect("a", a=(1.0, 999.0), c=(1.0, 1.0)).describe("a") == (
        ": it holds 99.90 % of the gradient, which leaves c 0.1 %"
    )
    assert effect("ab", a=(1.0, 30.0), b=(1.0, 30.0), c=(1.0, 40.0)).describe("ab") == (
        ": together they hold 60 % of the gradient, which leaves c 40 %"
    )


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (1.0, "100 %"),
        (1.0000000000000002, "100 %"),
        (0.99999, ">99.99 %"),
        (0.9997, "99.97 %"),
        (0.984, "98.4 %"),
        (0.949, "94.9 %"),
        (0.23, "23 %"),
        (0.00031, "0.031 %"),
        (0.0, "0 %"),
    ],
)
def test_shares_as_percentages(share, text):
    assert percent(share) == text


@pytest.mark.parametrize(("names", "text"), [("a", "a"), ("ab", "a and b"), ("abc", "a, b and c")])
def test_names_as_prose(names, text):
    assert listing(names) == text
