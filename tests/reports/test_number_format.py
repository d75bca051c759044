import math

import pytest

from lossdoctor.reports.number_format import cosine, number, percent


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "–"),
        (0, "0"),
        (-0.0, "0"),
        (1.0, "1"),
        (0.97, "0.97"),
        (679.88, "679.9"),
        (2263.0, "2263"),
        (123456.7, "123457"),
        (1234567.0, "1.235e6"),
        (1.2e-9, "1.2e-9"),
        (0.00012346, "1.235e-4"),
        (-86.1827, "-86.18"),
        (5e-324, "4.941e-324"),
        (math.nan, "nan"),
        (-math.inf, "-inf"),
    ],
)
def test_numbers_have_four_significant_digits(value, text):
    assert number(value) == text


@pytest.mark.parametrize("exponent", range(-300, 300, 7))
def test_numbers_say_what_they_are_to_four_digits(exponent):
    value = -7.23456 * 10.0**exponent
    assert float(number(value)) == pytest.approx(value, rel=5e-4)
    assert len(number(value)) <= 11


@pytest.mark.parametrize(
    ("share", "text"),
    [
        (None, "–"),
        (0.0, "0 %"),
        (1.0, "100 %"),
        (1e-9, "<0.01 %"),
        (0.00064, "0.06 %"),
        (0.231, "23.1 %"),
        (0.99936, "99.94 %"),
        (1 - 1e-9, ">99.99 %"),
        (3.4, "340.0 %"),
        (1e5, "1e7 %"),
        (math.nan, "nan"),
    ],
)
def test_a_share_is_zero_or_all_only_when_it_is(share, text):
    assert percent(share) == text


def test_cosines_carry_their_sign():
    assert [cosine(value) for value in (0.571, -0.31, None)] == ["+0.57", "-0.31", "–"]
