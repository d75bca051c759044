"""What a good config becomes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path, PurePosixPath

import pytest
import yaml

from lossdoctor.config.load import load_config, parse_config
from lossdoctor.config.schema import Config, PerceptualComponent, Schedule, TargetData
from lossdoctor.errors import ConfigError
from lossdoctor.records import Location

from .configs import write_config

FULL = """\
version: 1
model:
  target: my_project.models:UNet     # "module:callable" returning an nn.Module, or a built-in name
  args: {base_channels: 32}
  checkpoint: unet.safetensors
  strict: true
data:
  target: my_project.data:batches
  args: {}
  batch_size: 8
loss:
  components:
    perceptual: {term: perceptual, weight: 1.0, layers: [3, 8], pretrained: random}
    lab: {term: mse, space: lab, normalize: false, weight: 1.0}
    ab:  {term: mse, space: lab, channels: [a, b], normalize: false, weight: 2.0}
    tv: {term: tv, weight: {from: 0.0, to: 1.0, start: 0, over: 1000, shape: cosine}}
  roles: {tv: regularizer, total.ab: regularizer}
  shares: {perceptual: 0.5, lab: 0.25, ab: 0.25}
  tolerance: 3.0
measure: {batches: 4, device: "cuda:1", precision: fp32, mode: train, seed: 0, parameters: "*"}
rules: {select: [], ignore: []}
trial: {steps: 200, optimizer: adam, lr: 1e-3, parameters: {}, measure_every: auto, checkpoint_every: 50, metric: null}
"""


@pytest.fixture
def full(tmp_path):
    (tmp_path / "unet.safetensors").write_bytes(b"")
    path = tmp_path / "full.yaml"
    path.write_text(FULL)
    return path


def test_values(full):
    config = load_config(full)
    assert config.model.args == {"base_channels": 32}
    assert isinstance(config.data, TargetData)
    assert list(config.loss.components) == ["perceptual", "lab", "ab", "tv"]
    assert isinstance(config.loss.components["perceptual"], PerceptualComponent)
    assert config.loss.components["tv"].weight == Schedule(**{"from": 0.0}, to=1.0, start=0, over=1000, shape="cosine")
    assert config.trial.lr == 0.001
    assert config.measure == Config.model_fields["measure"].default.model_copy(update={"device": "cuda:1"})


def test_places(full):
    config = load_config(str(full))
    assert (config.path, config.folder) == (full, full.parent)
    assert config.locate("loss", "components", "ab", "channels") == Location(str(full), 15, 34)
    assert config.locate("loss", "components", "ab", "reduction") == Location(str(full), 15, 5)
    assert config.locate("nowhere") == Location(str(full), 1)


def test_a_mapping_in_python_gives_the_same(full):
    config = parse_config(yaml.safe_load(FULL.replace("1e-3", "0.001")), full)
    assert config.model_dump() == load_config(full).model_dump()
    assert config.folder == full.parent


def test_json_is_read_too(tmp_path):
    path = tmp_path / "config.json"
    path.write_text('{"model": {"target": "a:b"},\n\t"data": {"target": "a:b"}, "loss": {"step": "a:b"}}')
    assert load_config(path).loss.step == "a:b"


def test_paths_start_from_the_folder_of_the_config(full, monkeypatch):
    monkeypatch.chdir(full.parent.parent)
    assert load_config(Path(full.parent.name) / full.name).model.checkpoint == "unet.safetensors"
    with pytest.raises(ConfigError, match="which is not there"):
        parse_config(yaml.safe_load(FULL.replace("1e-3", "0.001")))


def test_anchors_and_merges(tmp_path):
    text = """
    loss:
      components:
        lab: &lab {term: mse, space: lab, weight: 0.5}
        ab: {<<: *lab, channels: [a, b]}
    """
    components = load_config(write_config(tmp_path, text)).loss.components
    assert components["ab"] == components["lab"].model_copy(update={"channels": ["a", "b"]})


@pytest.mark.parametrize(
    "loss",
    [
        "{step: 'a:b', weights: {g.adv: 1, d.real: {from: 1, to: 2, over: 0}}, roles: {kl: regularizer}, total: 'a:t'}",
        "{function: 'a:b', shares: {g.x: 0.9, d.x: 0.9, y: 0.5}}",
        "{step: 'a:b', shares: {a: 0.1, b: 0.2, c: 0.3, d: 0.4000005}}",
        "{components: {x: {term: mse, weight: -1}}, function: null, weights: {}}",
        "{components: {x: {term: mse, weight: 3}}, shares: {total.x: 1}}",
        "{components: {'[a]': {term: mse}, '[/x]': {term: l1}, \"\\e[2J\": {term: tv}}}",
        "{components: {a.b: {term: mse}}, roles: {a.b: regularizer}}",
    ],
)
def test_what_is_allowed(tmp_path, loss):
    load_config(write_config(tmp_path, f"loss: {loss}"))


class TestMappings:
    BASE = {"model": {"target": "a:b"}, "data": {"target": "a:b"}, "loss": {"step": "a:b"}}  # noqa: RUF012

    def test_tuples_and_paths_are_taken(self, tmp_path):
        data = {"images": PurePosixPath(tmp_path)}
        components = {"x": {"term": "mse", "channels": ("R", "G")}}
        config = parse_config({**self.BASE, "data": data, "loss": {"components": components}})
        assert config.data.images == str(tmp_path)
        assert config.loss.components["x"].channels == ["R", "G"]

    def test_arguments_stay_the_objects_that_they_are(self):
        argument = (1, {2: 3})
        config = parse_config({**self.BASE, "model": {"target": "a:b", "args": {"x": argument}}})
        assert config.model.args["x"] is argument

    def test_problems_have_no_line(self):
        with pytest.raises(ConfigError) as caught:
            parse_config({**self.BASE, "trial": {"lr": "fast"}})
        assert str(caught.value).startswith("<config>: trial.lr: expected a number, found 'fast'\n")

    def test_keys_that_are_no_text(self):
        with pytest.raises(ConfigError, match=r"<config>: loss.weights: expected text as keys, found the key 3"):
            parse_config({**self.BASE, "loss": {"step": "a:b", "weights": {3: 1.0}}})

    def test_values_that_yaml_does_not_know(self):
        with pytest.raises(ConfigError, match=r"trial.lr: expected a number, found a Python complex"):
            parse_config({**self.BASE, "trial": {"lr": 1j}})


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="needs a file without end")
def test_a_file_without_end_is_refused():
    with pytest.raises(ConfigError, match="at most 1,000,000 bytes"):
        load_config("/dev/zero")


def test_reading_is_light(full):
    """Neither torch nor the rules nor anything else that is slow to import is needed to read a config."""
    heavy = ("torch", "torchvision", "kornia", "numpy", "pandas", "ruamel", "rich", "typer", "lossdoctor.rules")
    code = (
        "import sys; from lossdoctor.config.load import load_config; load_config(sys.argv[1]);"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    full.write_text(FULL.replace("rules: {select: [], ignore: []}\n", ""))
    done = subprocess.run([sys.executable, "-c", code, full], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
