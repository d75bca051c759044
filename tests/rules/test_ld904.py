from __future__ import annotations

import textwrap

import pytest

from lossdoctor.baseline import ConfigBaseline, KnownFinding
from lossdoctor.config.load import config_of, parse_config
from lossdoctor.diagnose import diagnose
from lossdoctor.records import Severity
from lossdoctor.rules.base import Case

from .cases import case, check, gradients, whole

HEADER = "model: {target: unet}\ndata: {target: 'm:d'}\n"
LOSS = """\
    loss:
      components:
        features: {term: perceptual, pretrained: random, weight: 1.0}
        lab: {term: mse, space: lab, normalize: false, weight: 1.0}
    """


def config(text, tmp_path):
    return config_of(HEADER + textwrap.dedent(text), tmp_path / "c.yaml")


def notes(case, **options):
    findings, _ = diagnose(case, **options)
    return [(f.location.line if f.location else None, f.message) for f in findings if f.code == "LD904"]


@pytest.mark.parametrize(
    ("comment", "message"),
    [
        ("# lossdoctor: ignore", "names no rule"),
        ("# lossdoctor: ignore everything", "names no rule"),
        ("# lossdoctor: ignore LD205", "LD205, which is not found"),
        ("# lossdoctor: ignore LD999", "LD999, which is no rule"),
        ("# lossdoctor: ignore LD20l", "LD20l, which is no rule"),
    ],
)
def test_a_comment_that_accepts_nothing_is_a_note(comment, message, tmp_path):
    text = LOSS.replace("weight: 1.0}\n    lab", f"weight: 1.0}}  {comment}\n    lab")
    text = text.replace("random, weight: 1.0}", f"random, weight: 1.0}}  {comment}", 1)
    ((line, said),) = notes(Case(config=config(text, tmp_path)))
    assert line == 5
    assert message in said


def test_a_comment_on_a_line_of_its_own_is_a_note(tmp_path):
    text = LOSS.replace("  components:", "  # lossdoctor: ignore LD201\n      components:")
    assert "line without a key" in notes(Case(config=config(text, tmp_path)))[0][1]


def test_nothing_is_said_of_a_rule_that_could_not_be_evaluated(tmp_path):
    text = LOSS.replace("loss:", "loss:  # lossdoctor: ignore LD302, LD106")
    assert notes(Case(config=config(text, tmp_path))) == []


def test_but_once_it_was(tmp_path):
    text = LOSS.replace("loss:", "loss:  # lossdoctor: ignore LD302, LD106")
    measured = case(gradients(features=(1.0, 1.0), lab=(1.0, 1.0)), config=config(text, tmp_path))
    assert len(notes(measured)) == 2


def test_an_entry_of_rules_ignore_is_a_note_where_the_rule_finds_nothing(tmp_path):
    text = LOSS + "\n    rules:\n      ignore: [LD205, LD201]\n"
    ((line, said),) = notes(Case(config=(found := config(text, tmp_path))), ignore=["LD205", "LD201"])
    assert line == 9
    assert "LD205" in said
    assert found.rules.ignore == ["LD205", "LD201"]


def test_what_the_command_line_ignores_is_not():
    assert notes(Case(config=parse_config(whole({"step": "m:s"}))), ignore=["LD901"]) == []


def test_a_stale_entry_of_a_baseline_is_a_note(tmp_path):
    known = (
        KnownFinding("LD205", Severity.WARNING, "total", ("lab",)),
        KnownFinding("LD302", Severity.ERROR, "total", ("lab",)),
    )
    loaded = config(LOSS, tmp_path)
    baseline = ConfigBaseline(components={}, loss={}, findings=known)
    findings, _ = diagnose(Case(config=loaded, baseline=baseline), select=["LD2", "LD904"])
    (note,) = [finding for finding in findings if finding.code == "LD904"]
    assert note.severity is Severity.NOTE
    assert (note.components, note.evidence["accepted"]) == (("lab",), "LD205")  # LD302 was not evaluated


def test_it_can_be_ignored_itself(tmp_path):
    text = LOSS.replace("loss:", "loss:  # lossdoctor: ignore LD205")
    assert notes(Case(config=config(text, tmp_path)), ignore=["LD904"]) == []


def test_a_config_without_comments_is_fine():
    assert check("LD904", Case(config=parse_config(whole({"step": "m:s"})))) == []
