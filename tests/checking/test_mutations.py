"""200 edits of configs that change the balance, and as many that do not: what a check with a baseline says to each.

An edit is caught where a finding, or a problem of the config, names the component that was changed and the quantity.
"""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from lossdoctor.checking.baseline_file import Baseline, BaselineFile
from lossdoctor.checking.run import Options, check
from lossdoctor.records import Report

from .project import SAMPLES, copy_samples

#: Setups as people write them, beside the samples.
FURTHER = {
    "restoration": "pixels: {term: charbonnier, weight: 1.0}, edges: {term: gradient, weight: 0.05}",
    "style": "content: {term: perceptual, pretrained: random, weight: 1.0}, smooth: {term: tv, weight: 1.0e-4}, rgb: {term: l1, weight: 5.0}",
    "luma": "luma: {term: ms_ssim, space: ycbcr, channels: [Y], weight: 0.84}, chroma: {term: l1, space: ycbcr, channels: [Cb, Cr], weight: 0.16}",
    "hue": "colour: {term: l1, space: luv, channels: [u, v], weight: 2.0}, light: {term: smooth_l1, space: luv, channels: [L], beta: 0.1, weight: 2.0}",
    "yuv": "y: {term: ssim, space: yuv, channels: [Y], weight: 1.0}, uv: {term: l1, space: yuv, channels: [U, V], weight: 4.0}",
    "xyz": "light: {term: l1, space: xyz, weight: 1.0}, structure: {term: ssim, space: gray, weight: 1.0}",
}
HEAD = "version: 1\nmodel: {target: unet}\ndata: {images: photos, size: 64, batch_size: 8}\nloss:\n  components:\n"
USER_CODE = "version: 1\nmodel: {target: 'm:net'}\ndata: {target: 'm:data'}\nloss:\n  step: m:losses\n  weights: {fit: 1.0, kl: 0.01, adv: 0.1}\n"
COUNT = 200


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    folder = copy_samples(tmp_path_factory.mktemp("mutations"))
    for name, components in FURTHER.items():
        lines = re.sub(r"}, (?=\w+: {)", "}\n", components).splitlines()
        (folder / f"{name}.yaml").write_text(HEAD + "".join(f"    {line}\n" for line in lines))
    (folder / "user.yaml").write_text(USER_CODE)
    healthy = Path(__file__).parents[1] / "healthy"
    for path in healthy.glob("*.yaml"):
        if "weights" in path.read_text():
            (folder / path.name).write_text(path.read_text())
    return folder


@pytest.fixture(scope="module")
def baseline(folder) -> BaselineFile:
    checked = check([str(folder)], Options())
    assert not [report.failures for report in checked.reports if report.failures]
    return BaselineFile(folder / "base.json", Baseline()).updated(list(zip(checked.configs, checked.reports)))


Edit = tuple[dict[str, Any], str, str]  # the config, the component that was changed, the quantity


def components_of(config):
    loss = config["loss"]
    return loss["components"] if "components" in loss else {name: {"weight": w} for name, w in loss["weights"].items()}


def heavier(config, name, draw) -> Edit | None:
    weights = config["loss"]["components"][name] if "components" in config["loss"] else config["loss"]["weights"]
    key = "weight" if "components" in config["loss"] else name
    if not isinstance(weights.get(key), (int, float)):
        return None
    weights[key] *= draw.choice((1000.0, 0.001))
    return config, name, "weight"


def unnormalized(config, name, draw) -> Edit | None:
    component = config["loss"].get("components", {}).get(name, {})
    if component.get("space", "rgb") in ("rgb", "gray", "ycbcr") or component["term"] in ("ssim", "ms_ssim"):
        return None  # raw units are those of normalized channels, or SSIM adapts to them
    component["normalize"] = not component.get("normalize", True)
    return config, name, "normalize"


def summed(config, name, draw) -> Edit | None:
    if "components" not in config["loss"]:
        return None
    config["loss"]["components"][name]["reduction"] = "sum"
    return config, name, "reduction"


def misspelt(config, name, draw) -> Edit | None:
    if "components" not in config["loss"]:
        if config["loss"]["weights"][name] == 1.0:
            return None  # which it has without a weight as well
        config["loss"]["weights"][name + "x"] = config["loss"]["weights"].pop(name)
        return config, name, "weight"
    component = config["loss"]["components"][name]
    key = draw.choice(sorted(component))
    wrong = key[:-2] + key[-1] + key[-2]
    component[wrong if wrong != key else key + "s"] = component.pop(key)
    return config, name, key


