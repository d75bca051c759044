"""Edits say what is wanted, and every other byte of the text stays."""

import difflib

import pytest

from lossdoctor.config.edit import REMOVED, EditError, edited
from lossdoctor.config.keys import split_key
from lossdoctor.config.yaml_reader import read_yaml

CONFIG = """\
# Überschrift: a comment with colons: and [brackets]
version: 1

loss: # what is minimised
    components:
        # about lab
        lab:   { term: mse,  space: "lab",   normalize: false }   # raw units
        ab:
            term: mse
            channels: [ a,b ]    # two of three
            weight:   1e-3       # small

    # about the weights
    weights:
    roles: {}
    tail:
      - 'one'
      -   two   # the second
rules: {LD101: {error_share: 0.999,}}
# the end
"""


def value(text):
    return read_yaml(text, "test.yaml").value


def changed_lines(before, after):
    diff = difflib.ndiff(before.splitlines(keepends=True), after.splitlines(keepends=True))
    return [line for line in diff if line[0] in "+-"]


def edit(text, **changes):
    return edited(text, {split_key(key)[0]: new for key, new in changes.items()})


@pytest.mark.parametrize(
    ("key", "new", "expected"),
    [
        (
            "loss.components.lab.normalize",
            True,
            [
                '-         lab:   { term: mse,  space: "lab",   normalize: false }   # raw units\n',
                '+         lab:   { term: mse,  space: "lab",   normalize: true }   # raw units\n',
            ],
        ),
        (
            "loss.components.lab.weight",
            0.5,
            [
                '-         lab:   { term: mse,  space: "lab",   normalize: false }   # raw units\n',
                '+         lab:   { term: mse,  space: "lab",   normalize: false, weight: 0.5 }   # raw units\n',
            ],
        ),
        (
            "loss.components.ab.weight",
            12.0,
            ["-             weight:   1e-3       # small\n", "+             weight:   12.0       # small\n"],
        ),
        ("loss.components.ab.normalize", True, ["+             normalize: true\n"]),
        ("loss.components.ab.channels", REMOVED, ["-             channels: [ a,b ]    # two of three\n"]),
        (
            "loss.components.lab.space",
            REMOVED,
            [
                '-         lab:   { term: mse,  space: "lab",   normalize: false }   # raw units\n',
                "+         lab:   { term: mse,  normalize: false }   # raw units\n",
            ],
        ),
        ("loss.weights.kl", 2.0, ["-     weights:\n", "+     weights: {kl: 2.0}\n"]),
        ("loss.roles.kl", "regularizer", ["-     roles: {}\n", "+     roles: {kl: regularizer}\n"]),
        ("loss.tail.1", "on, off", ["-       -   two   # the second\n", "+       -   'on, off'   # the second\n"]),
        ("loss.shares.lab", 0.25, ["+     shares: {lab: 0.25}\n"]),
        ("trial.steps", 10, ["+ trial: {steps: 10}\n"]),
        (
            "rules.LD102",
            {"warning_share": 0.1},
            [
                "- rules: {LD101: {error_share: 0.999,}}\n",
                "+ rules: {LD101: {error_share: 0.999,}, LD102: {warning_share: 0.1}}\n",
            ],
        ),
    ],
)
def test_only_what_is_meant_changes(key, new, expected):
    after = edit(CONFIG, **{key: new})
    assert sorted(changed_lines(CONFIG, after)) == sorted(expected)


def test_the_last_entry_of_a_flow_mapping_goes_with_its_comma():
    assert edit("a: {b: 1, c: 2}\n", **{"a.c": REMOVED}) == "a: {b: 1}\n"
    assert edit("a: {b: 1}\n", **{"a.b": REMOVED}) == "a: {}\n"


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_line_ends_and_a_byte_order_mark_stay(ending):
    text = "\ufeff" + CONFIG.replace("\n", ending)
    after = edit(text, **{"loss.components.ab.normalize": True})
    assert after == "\ufeff" + edit(CONFIG, **{"loss.components.ab.normalize": True}).replace("\n", ending)


