"""`--set key.path=value`."""

from __future__ import annotations

import copy

import pytest

from lossdoctor.config.load import load_config
from lossdoctor.config.overrides import apply_overrides
from lossdoctor.errors import ConfigError
from lossdoctor.records import Location

from .configs import write_config

VALUE = {"model": {"args": {"sizes": [1, 2, {"k": 3}]}, "checkpoint": "x.pt"}, "rules": None, "trial": {"lr": 1.0}}


@pytest.mark.parametrize(
    ("override", "keys", "value"),
    [
        ("trial.lr=1e-3", ("trial", "lr"), 1e-3),
        ("trial.lr=on", ("trial", "lr"), "on"),
        ("model.checkpoint=null", ("model", "checkpoint"), None),
        ("model.checkpoint=", ("model", "checkpoint"), None),
        ("model.checkpoint=''", ("model", "checkpoint"), ""),
        ("model.args.sizes=[4, 5]", ("model", "args", "sizes"), [4, 5]),
        ("model.args.sizes.0=9", ("model", "args", "sizes", 0), 9),
        ("model.args.sizes.2.k=9", ("model", "args", "sizes", 2, "k"), 9),
        ("model.args.new.deep=x=y", ("model", "args", "new", "deep"), "x=y"),
        ("rules.LD101.error_share=0.5", ("rules", "LD101", "error_share"), 0.5),
        ("loss.weights.\"a.b\"={from: 0, to: 1, over: 5}", ("loss", "weights", "a.b"), {"from": 0, "to": 1, "over": 5}),
    ],
)  # fmt: skip
def test_setting(override, keys, value):
    before = copy.deepcopy(VALUE)
    overridden = apply_overrides(VALUE, [override])
    assert overridden.problems == ()
    found = overridden.value
    for key in keys:
        found = found[key]
    assert found == value
    assert type(found) is type(value)
    assert before == VALUE, "the values that were given stay as they were"


def test_everything_else_stays():
    overridden = apply_overrides(VALUE, ["model.args.sizes.2.k=9"])
    assert overridden.value == {**VALUE, "model": {"args": {"sizes": [1, 2, {"k": 9}]}, "checkpoint": "x.pt"}}


def test_later_ones_win():
    assert apply_overrides({}, ["a.b=1", "a.c=2", "a.b=3"]).value == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("override", "key", "words"),
    [
        ("lr", "", "no `=` follows the key"),
        ("", "", "expected key.path=value"),
        ("=1", "", "expected key.path=value"),
        ("a..b=1", "", "a part of the key is empty"),
        ('"a=1', "", "a quote is not closed"),
        ("trial.lr.x=1", "trial.lr", "a mapping, in order to set `x` in it, found 1.0"),
        ("model.args.sizes.3=1", "model.args.sizes.3", "an index from 0 to 2"),
        ("model.args.sizes.-1=1", "model.args.sizes.-1", "an index from 0 to 2"),
        ("model.args.sizes.x=1", "model.args.sizes.x", "an index from 0 to 2"),
        ("a=[1", "a", "a YAML value, found a syntax error"),
        ("a=*", "a", "in quotes"),
        ("a={b: 1, b: 2}", "a", "a second 'b'"),
        ("a=!!python/name:os.system x", "a", "the tag"),
        ("a=" + "[" * 100, "a", "more"),
        ("a." * 100 + "b=1", "", "at most 50 names"),
        ("a=\udcff", "a", "U+DCFF"),
        ("a=\x1b[2J", "a", "U+001B"),
    ],
)
def test_one_message(override, key, words):
    overridden = apply_overrides(VALUE, [override])
    (problem,) = overridden.problems
    assert (problem.file, problem.line, problem.key) == ("--set", 0, key)
    assert words in str(problem)
    assert problem.advice
    assert overridden.value == VALUE


class TestInAConfig:
    TEXT = """
    loss:
      components:
        lab: {term: mse, space: lab, weight: 1.0}
        a.b: {term: l1}
    """

    def test_values_take_effect(self, tmp_path):
        path = write_config(tmp_path, self.TEXT)
        overrides = ["loss.components.lab.weight=0.5", 'loss.components."a.b".weight=2', "trial.lr=1e-4"]
        config = load_config(path, overrides)
        assert config.loss.components["lab"].weight == 0.5
        assert config.loss.components["a.b"].weight == 2
        assert config.trial.lr == 1e-4

    def test_a_missing_checkpoint_can_be_left_out(self, tmp_path):
        path = write_config(tmp_path, "model: {target: unet, checkpoint: missing.pt}")
        with pytest.raises(ConfigError, match=r"missing\.pt"):
            load_config(path)
        assert load_config(path, ["model.checkpoint=null"]).model.checkpoint is None

    def test_problems_name_the_command_line(self, tmp_path):
        path = write_config(tmp_path, self.TEXT)
        overrides = ["loss.components.lab.weight=x", "loss.componets.lab=1", "nothing", "trial={lr: -1}"]
        with pytest.raises(ConfigError) as caught:
            load_config(path, overrides)
        assert {(problem.file, problem.line, problem.key) for problem in caught.value.problems} == {
            ("--set", 0, "loss.components.lab.weight"),
            ("--set", 0, "loss.componets"),
            ("--set", 0, ""),
            ("--set", 0, "trial.lr"),
        }

    def test_places_of_replaced_values_are_forgotten(self, tmp_path):
        path = write_config(tmp_path, self.TEXT)
        config = load_config(path, ["loss.components.lab={term: mse}", "trial.lr=1e-4"])
        lab = Location(str(path), 3, 5)
        assert config.locate("loss", "components", "lab") == lab
        assert config.locate("loss", "components", "lab", "space") == lab
        assert config.locate("loss", "components", "a.b", "term") == Location(str(path), 4, 11)
        assert config.locate("trial", "lr") == Location(str(path), 1)