def removed(config, name, draw) -> Edit | None:
    table = config["loss"].get("components") or config["loss"]["weights"]
    if len(table) < 2 or table[name] == 1.0:
        return None
    del table[name]
    # The user's code still returns it, with weight 1.0.
    return config, name, "component" if "components" in config["loss"] else "weight"


MUTATIONS: tuple[Callable[..., Edit | None], ...] = (heavier, unnormalized, summed, misspelt, removed)


def edits(folder: Path) -> Iterator[tuple[Path, str, Edit]]:
    draw = random.Random(0)
    paths = sorted(folder.rglob("*.yaml"))
    while True:
        path, mutate = draw.choice(paths), draw.choice(MUTATIONS)
        config = yaml.safe_load(path.read_text())
        name = draw.choice(sorted(components_of(config)))
        if (edit := mutate(config, name, draw)) is not None:
            yield path, mutate.__name__, edit


def test_edits_that_change_the_balance_are_caught_by_name(folder, baseline):
    missed = []
    for (path, mutation, (config, component, quantity)), _ in zip(edits(folder), range(COUNT)):
        report = checked(path, yaml.safe_dump(config, sort_keys=False), baseline)
        grave = mutation == "heavier" or (quantity in ("reduction", "component") and mutation != "misspelt")
        levels = ("error",) if grave else ("error", "warning", "note")
        if not (names_finding(report, component, quantity, levels) or names_failure(report, component, quantity)):
            missed.append((path.name, mutation, component, quantity))
    assert not missed  # 95 % would do


def names_finding(report: Report, component: str, quantity: str, levels: tuple[str, ...]) -> bool:
    return any(
        component in (*finding.components, *(f"{finding.objective}.{name}" for name in finding.components))
        # What hardly changes the balance, such as raw units that are almost the scaled ones, is a note.
        and finding.severity.value in levels
        and (quantity in finding.evidence or quantity in (finding.fix or {}) or quantity in finding.evidence.values())
        for finding in report.findings
    )


def names_failure(report: Report, component: str, quantity: str) -> bool:
    return any(
        component in failure.key and quantity in f"{failure.key} {failure.message} {failure.advice}"
        for failure in report.failures
    )


def checked(path: Path, text: str, baseline: BaselineFile) -> Report:
    original = path.read_bytes()
    try:
        path.write_text(text)
        (report,) = check([str(path)], Options(baseline=baseline)).reports
    finally:
        path.write_bytes(original)
    return report


def reordered(text):
    config = yaml.safe_load(text)
    return yaml.safe_dump(backwards(config), sort_keys=False)


def backwards(value):
    return {key: backwards(value[key]) for key in reversed(value)} if isinstance(value, dict) else value


#: Edits that say the same in other words.
HARMLESS = {
    "nothing": lambda text: text,
    "no comments": lambda text: yaml.safe_dump(yaml.safe_load(text), sort_keys=False),
    "more comments": lambda text: "# first\n" + re.sub(r"(?m)$", "  # more", text),
    "another order": reordered,
    "sorted": lambda text: yaml.safe_dump(yaml.safe_load(text)),
    "flow": lambda text: yaml.safe_dump(yaml.safe_load(text), default_flow_style=True, width=70),
    "block": lambda text: yaml.safe_dump(yaml.safe_load(text), default_flow_style=False),
    "indented": lambda text: yaml.safe_dump(yaml.safe_load(text), indent=6, sort_keys=False),
    "quoted": lambda text: yaml.safe_dump(
        yaml.safe_load(text), default_style=None, canonical=False, explicit_start=True
    ),
    "windows": lambda text: text.replace("\n", "\r\n"),
    "defaults": lambda text: text.replace("term: l1,", "term: l1, reduction: mean, "),
}


@pytest.mark.parametrize("edit", HARMLESS.values(), ids=HARMLESS)
def test_edits_that_say_the_same_stay_silent(edit, folder, baseline):
    for path in sorted(folder.rglob("*.yaml")):
        report = checked(path, edit(path.read_text()), baseline)
        assert (report.findings, report.failures) == ((), ()), path


def test_the_samples_are_among_them(folder):
    assert {path.name for path in SAMPLES.glob("*/*.yaml")} <= {path.name for path in folder.rglob("*.yaml")}