def test_no_newline_at_the_end():
    assert edit("a:\n  b: 1", **{"a.c": 2}) == "a:\n  b: 1\n  c: 2"


@pytest.mark.parametrize(
    ("text", "changes", "expected"),
    [
        # The other key keeps its value: it gets one of its own.
        ("a: &x 1.0\nb: *x\n", {"a": 2.0}, "a: &x 2.0\nb: 1.0\n"),
        ("a: &x 1.0\nb: *x\n", {"b": 2.0}, "a: &x 1.0\nb: 2.0\n"),
        ("a: &x {n: 1, m: 2}\nb: {<<: *x, m: 3}\n", {"b.n": 5}, "a: &x {n: 1, m: 2}\nb: {<<: *x, m: 3, n: 5}\n"),
        ("a: &x {n: 1, m: 2}\nb: {<<: *x, m: 3}\n", {"a.n": 5}, "a: &x {n: 5, m: 2}\nb: {<<: *x, m: 3, n: 1}\n"),
        ("a: &x {n: 1}\nb: *x # same\n", {"b.n": 5}, "a: &x {n: 1}\nb: {n: 5} # same\n"),
        # Both change alike: one place is enough.
        ("a: &x {n: 1}\nb: {<<: *x, m: 3}\n", {"a.n": 5, "b.n": 5}, "a: &x {n: 5}\nb: {<<: *x, m: 3, n: 5}\n"),
        # What goes leaves its value to the next that refers to it.
        ("a: &x 1.0\nb: *x # b\nc: *x\n", {"a": REMOVED}, "b: &x 1.0 # b\nc: *x\n"),
        ("a: {n: &x 1, m: *x}\nb: *x\n", {"a": REMOVED}, "b: &x 1\n"),
        ("a: &x\n  n: &y 1\nb: *y\nc: *x\n", {"a": 5}, "a: 5\nb: &y 1\nc: &x {n: 1}\n"),
        ("a: {n: &x 1, m: 2}\nb: *x\n", {"a.n": REMOVED}, "a: {m: 2}\nb: &x 1\n"),
    ],
)
def test_anchors(text, changes, expected):
    assert edit(text, **changes) == expected


def test_what_was_read_is_what_was_meant():
    """Whatever is written, the reader gives back: also text that looks like something else."""
    awkward = ["yes", "1e-3", "null", "a: b", "- x", "#c", "*a", "[", "é", "", " x ", "0x1", "'", '"', "a,b"]
    for new in [*awkward, 1, 1e-5, 1e22, -0.5, True, None, [1, "a"], {"k, 1": [2.5]}]:
        assert value(edit(CONFIG, **{"loss.weights.x": new}))["loss"]["weights"] == {"x": new}
        assert value(edit(CONFIG, **{"loss.components.ab.term": new}))["loss"]["components"]["ab"]["term"] == new


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_a_block_becomes_a_number(ending):
    text = "w:\n  a:   # ramp\n\n    from: 0.0  # none\n    # all\n    to: 1.0  # full\n\n  # next\n  b: 2.0\n"
    expected = "w:\n  a: 1.0   # ramp\n\n  # next\n  b: 2.0\n"
    assert edit(text.replace("\n", ending), **{"w.a": 1.0}) == expected.replace("\n", ending)
    assert edit("a:\n  - 1\n  - 2\nb: 3\n", a=5) == "a: 5\nb: 3\n"
    assert edit("a: &x\n  n: 1", a=5) == "a: 5"


def test_nothing_to_change_is_the_same_text():
    assert edit(CONFIG, version=1) == CONFIG


def test_what_comes_through_a_merge_cannot_be_taken_out():
    with pytest.raises(EditError, match="b.n"):
        edit("a: &x {n: 1}\nb: {<<: *x, m: 3}\n", **{"b.n": REMOVED})
