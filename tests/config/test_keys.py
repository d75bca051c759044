"""Dotted keys are taken apart into what they were put together from."""

from __future__ import annotations

import random

import pytest

from lossdoctor.config.keys import dotted, split_key


@pytest.mark.parametrize(
    ("text", "keys", "rest"),
    [
        ("a", ("a",), ""),
        ("a.b.c=1", ("a", "b", "c"), "=1"),
        ('loss.components."a.b".weight=1', ("loss", "components", "a.b", "weight"), "=1"),
        ("loss.components.'a.b'.weight=a.b=c", ("loss", "components", "a.b", "weight"), "=a.b=c"),
        (r'"a\"b".c=', ('a"b', "c"), "="),
        (r"'a\b'", (r"a\b",), ""),
        ('"".x=1', ("", "x"), "=1"),
        ("L1 loss.x=1", ("L1 loss", "x"), "=1"),
        ('"a"b=1', ("a",), "b=1"),
    ],
)
def test_taking_apart(text, keys, rest):
    assert split_key(text) == (keys, rest)


@pytest.mark.parametrize("text", ["", "=1", ".a=1", "a..b=1", "a.=1", '"a=1', "'a=1", 'a."b=1', r'"\q"=1'])
def test_what_is_no_key(text):
    with pytest.raises(ValueError):
        split_key(text)


def test_round_trip():
    rng = random.Random(0)
    for _ in range(2000):
        names = tuple("".join(rng.choices("ab.='\" \\\x1b\nü…", k=rng.randint(0, 4))) for _ in range(rng.randint(1, 4)))
        text = dotted(names)
        assert text.isprintable()
        assert split_key(f"{text}=x") == (names, "=x")


def test_plain_names_stay_plain():
    assert dotted(("loss", "components", "vgg-loss_2", "weight")) == "loss.components.vgg-loss_2.weight"
