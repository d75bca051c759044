"""One objective on the terminal: a row for each component, the total below, and how the gradients agree."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from rich.box import Box
from rich.cells import cell_len
from rich.console import Console, ConsoleOptions, RenderableType, RenderResult
from rich.measure import Measurement
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from . import rich_style as style
from .number_format import MISSING, cosine, number, percent
from .text import shortened

if TYPE_CHECKING:
    from ..records import ComponentReport, Cosine, ObjectiveReport, Severity

#: From this width on, one table holds every column.
WIDE = 110
#: Below this width there is no room for bars.
NARROW = 60

INDENT = 3  #: the mark, and the gap beside it
LONGEST_NAME = 80
LONGEST_COLUMN = 24  #: of names before they fold, and of bars
STRONGEST_PAIRS = 10

_RULES = Box("    \n    \n ── \n    \n    \n ── \n    \n    ")


@dataclass(frozen=True)
class ShareBar:
    """A share of 1 as a bar that takes the room there is, to half a cell."""

    share: float

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        """Say that any width will do."""
        return Measurement(1, min(LONGEST_COLUMN, options.max_width))

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Draw the bar."""
        cells = options.max_width
        # What is not zero shows at least half a cell: a starved component is not an absent one.
        halves = max(round(self.share * cells * 2), 1 if self.share > 0 else 0)
        full, half = divmod(min(halves, cells * 2), 2)
        yield Text(style.BAR * full + style.HALF_BAR * half, style.LABEL)


def _bar(component: ComponentReport) -> RenderableType:
    if not component.attached:
        return Text("no gradient")
    if not component.finite:
        return Text("not finite")
    return Text("") if component.grad_share is None else ShareBar(component.grad_share)


@dataclass(frozen=True)
class Column:
    """What a column shows of each component, and of the objective as a whole."""

    header: str
    cell: Callable[[ComponentReport], RenderableType]
    total: Callable[[ObjectiveReport], str] = lambda _: ""
    justify: Literal["left", "right"] = "right"


VALUES = (
    Column("\nweight", lambda component: number(component.weight)),
    Column("\nvalue", lambda component: number(component.value)),
    Column(
        "weighted\nvalue",
        lambda component: number(component.weighted_value),
        lambda objective: number(objective.value),
    ),
)
SHARE = Column("gradient\nshare", lambda component: percent(component.grad_share))
BAR = Column("", _bar, justify="left")
BAR_WITH_NORM = replace(BAR, total=lambda objective: f"gradient norm {number(objective.grad_norm)}")
DETAILS = (
    Column("value\nshare", lambda component: percent(component.value_share)),
    Column("value\nspread", lambda component: percent(component.spread.value)),
    Column(
        "weighted\ngrad norm",
        lambda component: number(component.weighted_grad_norm),
        lambda objective: number(objective.grad_norm),
    ),
    Column("grad\nspread", lambda component: percent(component.spread.grad_norm)),
    Column("cosine\nto total", lambda component: cosine(component.cosine_to_total)),
)


def objective_tables(
    objective: ObjectiveReport, marks: Mapping[str, Severity], *, width: int, wide: bool
) -> Iterator[RenderableType]:
    """Yield the tables of one objective for a terminal of `width` columns.

    `marks` tells how bad the findings are that name a component.
    """
    for columns in _columns(width, wide=wide):
        yield _components(objective, marks, columns, name_width=min(width // 4, LONGEST_COLUMN))
    if objective.cosines and (wide or width >= WIDE):
        yield Padding(_cosines(objective, width - INDENT), (0, 0, 0, INDENT))


def _columns(width: int, *, wide: bool) -> list[Sequence[Column]]:
    """Return the columns of each table: all in one where the terminal is wide enough for that."""
    if width >= WIDE:
        return [(*VALUES, *DETAILS, SHARE, BAR)]
    if width >= NARROW:
        return [(*VALUES, SHARE, BAR_WITH_NORM), *([DETAILS] if wide else [])]
    columns = (*VALUES, SHARE, *(DETAILS if wide else ()))
    return [columns[start : start + 2] for start in range(0, len(columns), 2)]


def _components(
    objective: ObjectiveReport, marks: Mapping[str, Severity], columns: Sequence[Column], *, name_width: int
) -> Table:
    """Return a row for each component, with the objective as the last row.

    Names longer than `name_width` are folded before numbers lose their room.
    """
    total = Text(shortened(objective.name, LONGEST_NAME))
    names = [_name(component, marks.get(component.name)) for component in objective.components]
    longest = max(name.cell_len for name in [total, *names])
    table = ruled_table()
    table.add_column()
    table.add_column(Text("\ncomponent"), total, min_width=min(longest, name_width), overflow="fold")
    for column in columns:
        footer = Text(column.total(objective))
        table.add_column(Text(column.header), footer, justify=column.justify, no_wrap=column.justify == "right")
    for component, name in zip(objective.components, names, strict=True):
        table.add_row(_mark(marks.get(component.name)), name, *(column.cell(component) for column in columns))
    return table


def ruled_table() -> Table:
    """Return an empty table in the style of all of them: rules below the header and above the footer."""
    return Table(
        box=_RULES,
        show_edge=False,
        pad_edge=False,
        show_footer=True,
        padding=(0, 1, 0, 0),
        header_style=style.HEADER,
        footer_style=style.HEADER,
        border_style=style.LABEL,
    )


def _mark(severity: Severity | None) -> Text:
    return Text(style.SEVERITY_MARKS[severity], style.SEVERITY_STYLES[severity]) if severity else Text(" ")


def _name(component: ComponentReport, severity: Severity | None) -> Text:
    name = shortened(component.name, LONGEST_NAME)
    role = f" ({shortened(component.role, LONGEST_NAME)})" if component.role else ""
    return Text.assemble((name, style.SEVERITY_STYLES[severity]) if severity else name, role)


def _cosines(objective: ObjectiveReport, width: int) -> Table:
    names = [component.name for component in objective.components]
    columns = sum(max(cell_len(name), 5) + 2 for name in names[:-1]) + max(map(cell_len, names)) + 2
    return _cosine_matrix(objective, names) if columns <= width else _strongest_pairs(objective.cosines)


def _cosine_matrix(objective: ObjectiveReport, names: Sequence[str]) -> Table:
    """Return the lower triangle: row against column."""
    known = {frozenset((pair.a, pair.b)): cosine(pair.cosine) for pair in objective.cosines}
    table = _plain_table("cosine", *names[:-1])
    for row, name in enumerate(names[1:], start=1):
        table.add_row(Text(name), *(Text(known.get(frozenset((name, other)), MISSING)) for other in names[:row]))
    return table


def _strongest_pairs(cosines: Sequence[Cosine]) -> Table:
    """Return the pairs that pull most with or against each other, in place of a matrix that is too wide."""
    strongest = sorted(cosines, key=lambda pair: -abs(pair.cosine or 0.0))[:STRONGEST_PAIRS]
    table = _plain_table("strongest cosines", "")
    for pair in strongest:
        names = f"{shortened(pair.a, LONGEST_NAME)} · {shortened(pair.b, LONGEST_NAME)}"
        table.add_row(Text(names), Text(cosine(pair.cosine)))
    return table


def _plain_table(corner: str, *headers: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style=style.HEADER)
    table.add_column(Text(corner), overflow="fold")
    for header in headers:
        table.add_column(Text(header), justify="right", no_wrap=True)
    return table
