"""Variants of the zoo as the files that people keep them in: a YAML config by hand, beside the user's code."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from lossdoctor.config.yaml_reader import read_yaml

from .cases import Case


@dataclass(frozen=True)
class Hand:
    """The habits of somebody who writes configs."""

    indent: int = 2
    depth: int = 9  #: from which on mappings stand in braces on one line
    newline: str = "\n"
    anchors: bool = False  #: a number that was written once is referred to
    start: str = ""
    end: str = "\n"


HANDS = {
    "blocks": Hand(indent=3),
    "braces": Hand(depth=1, end="   # the end"),
    "windows": Hand(indent=4, newline="\r\n", start="\ufeff"),
    "anchors": Hand(indent=1, depth=3, anchors=True, end=""),
}


def write_setup(case: Case, variant: str, hand: Hand, folder: Path) -> Path:
    """Write a variant as a config, and a copy of the user's code, into a folder; return the path of the config."""
    shutil.copytree(case.folder, folder, ignore=lambda _, names: [n for n in names if not n.endswith(".py")])
    config = case.variants[variant]
    values = read_yaml((case.folder / config).read_text(), config).value if isinstance(config, str) else config
    if "images" in values["data"]:
        images = (case.folder / values["data"]["images"]).resolve()
        values = {**values, "data": {**values["data"], "images": str(images)}}
    path = folder / "config.yaml"
    path.write_bytes(text_by(hand, values).encode())
    return path


def text_by(hand: Hand, values: Mapping[str, Any]) -> str:
    """Return a config as YAML with comments, blank lines and indentation of one's own."""
    lines = ["# What is trained here, and on what.", "", *_lines(values, hand, {})]
    return hand.start + hand.newline.join(lines) + hand.end.replace("\n", hand.newline)


def _lines(values: Mapping[str, Any], hand: Hand, anchors: dict[float, str], depth: int = 0) -> Iterator[str]:
    pad = " " * hand.indent * depth
    for key, value in values.items():
        if isinstance(value, Mapping) and value and depth < hand.depth:
            yield f"{pad}{_plain(key)}:   # about {key}: see [the notes]"
            yield from _lines(value, hand, anchors, depth + 1)
            yield from [""] * (depth < 2)
        else:
            shared = hand.anchors and isinstance(value, float)
            text = _shared(value, anchors) if shared else _flow(value)
            yield f"{pad}{_plain(key)}:  {text}  # {key}, as agreed"


def _shared(value: float, anchors: dict[float, str]) -> str:
    if value in anchors:
        return f"*{anchors[value]}"
    anchors[value] = f"number{len(anchors)}"
    return f"&{anchors[value]} {value}"


def _plain(key: str) -> str:
    return key if key.isidentifier() else json.dumps(key, ensure_ascii=False)


def _flow(value: Any) -> str:
    """Return a value in JSON, with the spaces of a person."""
    if isinstance(value, Mapping):
        return "{ " + ",  ".join(f"{_plain(key)}: {_flow(item)}" for key, item in value.items()) + " }"
    return json.dumps(value, ensure_ascii=False)
