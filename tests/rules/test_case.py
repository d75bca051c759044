"""Where in a config a rule points to."""

from __future__ import annotations

import pytest

from lossdoctor.config.load import load_config
from lossdoctor.rules.base import Case

from .cases import case, gradients

BUILT_IN = """\
model: {target: unet}
data: {target: "my_project.data:batches"}
loss:
  components:
    lab: {term: mse, weight: 1.0}
    "a.b":
      term: l1
"""
STEP = """\
model: {target: unet}
data: {target: "my_project.data:batches"}
loss:
  step: my_project.train:losses
  weights:
    adv: 1.0
    generator.rec: 2.0
"""


@pytest.fixture
def load(tmp_path):
    def load(text):
        path = tmp_path / "config.yaml"
        path.write_text(text, encoding="utf-8")
        return load_config(path)

    return load


@pytest.mark.parametrize(("component", "line"), [("lab", 5), ("a.b", 6)])
def test_a_built_in_component_and_its_weight(load, component, line):
    here = Case(config=load(BUILT_IN))
    assert here.locate_component(component).line == line
    assert here.locate_weight("total", component).line == line


def test_a_component_of_user_code_is_where_the_code_is_named(load):
    assert Case(config=load(STEP)).locate_component("adv").line == 4
    function = STEP.replace("step:", "function:")
    assert Case(config=load(function)).locate_component("adv").line == 4


@pytest.mark.parametrize(
    ("objective", "component", "line"),
    [("generator", "adv", 6), ("generator", "rec", 7), ("generator", "new", 5), ("critic", "adv", 6)],
)
def test_weights_of_user_code(load, objective, component, line):
    facts = [gradients(name, adv=(1.0, 1.0), rec=(1.0, 1.0)) for name in ("generator", "critic")]
    assert case(*facts, config=load(STEP)).locate_weight(objective, component).line == line


def test_without_a_config_there_is_no_place():
    assert Case().locate_component("adv") is None
    assert Case().locate_weight("total", "adv") is None
