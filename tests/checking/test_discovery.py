from __future__ import annotations

from pathlib import Path

import pytest

from lossdoctor.checking.discovery import discover
from lossdoctor.checking.recognize import is_config, may_be_config
from lossdoctor.config.yaml_reader import read_yaml

from .project import FOREIGN, HEALTHY, check, write


def found(*paths):
    return [(candidate.path.as_posix(), candidate.named) for candidate in discover(map(str, paths))]


@pytest.fixture
def project(tmp_path, monkeypatch):
    write(tmp_path, b__yaml="", a__yml="", c__json="", sub___d__yaml="", _hidden="")
    write(tmp_path / ".git", e__yaml="")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_folder_is_searched_for_yaml_by_name_and_without_hidden_folders(project):
    assert found(".") == [("a.yml", False), ("b.yaml", False), ("sub/d.yaml", False)]


def test_a_file_that_is_named_counts_as_named_wherever_else_it_is_found(project):
    assert found("b.yaml", ".") == [("b.yaml", True), ("a.yml", False), ("sub/d.yaml", False)]
    assert ("b.yaml", True) in found(".", project / "b.yaml") or (str(project / "b.yaml"), True) in found(
        ".", project / "b.yaml"
    )
    assert len(found(".", "b.yaml", "./sub/../b.yaml")) == 3


def test_patterns_reach_into_folders(project):
    assert found("**/*.yaml") == [("b.yaml", False), ("sub/d.yaml", False)]
    assert found("su?") == [("sub/d.yaml", False)]


def test_a_pattern_that_matches_nothing_is_a_failure(project):
    done = check("configs/*.yaml")
    assert done.exit_code == 2
    assert "no file matches this pattern" in done.stderr


def test_a_name_that_looks_like_a_pattern_is_a_name(project):
    Path("[x].yaml").touch()
    assert found("[x].yaml") == [("[x].yaml", True)]


def test_a_check_of_nothing_does_not_pass(project):
    write(project, **dict.fromkeys(("a__yml", "b__yaml", "sub___d__yaml"), FOREIGN))
    done = check(".")
    assert done.exit_code == 2
    assert "no config of lossdoctor in ." in done.stderr


def test_what_is_named_has_to_be_a_config(project):
    write(project, b__yaml=FOREIGN)
    done = check("b.yaml")
    assert done.exit_code == 2
    assert "model: expected a value" in done.stderr


FOREIGNERS = {
    "compose": FOREIGN,
    "hydra": "defaults: [_self_]\nmodel: {_target_: net.Net}\ndata: {_target_: d.D}\nloss: {_target_: l.L, weight: 1.0}\n",
    "latent diffusion": "model: {target: ldm.models.DDPM, params: {a: 1}}\ndata: {target: main.Data, params: {b: 2}}\n",
    "detectron": "VERSION: 2\nMODEL: {META_ARCHITECTURE: RCNN}\nSOLVER: {BASE_LR: 0.1}\n",
    "a loss of another trainer": "model: {name: unet}\nloss: {l1: 1.0, components: 3}\n",
    "mmdet": "model: {type: RetinaNet, loss: {type: FocalLoss}}\ndata: {train: {type: Coco}}\n",
    "github": "on: [push]\njobs: {a: {runs-on: x, steps: []}}\n",
}


@pytest.mark.parametrize("text", FOREIGNERS.values(), ids=FOREIGNERS)
def test_configs_of_other_tools_are_told_apart(text):
    assert not is_config(read_yaml(text, "f.yaml").value)


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("", ""),
        ("loss:", "los:"),
        ("components:", "component:"),
        ("model:", "modle:"),
        ("target: unet", "targte: unet"),
        ("version: 1", "version: 2"),
        ("data:", "dat:"),
    ],
)
def test_one_mistake_does_not_make_a_config_a_foreigner(right, wrong):
    assert is_config(read_yaml(HEALTHY.replace(right, wrong, 1) if right else HEALTHY, "f.yaml").value)


def test_what_cannot_be_parsed_is_told_by_its_words():
    assert may_be_config(HEALTHY.encode() + b"\t{")
    assert not may_be_config(b"{{ helm }}: loss")
