"""Checkpoints: every form that people have, whatever does not fit, and files that must be refused."""

from __future__ import annotations

import argparse
import functools
import io
import itertools
import json
import os
import pickle
import tarfile
import warnings
import zipfile
from collections import OrderedDict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file, save_model
from torch import nn

from lossdoctor.errors import CheckpointError
from lossdoctor.facts.checkpoint import CheckpointFacts, KeyMismatch
from lossdoctor.setup.checkpoint import load_checkpoint


class Net(nn.Module):
    def __init__(self, channels: int = 4) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, channels, 3), nn.BatchNorm2d(channels))
        self.decoder = nn.Sequential(nn.Conv2d(channels, 2, 3), nn.ReLU())
        self.head = nn.Linear(2, 3)


#: As torch.optim.Adam saves it.
OPTIMIZER = {
    "state": {0: {"step": torch.tensor(5.0), "exp_avg": torch.ones(3)}},
    "param_groups": [{"params": [0], "lr": 0.1}],
}
KEYS = tuple(Net().state_dict())


def trained(model: nn.Module | None = None, seed: int = 1) -> nn.Module:
    """A model whose every tensor differs from a fresh one's."""
    model = Net() if model is None else model
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for tensor in model.state_dict().values():
            if isinstance(tensor, torch.Tensor):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) * 9 + 1)
    return model


def weights(seed: int = 1) -> dict[str, torch.Tensor]:
    return dict(trained(seed=seed).state_dict())


def copy_of(model: nn.Module) -> dict[str, torch.Tensor]:
    return {key: value.clone() for key, value in model.state_dict().items()}


def assert_same(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for key, value in expected.items():
        torch.testing.assert_close(found[key], value, rtol=0, atol=0)


def assert_loaded(path: Path, source: dict[str, torch.Tensor] | None = None) -> CheckpointFacts:
    """Load into a fresh `Net`: all of `source` must arrive, and nothing may be reported."""
    model = Net()
    facts = load_checkpoint(model, path, strict=True)
    assert_same(model.state_dict(), weights() if source is None else source)
    assert (facts.missing, facts.unexpected, facts.reshaped, dict(facts.near)) == ((), (), (), {})
    assert facts.loaded == len(KEYS)
    assert facts.path == str(path)
    assert facts.strict
    return facts


def prefixed(prefix: str, state: dict[str, torch.Tensor] | None = None) -> dict[str, torch.Tensor]:
    return {prefix + key: value for key, value in (weights() if state is None else state).items()}


torch_legacy = functools.partial(torch.save, _use_new_zipfile_serialization=False)


def repacked(data: object, path: Path) -> None:
    """As `unzip` and `zip` leave it: the tensors are compressed."""
    buffer = io.BytesIO()
    torch.save(data, buffer)
    with zipfile.ZipFile(buffer) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, old.read(name))


SAVERS = {"safetensors": save_file, "torch": torch.save, "legacy": torch_legacy, "repacked": repacked}


@pytest.mark.parametrize("suffix", [".safetensors", ".pt", ".pth", ".bin", ".ckpt", ""])
@pytest.mark.parametrize("saver", SAVERS)
def test_a_state_dict_is_read_whatever_its_suffix_says(tmp_path, saver, suffix):
    path = tmp_path / f"weights{suffix}"
    SAVERS[saver](weights(), path)
    facts = assert_loaded(path)
    assert facts.layout == ("safetensors" if saver == "safetensors" else "state dict")
    assert facts.stripped_prefix == ""
    assert facts.dtypes == ("float32", "int64")


@pytest.mark.parametrize(
    "key",
    [
        "state_dict",
        "model",
        "model_state_dict",
        "ema",
        "model_ema",
        "ema_state_dict",
        "net",
        "generator",
        "weights",
        "module",
        "params",
    ],
)
@pytest.mark.parametrize("save", [torch.save, torch_legacy], ids=["zip", "legacy"])
def test_a_state_dict_is_found_inside_a_dict(tmp_path, key, save):
    extra = {"epoch": 3, "step": torch.tensor(7), "optimizer": OPTIMIZER, "notes": ["a", None]}
    save({**extra, key: weights()}, tmp_path / "run.pt")
    assert assert_loaded(tmp_path / "run.pt").layout == f"{key} of a dict"


def test_a_state_dict_is_found_two_levels_down(tmp_path):
    torch.save({"ema": {"state_dict": weights(), "decay": 0.99}, "epoch": 1}, tmp_path / "run.pt")
    assert assert_loaded(tmp_path / "run.pt").layout == "ema.state_dict of a dict"


def test_entries_of_a_state_dict_that_are_no_tensors_are_ignored(tmp_path):
    torch.save({"epoch": 3, "best": 0.5, 7: torch.ones(1), **weights(), "note": "x"}, tmp_path / "run.pt")
    assert_loaded(tmp_path / "run.pt")


@pytest.mark.parametrize("order", [("model", "ema"), ("ema", "model")])
def test_of_equal_candidates_the_trained_weights_win_over_their_average(tmp_path, order):
    states = {"model": weights(), "ema": weights(seed=2)}
    torch.save({key: states[key] for key in order}, tmp_path / "run.pt")
    assert assert_loaded(tmp_path / "run.pt").layout == "model of a dict that also has ema"


