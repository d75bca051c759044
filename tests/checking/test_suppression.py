"""Findings that a comment accepts: which, and which not."""

from __future__ import annotations

import pytest

from lossdoctor.config.suppressions import find_suppressions

from .project import HEALTHY, check, findings, write

TWO_RAW = HEALTHY.replace(
    "    pixels: {term: l1, weight: 10.0}\n",
    "    lab: {term: mse, space: lab, channels: [L], normalize: false, weight: 1.0}\n"
    "    ab: {term: mse, space: lab, channels: [a, b], normalize: false, weight: 1.0}\n",
)


def with_comment(text, key, comment):
    """Return the text with a comment at the end of the line that begins with the key."""
    lines = text.splitlines()
    (index,) = [index for index, line in enumerate(lines) if line.strip().startswith(key)]
    lines[index] += f"  {comment}"
    return "\n".join(lines) + "\n"


def codes(tmp_path, text):
    write(tmp_path, c__yaml=text)
    return [code for code, *_ in findings(tmp_path)]


@pytest.mark.parametrize("key", ["lab:", "components:", "loss:"])
def test_a_comment_holds_for_its_key_and_those_below(key, tmp_path):
    assert codes(tmp_path, with_comment(TWO_RAW, key, "# lossdoctor: ignore LD201")) == []


def test_a_comment_on_another_component_of_the_finding_is_not_enough(tmp_path):
    assert "LD201" in codes(tmp_path, with_comment(TWO_RAW, "ab:", "# lossdoctor: ignore LD201"))


def test_comments_on_all_components_are(tmp_path):
    block = TWO_RAW.replace(
        "    lab: {term: mse, space: lab, channels: [L], normalize: false, weight: 1.0}\n",
        "    lab:  # lossdoctor: ignore LD201\n      {term: mse, space: lab, channels: [L],\n      normalize: false, weight: 1.0}\n",
    )
    assert codes(tmp_path, with_comment(block, "ab:", "# lossdoctor: ignore LD201")) == []


@pytest.mark.parametrize(
    "comment",
    [
        "# lossdoctor: ignore LD106",
        "# lossdoctor: ignore",
        "# ignore LD201",
        "#lossdoctor ignore LD201",
        "# lossdoctor: ignored LD201",
    ],
)
def test_other_comments_accept_nothing(comment, tmp_path):
    assert "LD201" in codes(tmp_path, with_comment(TWO_RAW, "lab:", comment))


@pytest.mark.parametrize(
    "comment",
    [
        "#lossdoctor:ignore LD201",
        "# lossdoctor: ignore LD106, LD201",
        "# lossdoctor: ignore: LD201 because the weights were found with raw units",
        "# see the paper  # lossdoctor: ignore LD2",
    ],
)
def test_how_it_may_be_written(comment, tmp_path):
    assert "LD201" not in codes(tmp_path, with_comment(TWO_RAW, "lab:", comment))


def test_what_an_accepted_finding_explains_goes_with_it(tmp_path):
    assert {"LD201", "LD903"} <= set(codes(tmp_path, TWO_RAW))
    assert codes(tmp_path, with_comment(TWO_RAW, "lab:", "# lossdoctor: ignore LD201")) == []
    # A rule that is off explains nothing: what it would have explained stands by itself.
    assert "LD903" in codes(tmp_path, TWO_RAW + "rules: {ignore: [LD201]}\n")


def test_a_comment_in_a_scalar_is_text():
    text = (
        'a: "x # lossdoctor: ignore LD101"\n'
        "b: 'x\n  # lossdoctor: ignore LD102'\n"
        "c: |\n  # lossdoctor: ignore LD103\n  text\n"
        "d: x#lossdoctor:ignore LD104\n"
        "e: 1 # lossdoctor: ignore LD105\n"
    )
    assert [(found.codes, found.location.line) for found in find_suppressions(text, "f")] == [(("LD105",), 8)]


def test_the_place_of_a_comment_is_that_of_its_hash():
    (found,) = find_suppressions("ä: ö  # lossdoctor: ignore LD101\n", "f")
    assert (found.location.line, found.location.column) == (1, 7)


def test_the_codes_end_with_the_line():
    (found,) = find_suppressions("rules:\n  # lossdoctor: ignore LD201\n  LD101: {}\n", "c.yaml")
    assert found.codes == ("LD201",)


def test_the_line_is_the_right_one_whatever_ends_lines():
    for end in ("\n", "\r\n", "\r"):
        (found,) = find_suppressions(end.join(["a: 1", "b: 2  # lossdoctor: ignore LD201", ""]), "c.yaml")
        assert (found.location.line, found.location.column) == (2, 7)


def test_an_unused_one_is_reported_and_fails_nothing(tmp_path):
    write(tmp_path, c__yaml=with_comment(HEALTHY, "pixels:", "# lossdoctor: ignore LD201"))
    assert findings(tmp_path) == [("LD904", "note", ())]
    assert check(tmp_path).exit_code == 0
    assert check(tmp_path, "--fail-on", "note").exit_code == 1
