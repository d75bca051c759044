"""A folder with configs to check, and `lossdoctor check` on it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from typer.testing import CliRunner, Result

from lossdoctor.cli import app

SAMPLES = Path(__file__).parents[2] / "sample_data"

HEALTHY = """\
version: 1
model: {target: unet}
data: {target: "project.data:batches"}
loss:
  components:
    features: {term: perceptual, pretrained: random, weight: 1.0}
    pixels: {term: l1, weight: 10.0}
"""

RAW = HEALTHY.replace("pixels: {term: l1, weight: 10.0}", "lab: {term: mse, space: lab, normalize: false, weight: 1.0}")
BROKEN = HEALTHY.replace("term: l1", "term: l3")
FOREIGN = "services:\n  web: {image: nginx}\n"


def write(folder: Path, **files: str) -> Path:
    """Write files, `name__yaml="text"`, below a folder; `a___b` is a folder a with a file b."""
    for name, text in files.items():
        path = folder / name.replace("___", "/").replace("__", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return folder


def copy_samples(folder: Path) -> Path:
    """Copy the sample configs with an empty folder of photographs: a static check looks no further."""
    (folder / "photos").mkdir(parents=True)
    for path in SAMPLES.glob("*/*.yaml"):
        (folder / path.parent.name).mkdir(exist_ok=True)
        shutil.copy(path, folder / path.parent.name)
    (folder / "colorization" / "unet.safetensors").touch()
    return folder


def check(*args: str | Path) -> Result:
    """Run `lossdoctor check` in this process."""
    return CliRunner().invoke(app, ["check", *map(str, args)])


def document(*args: str | Path) -> dict[str, Any]:
    """Return the JSON that a check prints."""
    return json.loads(check(*args, "--quiet", "--format", "json").stdout)


def findings(*args: str | Path) -> list[tuple[str, str, tuple[str, ...]]]:
    """Return (code, severity, components) of every finding of a check."""
    return [
        (finding["code"], finding["severity"], tuple(finding["components"]))
        for report in document(*args)["reports"]
        for finding in report["findings"]
    ]