def test_an_average_that_counts_itself_does_not_win_by_its_size(tmp_path):
    average = torch.optim.swa_utils.AveragedModel(trained(seed=2)).state_dict()
    torch.save({"swa_average": average, "net": weights()}, tmp_path / "run.pt")
    assert assert_loaded(tmp_path / "run.pt").layout == "net of a dict that also has swa_average"


def test_of_several_candidates_the_best_match_wins(tmp_path):
    other = {"encoder.0.weight": torch.ones(1), "blocks.weight": torch.ones(9)}
    torch.save({"discriminator": other, "generator": weights(), "state": {}}, tmp_path / "gan.pt")
    assert assert_loaded(tmp_path / "gan.pt").layout == "generator of a dict"


def test_a_candidate_of_the_right_shapes_wins_over_one_of_the_right_names(tmp_path):
    wide = dict(trained(Net(channels=8)).state_dict())
    torch.save({"model": wide, "ema": weights()}, tmp_path / "run.pt")
    assert assert_loaded(tmp_path / "run.pt").layout.startswith("ema of a dict")


def lightning(state: dict[str, torch.Tensor]) -> dict[str, object]:
    return {
        "epoch": 1,
        "global_step": 20,
        "pytorch-lightning_version": "2.4.0",
        "state_dict": OrderedDict(state),
        "loops": {"fit_loop": {"state_dict": {}, "epoch_progress": {"total": {"ready": 2}}}},
        "callbacks": {"ModelCheckpoint{'monitor': 'loss'}": {"best_model_score": torch.tensor(0.5)}},
        "optimizer_states": [OPTIMIZER],
        "lr_schedulers": [],
        "hparams_name": "kwargs",
        "hyper_parameters": {"lr": 0.001, "channels": 4},
    }


@pytest.mark.parametrize("prefix", ["", "model.", "net.", "generator.", "model._orig_mod."])
def test_lightning(tmp_path, prefix):
    torch.save(lightning(prefixed(prefix)), tmp_path / "last.ckpt")
    facts = assert_loaded(tmp_path / "last.ckpt")
    assert facts.layout == "state_dict of a Lightning checkpoint"
    assert facts.stripped_prefix == prefix


def test_other_parts_of_a_lightning_module_are_no_mismatch(tmp_path):
    loss = {f"loss.features.{index}.weight": torch.ones(3) for index in range(40)}
    torch.save(lightning({**prefixed("model."), **loss}), tmp_path / "last.ckpt")
    facts = assert_loaded(tmp_path / "last.ckpt")
    assert facts.layout == "state_dict of a Lightning checkpoint, its part 'model.'"
    assert facts.stripped_prefix == "model."


def test_other_parts_are_reported_where_the_model_lacks_something(tmp_path):
    state = prefixed("model.")
    del state["model.head.bias"]
    torch.save(lightning({**state, "classifier.bias": torch.ones(3)}), tmp_path / "last.ckpt")
    facts = load_checkpoint(Net(), tmp_path / "last.ckpt", strict=True)
    assert facts.missing == ("head.bias",)
    assert facts.unexpected == ("classifier.bias",)


def test_an_average_beside_the_weights_does_not_replace_them(tmp_path):
    torch.save(lightning({**prefixed("model_ema.", weights(seed=2)), **prefixed("model.")}), tmp_path / "a.ckpt")
    assert assert_loaded(tmp_path / "a.ckpt").stripped_prefix == "model."


def shard(folder: Path, *, stem: str = "model", suffix: str = ".safetensors", parts: int = 3) -> Path:
    """Write a sharded checkpoint as transformers does, and return its index."""
    state = weights()
    save = save_file if suffix == ".safetensors" else torch.save
    weight_map = {}
    for part in range(parts):
        name = f"{stem}-{part + 1:05}-of-{parts:05}{suffix}"
        keys = KEYS[part::parts]
        save({key: state[key] for key in keys}, folder / name)
        weight_map |= dict.fromkeys(keys, name)
    index = folder / f"{stem}{suffix}.index.json"
    index.write_text(json.dumps({"metadata": {"total_size": 1}, "weight_map": weight_map}))
    return index


@pytest.mark.parametrize("given", ["index", "folder"])
@pytest.mark.parametrize(
    ("stem", "suffix", "layout"),
    [
        ("model", ".safetensors", "safetensors in 3 shards"),
        ("pytorch_model", ".bin", "state dict in 3 shards"),
        ("diffusion_pytorch_model", ".safetensors", "safetensors in 3 shards"),
    ],
)
def test_shards(tmp_path, stem, suffix, layout, given):
    index = shard(tmp_path, stem=stem, suffix=suffix)
    (tmp_path / "config.json").write_text("{}")
    assert assert_loaded(index if given == "index" else tmp_path).layout == layout


def test_shards_may_be_links_out_of_the_folder_as_in_a_download_cache(tmp_path):
    blobs, snapshot = tmp_path / "blobs", tmp_path / "snapshot"
    blobs.mkdir()
    snapshot.mkdir()
    for number, file in enumerate([shard(blobs), *blobs.glob("*.safetensors")]):
        file.rename(blobs / str(number))
        (snapshot / file.name).symlink_to(blobs / str(number))
    assert_loaded(snapshot)


def test_a_folder_with_one_checkpoint(tmp_path):
    save_file(weights(), tmp_path / "model.safetensors")
    (tmp_path / "optimizer.pt").write_bytes(b"not looked at")
    assert_loaded(tmp_path)


