"""The first config: it loads, what its comments offer works too, and its module runs."""

from __future__ import annotations

import importlib.util
import itertools
import re

import pytest

from lossdoctor.config.load import load_config
from lossdoctor.config.starter import MODULE, starter_config, write_starter
from lossdoctor.config.yaml_reader import read_yaml
from lossdoctor.errors import ConfigError, LossDoctorError

KINDS = ("images", "code")
OFFERS = [
    (kind, number)
    for kind in KINDS
    for number, line in enumerate(starter_config(kind).splitlines())
    if re.match(r" *# [a-zA-Z0-9]+: [^#]*[\w}\]\")](  |$)", line)
]


@pytest.mark.parametrize("kind", KINDS)
def test_it_loads(tmp_path, kind):
    (tmp_path / "photos").mkdir()
    path, *others = write_starter(tmp_path / "lossdoctor.yaml", kind)
    assert others == ([tmp_path / MODULE] if kind == "code" else [])
    load_config(path)


@pytest.mark.parametrize("kind", KINDS)
def test_only_the_folder_of_photos_is_missing(tmp_path, kind):
    (path, *_) = write_starter(tmp_path / "new" / "lossdoctor.yaml", kind)
    if kind == "images":
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        assert [problem.key for problem in caught.value.problems] == ["data.images"]


def test_it_can_be_read_at_a_glance():
    for kind in KINDS:
        lines = starter_config(kind).splitlines()
        assert len(lines) <= 70
        assert max(map(len, lines)) <= 110


def test_there_are_offers():
    assert len(OFFERS) >= 15


@pytest.mark.parametrize(("kind", "number"), OFFERS)
def test_what_is_commented_out_is_known(tmp_path, kind, number):
    lines = starter_config(kind).splitlines()
    lines[number] = lines[number].replace("# ", "", 1)
    key = lines[number].split(":")[0].strip()
    # An alternative replaces what it is an alternative to.
    removed = {"data": r"data:|  (images|task|size|batch_size):", "function": "  step:", "weights": "  weights:"}.get(
        key
    )
    kept = [line for i, line in enumerate(lines) if i == number or not (removed and re.match(removed, line))]
    path = tmp_path / "lossdoctor.yaml"
    path.write_text("\n".join(kept))
    for file in ("photos", "unet.safetensors", "model.pt"):
        (tmp_path / file).mkdir() if file == "photos" else (tmp_path / file).touch()
    load_config(path)
    assert key in str(read_yaml("\n".join(kept), "f").value)


def test_existing_files_stay(tmp_path):
    module = tmp_path / MODULE
    module.write_text("mine = 1\n")
    with pytest.raises(LossDoctorError, match=MODULE):
        write_starter(tmp_path / "lossdoctor.yaml", "code")
    assert module.read_text() == "mine = 1\n"
    assert not (tmp_path / "lossdoctor.yaml").exists()
    write_starter(tmp_path / "lossdoctor.yaml", "code", overwrite=True)
    assert "def losses" in module.read_text()


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(LossDoctorError, match="cannot be written"):
        write_starter(tmp_path / "file" / "lossdoctor.yaml")


def test_unknown_kind():
    with pytest.raises(LossDoctorError, match=r"images or code, found 'image'\n.*did you mean `images`\?"):
        starter_config("image")


def test_the_module_runs(tmp_path):
    """The loss of the starter falls when it is trained as the config weights it."""
    import torch

    path, module_path = write_starter(tmp_path / "lossdoctor.yaml", "code")
    config = load_config(path)
    spec = importlib.util.spec_from_file_location("my_setup", module_path)
    my_setup = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(my_setup)
    assert config.loss.step == "my_setup:losses"

    torch.manual_seed(0)
    model = my_setup.model(**config.model.args)
    optimizer = torch.optim.Adam(model.parameters(), 0.01)
    values = []
    for batch in itertools.islice(my_setup.batches(**config.data.args), 100):
        losses = my_setup.losses(model, batch)
        assert losses.keys() == config.loss.weights.keys()
        assert all(loss.shape == () and loss.requires_grad for loss in losses.values())
        total = sum(config.loss.weights[name] * loss for name, loss in losses.items())
        optimizer.zero_grad()
        total.backward()
        optimizer.step()
        values.append(total.item())
    assert sum(values[-10:]) < 0.3 * sum(values[:10])
