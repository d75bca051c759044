"""Reports in every format: one pure function per format, from the reports of a run to text.

`inspect` makes one report, `check` one for each config: every format takes a sequence. Whatever the format, it carries
the findings and failures of all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from ..records import Report
from .csv_report import render_csv
from .github_report import render_github
from .json_report import render_json
from .junit_report import render_junit
from .markdown_report import render_markdown
from .rich_report import render_rich, render_text
from .sarif_report import render_sarif

Format = Callable[[Sequence[Report]], str]

#: The names that `--format` takes. A new format is a module, a line here and one in `cli.options.FormatName`.
FORMATS: Mapping[str, Format] = {
    "rich": render_text,
    "json": render_json,
    "sarif": render_sarif,
    "junit": render_junit,
    "github": render_github,
    "markdown": render_markdown,
    "csv": render_csv,
}

__all__ = ["FORMATS", "Format", "render_json", "render_rich", "render_text"]