def test_keys_that_the_index_promises_and_the_shard_lacks_are_missing(tmp_path):
    index = shard(tmp_path)
    content = json.loads(index.read_text())
    save_file({"other": torch.ones(1)}, tmp_path / content["weight_map"]["head.bias"])
    lost = [key for key, name in content["weight_map"].items() if name == content["weight_map"]["head.bias"]]
    facts = load_checkpoint(Net(), index, strict=True)
    assert set(facts.missing) == {key for key in lost if not key.endswith("num_batches_tracked")}


PREFIXES = ["module.", "_orig_mod.", "model.", "net."]
COMBINED = [*PREFIXES, *("".join(pair) for pair in itertools.permutations(PREFIXES, 2)), "a.b.c.d."]


@pytest.mark.parametrize("prefix", COMBINED)
def test_prefixes_of_the_checkpoint(tmp_path, prefix):
    save_file(prefixed(prefix), tmp_path / "a.safetensors")
    assert assert_loaded(tmp_path / "a.safetensors").stripped_prefix == prefix


class Wrapper(nn.Module):
    def __init__(self, name: str, inner: nn.Module) -> None:
        super().__init__()
        self.add_module(name, inner)


def wrapped(prefix: str) -> nn.Module:
    model: nn.Module = Net()
    for name in reversed(prefix.split(".")[:-1]):
        model = Wrapper(name, model)
    return model


@pytest.mark.parametrize("prefix", COMBINED)
def test_prefixes_of_the_model(tmp_path, prefix):
    save_file(weights(), tmp_path / "a.safetensors")
    model = wrapped(prefix)
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert_same(model.state_dict(), prefixed(prefix))
    assert (facts.missing, facts.unexpected, facts.stripped_prefix) == ((), (), "")
    assert facts.layout == f"safetensors, with {prefix!r} put before its names"


@pytest.mark.parametrize(("theirs", "ours"), [*itertools.permutations([*PREFIXES, "module.model."], 2)])
def test_different_prefixes_on_both_sides(tmp_path, theirs, ours):
    torch.save(prefixed(theirs), tmp_path / "a.pt")
    model = wrapped(ours)
    facts = load_checkpoint(model, tmp_path / "a.pt", strict=True)
    assert_same(model.state_dict(), prefixed(ours))
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), len(KEYS))


def test_the_same_prefix_on_both_sides_is_left_alone(tmp_path):
    save_file(prefixed("model."), tmp_path / "a.safetensors")
    model = wrapped("model.")
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert_same(model.state_dict(), prefixed("model."))
    assert (facts.stripped_prefix, facts.layout) == ("", "safetensors")


def test_data_parallel_as_torch_saves_it(tmp_path):
    torch.save(nn.DataParallel(trained()).state_dict(), tmp_path / "parallel.pt")
    assert assert_loaded(tmp_path / "parallel.pt").stripped_prefix == "module."


def test_a_part_of_a_bigger_model_is_matched_by_its_shapes(tmp_path):
    wide = dict(trained(Net(channels=8)).state_dict())
    torch.save({**prefixed("a.", wide), **prefixed("b."), **prefixed("c.", wide)}, tmp_path / "a.pt")
    assert assert_loaded(tmp_path / "a.pt").stripped_prefix == "b."


def test_a_backbone_checkpoint_goes_into_the_model_around_it(tmp_path):
    model = Wrapper("backbone", Net())
    model.heads = nn.ModuleList(nn.Linear(3, 1, bias=False) for _ in range(2 * len(KEYS)))
    save_file(weights(), tmp_path / "a.safetensors")
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert_same(model.backbone.state_dict(), weights())
    assert facts.missing == tuple(f"heads.{index}.weight" for index in range(2 * len(KEYS)))
    assert facts.loaded == len(KEYS)


def test_a_prefix_is_stripped_though_something_does_not_fit(tmp_path):
    state = prefixed("module.", dict(trained(Net(channels=8)).state_dict()))
    save_file({**state, "module.extra": torch.ones(1)}, tmp_path / "a.safetensors")
    facts = load_checkpoint(Net(), tmp_path / "a.safetensors", strict=False)
    assert facts.stripped_prefix == "module."
    assert facts.unexpected == ("module.extra",)
    assert {mismatch.key for mismatch in facts.reshaped} > {"encoder.0.weight", "decoder.0.weight"}
    assert facts.missing == ()
    assert not facts.strict


def test_a_thousand_renamed_keys_are_all_listed(tmp_path):
    model = nn.Module()
    model.layers = nn.ParameterList(nn.Parameter(torch.zeros(2)) for _ in range(1000))
    state = {f"backbone.blocks.{index}.w": torch.ones(2) for index in range(1000)}
    optimizer = {key: {"exp_avg": torch.ones(2)} for key in state}
    torch.save({"model": state, "optimizer": optimizer}, tmp_path / "a.pt")
    facts = load_checkpoint(model, tmp_path / "a.pt", strict=True)
    assert facts.missing == tuple(f"layers.{index}" for index in range(1000))
    assert facts.unexpected == tuple(state)
    assert facts.layout == "model of a dict"


def mismatched() -> dict[str, torch.Tensor]:
    state = weights()
    state["head.weight"] = torch.ones(5, 2)
    state["encoder.conv.weight"] = state.pop("encoder.0.weight")
    state["encoder.conv.bias"] = state.pop("encoder.0.bias")
    state["zzz"] = torch.ones(77)
    return state


