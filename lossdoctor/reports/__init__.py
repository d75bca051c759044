"""The report in every format: one pure function per format, from a `Report` to text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..records import Report
from .json_report import render_json
from .rich_report import render_rich, render_text

#: The names that `--format` takes. A new format is a module and a line here.
FORMATS: Mapping[str, Callable[[Report], str]] = {
    "rich": render_text,
    "json": render_json,
}

__all__ = ["FORMATS", "render_json", "render_rich", "render_text"]
