"""A baseline: what is new fails, what is known does not, what is gone is listed."""

from __future__ import annotations

import json

import pytest

from .project import BROKEN, HEALTHY, RAW, check, document, findings, write


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(write(tmp_path, configs___a__yaml=RAW, configs___b__yaml=HEALTHY))
    assert check("configs", "--baseline", "base.json", "--update-baseline").exit_code == 0
    return tmp_path


def against(*args):
    return findings("configs", "--baseline", "base.json", *args)


def test_what_is_known_does_not_fail(project):
    assert check("configs").exit_code == 1
    assert check("configs", "--baseline", "base.json").exit_code == 0
    assert against() == []


def test_what_is_known_is_counted(project):
    """Nobody has to take a report without findings for a config without faults."""
    known = len(json.loads((project / "base.json").read_text())["configs"]["configs/a.yaml"]["findings"])
    assert known > 0
    said = f"no findings ({known} known finding{'s' * (known > 1)} in the baseline)"
    assert said in check("configs", "--baseline", "base.json").stdout
    assert said in check("configs", "--baseline", "base.json", "--quiet", "--format", "markdown").stdout
    counts = [report["known_findings"] for report in document("configs", "--baseline", "base.json")["reports"]]
    assert counts == [known, 0]
    assert "known" not in check("configs").stdout


def test_what_is_new_fails(project):
    write(project, configs___b__yaml=RAW)
    assert ("LD201", "error", ("lab",)) in against()
    write(project, configs___c__yaml=RAW)
    assert check("configs/c.yaml", "--baseline", "base.json").exit_code == 1


def test_what_was_a_note_and_is_an_error_is_new(project):
    balanced = RAW.replace("normalize: false, weight: 1.0", "normalize: false, weight: 0.0005")
    write(project, configs___a__yaml=balanced)
    assert check("configs", "--baseline", "base.json", "--update-baseline").exit_code == 0
    write(project, configs___a__yaml=RAW)
    assert ("LD201", "error", ("lab",)) in against()


def test_what_is_gone_is_listed(project):
    write(project, configs___a__yaml=RAW.replace("normalize: false", "normalize: true"))
    assert ("LD904", "note", ("lab",)) in against()
    (project / "configs" / "b.yaml").unlink()
    assert "configs/b.yaml is no longer there" in check("configs", "--baseline", "base.json").stderr


def test_a_change_of_balance_fails_though_no_rule_fires(project):
    write(project, configs___b__yaml=HEALTHY.replace("weight: 10.0", "weight: 40.0"))
    assert check("configs/b.yaml").exit_code == 0
    assert against() == [("LD905", "error", ("pixels",))]
    assert check("configs", "--baseline", "base.json").exit_code == 1
    assert check("configs", "--baseline", "base.json", "--update-baseline").exit_code == 0
    assert against() == []


def test_a_known_config_that_lost_its_loss_is_not_taken_for_another_tools(project):
    write(project, configs___b__yaml="version: 1\nmodel: {target: unet}\n")
    assert check("configs").exit_code == 1
    assert check("configs", "--baseline", "base.json").exit_code == 2


def test_it_does_not_matter_where_one_stands(project, monkeypatch):
    monkeypatch.chdir(project / "configs")
    assert findings(".", "--baseline", "../base.json") == []
    assert findings(project, "--baseline", "../base.json") == []


def test_the_file_is_sorted_and_the_same_every_time(project):
    text = (project / "base.json").read_text()
    assert json.dumps(json.loads(text), indent=2, sort_keys=True) + "\n" == text
    check("configs/b.yaml", "configs/a.yaml", "--baseline", "base.json", "--update-baseline")
    assert (project / "base.json").read_text() == text


def test_an_update_keeps_what_it_did_not_look_at_and_drops_what_is_gone(project):
    write(project, configs___c__yaml=HEALTHY)
    (project / "configs" / "b.yaml").unlink()
    check("configs/c.yaml", "--baseline", "base.json", "--update-baseline")
    assert sorted(json.loads((project / "base.json").read_text())["configs"]) == ["configs/a.yaml", "configs/c.yaml"]


def test_nothing_is_written_while_a_config_cannot_be_used(project):
    before = (project / "base.json").read_bytes()
    write(project, configs___b__yaml=BROKEN)
    assert check("configs", "--baseline", "base.json", "--update-baseline").exit_code == 2
    assert (project / "base.json").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (None, "cannot be read"),
        (b"", "expected a baseline"),
        (b"\xff\xfe", "expected a baseline"),
        (b"[" * 100_000, "expected a baseline"),
        (b"{}[]", "expected a baseline"),
        (b'{"schema": "lossdoctor-baseline/9"}', "schema"),
        (b'{"schema": "lossdoctor-baseline/1", "configs": {"a": {}}}', "configs.a"),
        (b'{"schema": "lossdoctor-baseline/1", "confgis": {}}', "confgis"),
    ],
)
def test_a_file_that_is_no_baseline_is_one_message(content, said, project):
    if content is None:
        (project / "base.json").unlink()
    else:
        (project / "base.json").write_bytes(content)
    done = check("configs", "--baseline", "base.json")
    assert done.exit_code == 2
    assert said in done.stderr
    assert "--update-baseline" in done.stderr


def test_updating_needs_to_know_where(project):
    done = check("configs", "--update-baseline")
    assert done.exit_code == 2
    assert "--update-baseline does nothing without --baseline FILE" in done.stderr