@pytest.mark.parametrize("strict", [True, False])
def test_mismatches_are_facts_and_what_fits_is_loaded(tmp_path, strict):
    save_file(mismatched(), tmp_path / "a.safetensors")
    model = Net()
    before = copy_of(model)
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=strict)

    by_torch = Net().load_state_dict({k: v for k, v in mismatched().items() if k != "head.weight"}, strict=False)
    assert {*facts.missing, "head.weight"} == set(by_torch.missing_keys)
    assert set(facts.unexpected) == set(by_torch.unexpected_keys)
    assert facts.reshaped == (KeyMismatch("head.weight", expected=(3, 2), found=(5, 2)),)
    assert facts.near == {
        "encoder.0.weight": "encoder.conv.weight",
        "encoder.0.bias": "encoder.conv.bias",
    }
    assert facts.strict is strict
    kept = {"encoder.0.weight", "encoder.0.bias", "head.weight"}
    assert facts.loaded == len(KEYS) - len(kept)
    assert_same(model.state_dict(), {key: before[key] if key in kept else value for key, value in weights().items()})


def test_no_key_in_common(tmp_path):
    save_file({"alpha.w": torch.ones(2), "beta.w": torch.ones(3)}, tmp_path / "a.safetensors")
    model = Net()
    before = copy_of(model)
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert facts.loaded == 0
    assert facts.missing == tuple(key for key in KEYS if not key.endswith("num_batches_tracked"))
    assert set(facts.unexpected) == {"alpha.w", "beta.w"}
    assert_same(model.state_dict(), before)


def test_where_nothing_matches_the_largest_state_dict_is_reported(tmp_path):
    torch.save({"best": torch.ones(1), "net": {"x.u": torch.ones(2), "y.u": torch.ones(2)}}, tmp_path / "a.pt")
    facts = load_checkpoint(Net(), tmp_path / "a.pt", strict=True)
    assert facts.unexpected == ("x.u", "y.u")
    assert facts.layout == "net of a dict"


def test_near_matches_have_the_same_shape_and_keep_the_index(tmp_path):
    model = nn.Module()
    model.layers = nn.ModuleList(nn.Linear(2, 2, bias=False) for _ in range(80))
    state = {f"backbone.blocks.{index}.proj.weight": torch.ones(2, 2) for index in range(80)}
    save_file({**state, "layers.7.weigth": torch.ones(9)}, tmp_path / "a.safetensors")
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert facts.near["layers.7.weight"] == "backbone.blocks.7.proj.weight"
    assert facts.near["layers.31.weight"] == "backbone.blocks.31.proj.weight"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_model_keeps_its_dtype(tmp_path, dtype):
    state = {key: value.to(dtype) if value.is_floating_point() else value for key, value in weights().items()}
    save_file(state, tmp_path / "a.safetensors")
    facts = assert_loaded(
        tmp_path / "a.safetensors", {key: value.to(weights()[key].dtype) for key, value in state.items()}
    )
    assert facts.dtypes == tuple(sorted([str(dtype).removeprefix("torch."), "int64"]))


def test_parameters_stay_the_same_objects(tmp_path):
    save_file(weights(), tmp_path / "a.safetensors")
    model = Net()
    before = list(model.parameters())
    load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert all(old is new and new.requires_grad for old, new in zip(before, model.parameters(), strict=True))


def test_counters_of_batch_norm_may_be_missing(tmp_path):
    state = {key: value for key, value in weights().items() if not key.endswith("num_batches_tracked")}
    for name, save in {"a.safetensors": save_file, "a.pt": torch.save}.items():
        save(state, tmp_path / name)
        facts = load_checkpoint(Net(), tmp_path / name, strict=True)
        assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), len(KEYS) - 1)


def test_counters_of_batch_norm_may_be_superfluous(tmp_path):
    """Norms of other libraries do without."""
    model = nn.Module()
    model.norm = nn.InstanceNorm2d(4, affine=True)
    save_file({**prefixed("norm.", copy_of(model.norm)), "norm.num_batches_tracked": torch.tensor(3)}, tmp_path / "a")
    facts = load_checkpoint(model, tmp_path / "a", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 2)


def test_averaged_models_and_plain_ones_fit_each_other(tmp_path):
    averaged = torch.optim.swa_utils.AveragedModel(trained())
    torch.save(averaged.state_dict(), tmp_path / "averaged.pt")
    assert assert_loaded(tmp_path / "averaged.pt").stripped_prefix == "module."

    model = torch.optim.swa_utils.AveragedModel(Net())
    torch.save(weights(), tmp_path / "plain.pt")
    facts = load_checkpoint(model, tmp_path / "plain.pt", strict=True)
    assert (facts.missing, facts.unexpected) == ((), ())
    assert_same(model.module.state_dict(), weights())


class Tied(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(6, 4)
        self.head = nn.Linear(4, 6, bias=False)
        self.head.weight = self.embedding.weight


@pytest.mark.parametrize("kept", ["embedding.weight", "head.weight"])
def test_tied_weights_are_listed_once_by_safetensors(tmp_path, kept):
    save_file({kept: torch.full((6, 4), 7.0)}, tmp_path / "a.safetensors")
    model = Tied()
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 1)
    assert model.head.weight is model.embedding.weight
    assert (model.head.weight == 7).all()


