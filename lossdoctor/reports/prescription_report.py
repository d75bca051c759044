"""A prescription for a person, or as JSON: what was changed and why, and the same batches before and after."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rich.console import Console, Group, RenderableType
from rich.constrain import Constrain
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ..prescription.prescription import BALANCE, Cure, Prescription
from ..printable import printable
from . import rich_style as style
from .half_blocks import show_pictures
from .json_report import report_document
from .json_text import json_text, plain
from .number_format import MISSING, number, percent
from .places import shown_place
from .proof_report import proof_document, proof_sections
from .rich_objective import ruled_table
from .rich_report import LONGEST_LINE

if TYPE_CHECKING:
    from ..records import ComponentReport, Finding, ObjectiveReport


@dataclass(frozen=True)
class _Quantity:
    """A column that shows one number of every component, before and after."""

    header: str
    of: Callable[[ComponentReport], str]
    of_objective: Callable[[ObjectiveReport], str] = lambda _: ""


_QUANTITIES = (
    _Quantity("weight", lambda component: number(component.weight)),
    _Quantity("value", lambda component: number(component.value)),
    _Quantity("weighted value", lambda component: number(component.weighted_value), lambda o: number(o.value)),
    _Quantity("gradient share", lambda component: percent(component.grad_share)),
)


def render_prescription(prescription: Prescription) -> RenderableType:
    """Return the prescription for `Console.print`."""
    return Group(*_sections(prescription))


def prescription_json(prescription: Prescription) -> str:
    """Return the whole prescription as one JSON object; `before` and `after` are reports (CONTRACT `lossdoctor/1`)."""
    return json_text(
        {
            "schema": "lossdoctor/1",
            "version": prescription.after.version,
            "command": "fix",
            "config": str(prescription.path),
            "verdict": prescription.verdict.value,
            "cures": plain(prescription.cures),
            "cured": plain(prescription.cured),
            "left": plain(prescription.left),
            "arisen": plain(prescription.arisen),
            "diff": prescription.diff,
            "written": str(prescription.written) if prescription.written else None,
            "warnings": plain(prescription.warnings),
            "proof": proof_document(prescription.proof) if prescription.proof else None,
            "patches": [{"code": patch.code, "file": patch.file, "diff": patch.diff} for patch in prescription.patches],
            "patched": [{"code": patch.code, "file": patch.file, "diff": patch.diff} for patch in prescription.patched],
            "before": report_document(prescription.before),
            "after": report_document(prescription.after),
        }
    )


def _sections(prescription: Prescription) -> Iterator[RenderableType]:
    if prescription.cures:
        yield from _tables(prescription)
        for cure in prescription.cures:
            yield Constrain(_cure(cure), LONGEST_LINE)
            yield ""
    for label, findings in (("left", prescription.left), ("new", prescription.arisen)):
        for finding in findings:
            yield Constrain(_complaint(label, finding), LONGEST_LINE)
            yield ""
    for label, patches in (("patched", prescription.patched), ("patch", prescription.patches)):
        for patch in patches:
            yield Text(f"{label} for {patch.code} in {', '.join(map(printable, patch.components))}", style.HEADER)
            yield _colored(patch.diff)
            yield ""
    if advice := _advice(prescription):
        yield Constrain(Text(advice), LONGEST_LINE)
    if prescription.proof:
        for section in proof_sections(prescription.proof):
            yield Constrain(section, LONGEST_LINE)
        yield ""
    for warning in prescription.warnings:
        yield Constrain(Text.assemble(("! ", style.WARNING), printable(warning)), LONGEST_LINE)
        yield ""
    yield _verdict(prescription)


def _advice(prescription: Prescription) -> str:
    """Return what else can be done about what is left."""
    if prescription.patches:
        what = "The patch cures" if len(prescription.patches) == 1 else "The patches, one after the other, cure"
        return f"{what} it, as measured; --apply-source makes the change."
    unbalanced = any(finding.code in BALANCE for finding in prescription.after.findings)
    if prescription.has_errors and unbalanced and not prescription.rebalanced:
        return (
            "No weights are set while errors are left: they would be wrong once those are cured. "
            "--rebalance sets them all the same."
        )
    return ""


def _tables(prescription: Prescription) -> Iterator[RenderableType]:
    after = {objective.name: objective for objective in prescription.after.objectives}
    for objective in prescription.before.objectives:
        if objective.name in after:
            yield _table(objective, after[objective.name])
            yield ""


def _table(before: ObjectiveReport, after: ObjectiveReport) -> Table:
    """Return a row for every component: each quantity before the change and after it."""
    table = ruled_table()
    table.add_column(Text("component"), Text(printable(before.name)), overflow="fold")
    for quantity in _QUANTITIES:
        footer = _arrow(quantity.of_objective(before), quantity.of_objective(after))
        table.add_column(Text(quantity.header), footer, justify="right", no_wrap=True)
    later = {component.name: component for component in after.components}
    for component in before.components:
        cells = [
            _arrow(quantity.of(component), quantity.of(later[component.name]) if component.name in later else MISSING)
            for quantity in _QUANTITIES
        ]
        table.add_row(Text(printable(component.name)), *cells)
    return table


def _arrow(before: str, after: str) -> Text:
    if before == after:
        return Text(after)
    return Text.assemble((before, style.LABEL), " → ", (after, style.HEADER))


def _cure(cure: Cure) -> RenderableType:
    title = Text.assemble(("✓ ", style.PASSED), (cure.name, style.HEADER), f" in {', '.join(cure.components)}")
    changes = [f"{key}: {_shown(cure.old, key)} → {_shown(cure.new, key)}" for key in cure.new]
    body = Group(*(Text(printable(line)) for line in cure.reason.splitlines()), Text("\n".join(changes), style.HEADER))
    return Group(title, Padding(body, (0, 0, 0, 2)))


def _shown(values: Mapping[str, Any], key: str) -> str:
    """Return a value as it stands in the config, on one line; a dash where the key is not written."""
    value = values.get(key)
    return "–" if value is None else json.dumps(value, ensure_ascii=False, default=str)


def _complaint(label: str, finding: Finding) -> RenderableType:
    severity = style.SEVERITY_STYLES[finding.severity]
    return Text.assemble(
        (f"{style.SEVERITY_MARKS[finding.severity]} {label} ", severity),
        (f"{finding.code} {finding.name}", style.HEADER),
        f": {printable(finding.message)}",
        f" ({printable(shown_place(finding.location))})" if finding.location else "",
        f"\n  {printable(finding.remedy)}" if finding.remedy else "",
    )


def _verdict(prescription: Prescription) -> Text:
    verdict, written = prescription.verdict, prescription.written
    counts = f"{_counted(prescription.cured)} cured, {len(prescription.left)} left, {len(prescription.arisen)} new"
    if not prescription.cures and not prescription.patched:
        left = f"{_counted(prescription.left)} left, none of which a change of the config cures"
        counts = left if prescription.left else "nothing to change: no error and no warning"
    unproved = "not proved, so " if prescription.is_refuted else ""
    where = (
        f"wrote {printable(str(written))}"
        if written
        else f"{unproved}{printable(str(prescription.path))} stays as it is"
    )
    where += "".join(f" · changed {printable(file)}" for file in {patch.file: None for patch in prescription.patched})
    return Text.assemble((f"{style.VERDICT_MARKS[verdict]} {counts}", style.VERDICT_STYLES[verdict]), f" · {where}")


def _counted(findings: Sequence[Finding]) -> str:
    return f"{len(findings)} finding{'s' * (len(findings) != 1)}"


def print_prescription(prescription: Prescription, *, form: str, quiet: bool) -> None:
    """Write the prescription: the JSON or the diff alone to stdout, for programs, and the rest, for people, to stderr.

    `form` is "json", "diff", or "rich", which is all for people and on stdout.
    """
    if not quiet:
        console = Console(stderr=form != "rich")
        console.print(render_prescription(prescription))
        show_pictures(console, prescription.proof.files if prescription.proof else ())
    if form == "json":
        sys.stdout.write(prescription_json(prescription))
    elif form == "diff" and sys.stdout.isatty():
        Console().print(_colored(prescription.diff), soft_wrap=True)
    elif form == "diff":
        sys.stdout.write(prescription.diff)


def _colored(diff: str) -> Text:
    colors: Mapping[str, Any] = {"+": style.PASSED, "-": style.ERROR, "@": style.LABEL}
    lines = ((f"{printable(line)}\n", colors.get(line[:1], "")) for line in diff.splitlines())
    return Text.assemble(*lines, end="", no_wrap=True, overflow="ignore")