def test_tied_weights_as_safetensors_and_torch_write_them(tmp_path):
    save_model(trained(Tied()), tmp_path / "a.safetensors")
    torch.save(trained(Tied()).state_dict(), tmp_path / "a.pt")
    for name in ("a.safetensors", "a.pt"):
        model = Tied()
        facts = load_checkpoint(model, tmp_path / name, strict=True)
        assert (facts.missing, facts.unexpected) == ((), ())
        assert_same(model.state_dict(), trained(Tied()).state_dict())


def test_a_tied_weight_that_is_not_there_at_all_is_missing(tmp_path):
    save_file({"other": torch.ones(6, 4)}, tmp_path / "a.safetensors")
    facts = load_checkpoint(Tied(), tmp_path / "a.safetensors", strict=True)
    assert facts.missing == ("embedding.weight", "head.weight")


class WithExtraState(nn.Linear):
    scale = 1.0

    def get_extra_state(self):
        return {"scale": self.scale}

    def set_extra_state(self, state):
        self.scale = state["scale"]


def test_extra_state_is_restored_and_may_be_missing(tmp_path):
    source = trained(WithExtraState(2, 3))
    source.scale = 5.0
    torch.save({"net": {f"module.{key}": value for key, value in source.state_dict().items()}}, tmp_path / "a.pt")
    model = WithExtraState(2, 3)
    facts = load_checkpoint(model, tmp_path / "a.pt", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 2)
    assert model.scale == 5.0

    save_file(
        {key: value for key, value in source.state_dict().items() if key != "_extra_state"}, tmp_path / "a.safetensors"
    )
    assert load_checkpoint(WithExtraState(2, 3), tmp_path / "a.safetensors", strict=True).missing == ()
    assert load_checkpoint(nn.Linear(2, 3), tmp_path / "a.pt", strict=True).unexpected == ()


def test_a_buffer_that_is_no_longer_saved_is_ignored(tmp_path):
    model = Net()
    model.register_buffer("grid", torch.zeros(5), persistent=False)
    save_file({**weights(), "grid": torch.ones(5)}, tmp_path / "a.safetensors")
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), len(KEYS))
    assert (model.grid == 0).all()


def test_lazy_parameters_take_the_shape_of_the_checkpoint(tmp_path):
    source = trained(nn.Sequential(nn.Linear(5, 3), nn.Linear(3, 2)))
    save_file(prefixed("module.", source.state_dict()), tmp_path / "a.safetensors")
    model = nn.Sequential(nn.LazyLinear(3), nn.LazyLinear(2))
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 4)
    x = torch.rand(2, 5)
    torch.testing.assert_close(model(x), source(x))


def test_lazy_parameters_that_are_missing(tmp_path):
    save_file({"1.weight": torch.ones(2, 3), "1.bias": torch.ones(2)}, tmp_path / "a.safetensors")
    facts = load_checkpoint(nn.Sequential(nn.LazyLinear(3), nn.Linear(3, 2)), tmp_path / "a.safetensors", strict=True)
    assert facts.missing == ("0.weight", "0.bias")


def test_hooks_that_rename_old_keys_are_honoured(tmp_path):
    """torch's own weight norm renames `weight_g` and `weight_v` while it loads."""
    conv = nn.Conv2d(1, 2, 3)
    state = {"0.weight_g": torch.full((2, 1, 1, 1), 2.0), "0.weight_v": torch.rand(2, 1, 3, 3), "0.bias": torch.ones(2)}
    save_file(state, tmp_path / "a.safetensors")
    model = nn.Sequential(nn.utils.parametrizations.weight_norm(conv))
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 3)
    assert (model[0].parametrizations.weight.original0 == 2).all()


class Resizing(nn.Module):
    """Takes a position embedding of any length, as vision transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.position = nn.Parameter(torch.zeros(4))

    def _load_from_state_dict(self, state_dict, prefix, *args):
        state_dict[prefix + "position"] = state_dict[prefix + "position"][:4]
        super()._load_from_state_dict(state_dict, prefix, *args)


def test_modules_that_resize_tensors_are_honoured(tmp_path):
    save_file({"position": torch.arange(9.0)}, tmp_path / "a.safetensors")
    model = Resizing()
    facts = load_checkpoint(model, tmp_path / "a.safetensors", strict=True)
    assert (facts.reshaped, facts.loaded) == ((), 1)
    assert model.position.tolist() == [0, 1, 2, 3]


class WithoutEncoder(Net):
    """Keeps its encoder out of its checkpoints, as people do with frozen networks."""

    def state_dict(self, *args, **kwargs):
        return {key: value for key, value in super().state_dict(*args, **kwargs).items() if "encoder" not in key}


class ReturnsNothing(Net):
    def load_state_dict(self, state_dict, strict=True):
        super().load_state_dict(state_dict, strict=False)


def test_what_a_model_leaves_out_of_its_state_dict_is_not_missing(tmp_path):
    torch.save(trained(WithoutEncoder()).state_dict(), tmp_path / "a.pt")
    facts = load_checkpoint(WithoutEncoder(), tmp_path / "a.pt", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == ((), (), 4)


def test_an_override_of_load_state_dict_may_return_nothing(tmp_path):
    state = {key: value for key, value in weights().items() if not key.endswith(("num_batches_tracked", "head.bias"))}
    torch.save({**state, "extra": torch.ones(1)}, tmp_path / "a.pt")
    facts = load_checkpoint(ReturnsNothing(), tmp_path / "a.pt", strict=True)
    assert (facts.missing, facts.unexpected, facts.loaded) == (("head.bias",), ("extra",), len(state))


class Touchy(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_load_state_dict_post_hook(refuse)


def refuse(model, incompatible):
    raise KeyError("version")


class Expanded(Net):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("grid", torch.zeros(1).expand(7))


@pytest.mark.parametrize(
    ("model", "extra", "reason"),
    [
        (Touchy, {}, "KeyError: 'version'"),
        (Expanded, {"grid": torch.ones(7)}, "grid"),
        (Net, {"head.bias": torch.ones(3, device="meta")}, "head.bias"),
        (Net, {"head.weight": torch.ones(5, 5), "head.bias": torch.ones(3, device="meta")}, "head.bias"),
        (Net, {"head.bias": torch.ones(3).to_sparse()}, "head.bias"),
    ],
    ids=["hook", "expanded", "meta", "meta-and-reshaped", "sparse"],
)
def test_a_failure_half_way_leaves_the_model_as_it_was(tmp_path, model, extra, reason):
    torch.save({**weights(), **extra}, tmp_path / "a.pt")
    model = model()
    before = copy_of(model)
    with pytest.raises(CheckpointError, match=reason) as caught:
        load_checkpoint(model, tmp_path / "a.pt", strict=True)
    assert_same(model.state_dict(), before)
    assert caught.value.advice


def test_a_model_without_storage_is_refused(tmp_path):
    save_file(weights(), tmp_path / "a.safetensors")
    with torch.device("meta"):
        model = Net()
    with pytest.raises(CheckpointError, match="meta device"):
        load_checkpoint(model, tmp_path / "a.safetensors", strict=True)


class Malicious:
    """Unpickling it creates a file."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


class System(Malicious):
    def __reduce__(self):
        return os.system, (f"touch '{self.marker}'",)


def as_tar(data: object, path: Path) -> None:
    """The format of torch.save before 0.2: freely unpickled by `torch.load(weights_only=True)` before 2.6."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in {
            "storages": pickle.dumps(0, 2),
            "tensors": pickle.dumps(0, 2),
            "pickle": pickle.dumps(data, 2),
        }.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))


def as_pickle(data: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(data))


def as_pickle_2(data: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(data, 2))


def as_shard(data: object, path: Path) -> None:
    torch.save(data, path.parent / "pytorch_model-00001-of-00001.bin")
    path.write_text(json.dumps({"weight_map": dict.fromkeys(KEYS, "pytorch_model-00001-of-00001.bin")}))


UNSAFE_SAVERS = {
    "zip": torch.save,
    "legacy": torch_legacy,
    "repacked": repacked,
    "tar": as_tar,
    "pickle": as_pickle,
    "pickle2": as_pickle_2,
    "shard": as_shard,
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors", ".index.json"])
@pytest.mark.parametrize("attack", [Malicious, System])
@pytest.mark.parametrize("saver", UNSAFE_SAVERS)
def test_a_malicious_pickle_is_refused_and_not_run(tmp_path, saver, attack, suffix):
    marker = tmp_path / "marker"
    path = tmp_path / f"evil{suffix}"
    UNSAFE_SAVERS[saver]({**weights(), "state_dict": weights(), "extra": attack(marker)}, path)
    model = Net()
    before = copy_of(model)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(model, path, strict=True)
    assert not marker.exists()
    assert_same(model.state_dict(), before)
    assert "unpickl" in str(caught.value)


@pytest.mark.parametrize("attack", [Malicious, System])
def test_the_attack_would_have_worked(tmp_path, attack):
    """Without this the test above could pass for the wrong reason."""
    marker = tmp_path / "marker"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        opened = pickle.loads(pickle.dumps(attack(marker)))
        getattr(opened, "close", int)()
    assert marker.exists()


@pytest.mark.parametrize("save", [torch.save, torch_legacy], ids=["zip", "legacy"])
@pytest.mark.parametrize(
    ("data", "blamed"),
    [
        ({"args": argparse.Namespace(lr=1)}, "argparse.Namespace"),
        (nn.Linear(2, 2), "torch.nn.modules.linear.Linear"),
        ({"path": Path("a")}, "pathlib"),
        ({"run": print}, "print"),
    ],
    ids=["namespace", "module", "path", "builtin"],
)
def test_a_refusal_names_the_object_and_the_way_out(tmp_path, save, data, blamed):
    save(data, tmp_path / "run.pt")
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(Net(), tmp_path / "run.pt", strict=True)
    assert blamed in caught.value.message
    assert "run.pt" in caught.value.message
    for phrase in ("never unpickles", "save_file", "'run-tensors.safetensors'", "weights_only=False"):
        assert phrase in caught.value.advice


def test_a_plain_pickle_is_named(tmp_path):
    as_pickle({**weights(), "state": OrderedDict(weights()), "args": argparse.Namespace()}, tmp_path / "run.pkl")
    with pytest.raises(CheckpointError, match=r"a pickle of the Python object `argparse\.Namespace`") as caught:
        load_checkpoint(Net(), tmp_path / "run.pkl", strict=True)
    assert "pickle.load" in caught.value.advice


@pytest.mark.parametrize("save", [torch.save, torch_legacy], ids=["zip", "legacy"])
def test_a_newer_pickle_protocol_is_refused_in_plain_words(tmp_path, save):
    save(weights(), tmp_path / "run.pt", pickle_protocol=4)
    with pytest.raises(CheckpointError, match="without unpickling") as caught:
        load_checkpoint(Net(), tmp_path / "run.pt", strict=True)
    assert "Weights only load failed" not in caught.value.message
    assert "save_file" in caught.value.advice


def test_the_way_out_works(tmp_path, monkeypatch):
    """The snippet of a refusal is run as it stands, and what it saves is loaded."""
    monkeypatch.chdir(tmp_path)
    cases = {
        "module.pt": lambda path: torch.save(trained(), path),
        "plain.pkl": lambda path: as_pickle(trained(), path),
        "run.pt": lambda path: torch.save({"state_dict": weights(), "args": argparse.Namespace()}, path),
        "protocol.pt": lambda path: torch.save(weights(), path, pickle_protocol=4),
    }
    for name, save in cases.items():
        save(Path(name))
        with pytest.raises(CheckpointError) as caught:
            load_checkpoint(Net(), Path(name), strict=True)
        snippet = "\n".join(line[4:] for line in caught.value.advice.splitlines() if line.startswith("    "))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            exec(snippet, {})
        assert_loaded(Path(f"{Path(name).stem}-tensors.safetensors"))


def test_torchscript_is_refused(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.jit.save(torch.jit.trace(nn.Linear(2, 2), torch.ones(1, 2)), str(tmp_path / "a.pt"))
    with pytest.raises(CheckpointError, match="TorchScript") as caught:
        load_checkpoint(nn.Linear(2, 2), tmp_path / "a.pt", strict=True)
    assert "torch.jit.load" in caught.value.advice


def bytes_of(save, data: object) -> bytes:
    buffer = io.BytesIO()
    save(data, buffer)
    return buffer.getvalue()


def zipped(**entries: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in entries.items():
            archive.writestr(name, content)
    return buffer.getvalue()


ZIP = bytes_of(torch.save, weights())
LEGACY = bytes_of(torch_legacy, weights())
BAD_FILES = {
    "empty": (b"", "is empty"),
    "zeros": (bytes(5000), "nothing but zeros"),
    "web-page": (b"\n<!DOCTYPE html><html>404</html>", "a web page"),
    "xml": (b"<?xml version='1.0'?><Error>AccessDenied</Error>", "a web page"),
    "lfs": (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "Git LFS pointer"),
    "gzip": (b"\x1f\x8b\x08" + bytes(40), "gzip"),
    "keras": (b"\x89HDF\r\n\x1a\n" + bytes(40), "HDF5"),
    "gguf": (b"GGUF\x03" + bytes(40), "GGUF"),
    "numpy": (b"\x93NUMPY\x01" + bytes(40), "NumPy"),
    "text": (b"model: unet\n", "is no checkpoint"),
    "binary": (bytes(range(1, 200)), "is no checkpoint"),
    "one-byte": (b"\x01", "is no checkpoint"),
    "zip-truncated": (ZIP[: len(ZIP) // 2], "truncated or damaged"),
    "zip-end-lost": (ZIP[:-30], "truncated or damaged"),
    "zip-no-tensors": (zipped(**{"a/data.pkl": b"\x80\x02}q\x00X\x01\x00\x00\x00"}), "truncated or damaged"),
    "zip-of-something": (zipped(**{"notes/a.txt": b"x"}), "no data.pkl"),
    "zip-empty": (b"PK\x03\x04", "truncated or damaged"),
    "legacy-truncated": (LEGACY[:-50], "truncated or damaged"),
    "legacy-start-only": (LEGACY[:60], "truncated or damaged"),
    "pickle-cut": (b"\x80\x04\x95\x00", "plain pickle"),
    "no-state-dict": (bytes_of(torch.save, {"epoch": 1, "lr": 0.1}), "found a dict with the keys epoch, lr"),
    "empty-dict": (bytes_of(torch.save, {}), "nothing in it"),
    "empty-state-dict": (bytes_of(torch.save, {"state_dict": {}}), "found a dict with the keys state_dict"),
    "a-list": (bytes_of(torch.save, [torch.ones(1)]), "found a list"),
    "a-tensor": (bytes_of(torch.save, torch.ones(1)), "found a Tensor"),
    "optimizer": (bytes_of(torch.save, {"state": {0: {"exp_avg": torch.ones(1)}}, "param_groups": []}), "param_groups"),
    "json-broken": (b'{"weight_map": ', "no valid JSON"),
    "json-deep": (b'{"a":' + b"[" * 100_000, "no valid JSON"),
    "json-latin": (b'{"a": "\xff"}', "no valid JSON"),
    "json-config": (b'{"hidden_size": 8}', "no index of shards"),
    "json-weird-map": (b'{"weight_map": {"a": 1}}', "no index of shards"),
    "json-list-map": (b'{"weight_map": ["a"]}', "no index of shards"),
    "json-empty-map": (b'{"weight_map": {}}', "no index of shards"),
}


@pytest.mark.parametrize("suffix", [".pt", ".safetensors"])
@pytest.mark.parametrize("kind", BAD_FILES)
def test_a_bad_file_gives_one_clear_message(tmp_path, kind, suffix):
    content, expected = BAD_FILES[kind]
    path = tmp_path / f"bad{suffix}"
    path.write_bytes(content)
    model = Net()
    before = copy_of(model)
    with pytest.raises(CheckpointError) as caught:
        load_checkpoint(model, path, strict=True)
    assert expected in caught.value.message
    assert str(path) in caught.value.message
    assert "\n" not in caught.value.message
    assert caught.value.advice
    assert_same(model.state_dict(), before)


def safetensors_bytes(tmp_path: Path) -> bytes:
    save_file(weights(), tmp_path / "good")
    return (tmp_path / "good").read_bytes()


@pytest.mark.parametrize("keep", [9, 40, 0.5, -1])
def test_truncated_safetensors(tmp_path, keep):
    content = safetensors_bytes(tmp_path)
    (tmp_path / "a.safetensors").write_bytes(content[: int(keep * len(content)) if keep == 0.5 else keep])
    with pytest.raises(CheckpointError, match="looks like safetensors, but is truncated or damaged"):
        load_checkpoint(Net(), tmp_path / "a.safetensors", strict=True)


def test_safetensors_with_a_damaged_header(tmp_path):
    content = bytearray(safetensors_bytes(tmp_path))
    content[20:24] = b"\xff\xff\xff\xff"
    (tmp_path / "a.safetensors").write_bytes(content)
    with pytest.raises(CheckpointError, match="truncated or damaged"):
        load_checkpoint(Net(), tmp_path / "a.safetensors", strict=True)


def test_safetensors_without_tensors(tmp_path):
    save_file({}, tmp_path / "a.safetensors")
    with pytest.raises(CheckpointError, match="nothing in it"):
        load_checkpoint(Net(), tmp_path / "a.safetensors", strict=True)


@pytest.mark.parametrize("name", ["../secret.safetensors", "/etc/passwd", "a/../../b.safetensors"])
def test_an_index_may_not_lead_out_of_its_folder(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    save_file(weights(), tmp_path / "secret.safetensors")
    index = folder / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": dict.fromkeys(KEYS, name)}))
    with pytest.raises(CheckpointError, match="outside its folder"):
        load_checkpoint(Net(), index, strict=True)


def test_a_missing_shard_is_named(tmp_path):
    index = shard(tmp_path)
    (tmp_path / "model-00002-of-00003.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"'model-00002-of-00003\.safetensors', which is not there"):
        load_checkpoint(Net(), index, strict=True)


def test_a_damaged_shard_is_named(tmp_path):
    index = shard(tmp_path)
    broken = tmp_path / "model-00002-of-00003.safetensors"
    broken.write_bytes(broken.read_bytes()[:-5])
    model = Net()
    before = copy_of(model)
    with pytest.raises(CheckpointError, match=r"model-00002-of-00003.safetensors looks like safetensors, but"):
        load_checkpoint(model, index, strict=True)
    assert_same(model.state_dict(), before)


@pytest.mark.parametrize("content", [[torch.ones(1)], "index"], ids=["list", "index"])
def test_a_shard_must_hold_tensors_by_name(tmp_path, content):
    index = tmp_path / "model.index.json"
    name = index.name if content == "index" else "a.bin"
    torch.save(content, tmp_path / "a.bin")
    index.write_text(json.dumps({"weight_map": {"a": name}}))
    with pytest.raises(CheckpointError, match="no shard"):
        load_checkpoint(Net(), index, strict=True)


def test_a_folder_without_a_checkpoint(tmp_path):
    (tmp_path / "README.md").write_text("x")
    with pytest.raises(CheckpointError, match="a folder without a checkpoint"):
        load_checkpoint(Net(), tmp_path, strict=True)


def test_a_folder_with_several_checkpoints(tmp_path):
    for name in ("a", "b"):
        save_file(weights(), tmp_path / f"{name}.safetensors")
    with pytest.raises(CheckpointError, match=r"2 files .*a\.safetensors, b\.safetensors"):
        load_checkpoint(Net(), tmp_path, strict=True)


def test_a_distributed_checkpoint(tmp_path):
    (tmp_path / ".metadata").write_bytes(b"x")
    (tmp_path / "__0_0.distcp").write_bytes(b"x")
    with pytest.raises(CheckpointError, match="distributed checkpoint") as caught:
        load_checkpoint(Net(), tmp_path, strict=True)
    assert "dcp_to_torch" in caught.value.advice


def test_a_file_that_does_not_exist(tmp_path):
    save_file(weights(), tmp_path / "unet.safetensors")
    with pytest.raises(CheckpointError, match="there is no checkpoint") as caught:
        load_checkpoint(Net(), tmp_path / "unet.safetensor", strict=True)
    assert "unet.safetensors" in caught.value.advice
    with pytest.raises(CheckpointError, match="there is no checkpoint") as caught:
        load_checkpoint(Net(), tmp_path / "nowhere" / "a.pt", strict=True)
    assert "model.checkpoint" in caught.value.advice


@pytest.mark.parametrize("name", ["x" * 300 + ".pt", "a\0b.pt"])
def test_an_impossible_name(tmp_path, name):
    with pytest.raises(CheckpointError):
        load_checkpoint(Net(), tmp_path / name, strict=True)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(CheckpointError, match="no regular file"):
        load_checkpoint(Net(), tmp_path / "pipe", strict=True)


def test_a_file_that_may_not_be_read(tmp_path, monkeypatch):
    """Permissions do not bind the superuser, so the refusal is made here."""
    save_file(weights(), tmp_path / "a.safetensors")

    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(CheckpointError, match=r"a\.safetensors cannot be read: Permission denied"):
        load_checkpoint(Net(), tmp_path / "a.safetensors", strict=True)
