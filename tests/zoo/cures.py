"""What `lossdoctor fix` has to hold to on a variant of the zoo."""

import difflib
import re
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lossdoctor import balance
from lossdoctor.cli import app
from lossdoctor.config.keys import split_key
from lossdoctor.config.load import parse_config
from lossdoctor.config.yaml_reader import read_document, read_yaml
from lossdoctor.inspection import inspect_config
from lossdoctor.prescription.apply import write_prescription
from lossdoctor.prescription.prescribe import prescribe
from lossdoctor.prescription.prove_patches import prove_patches, write_patches
from lossdoctor.prescription.rebalance import rebalanced
from lossdoctor.records import Severity

from .cases import Case
from .written import HANDS, write_setup


def written(case: Case, variant: str):
    config = case.variants[variant]
    return read_yaml((case.folder / config).read_text(), config).value if isinstance(config, str) else config


def assert_the_rest_stays(text: str, fixed: str, keys: list[tuple[str, ...]]) -> None:
    """Lines without a changed key stay byte for byte and in order, and so do comments on those with one."""
    old, new = text.splitlines(keepends=True), fixed.splitlines(keepends=True)
    places = read_document(text.encode(), "old").positions
    first = {keys: place.line for keys, place in places.items()}
    # From the line of a key, or of the nearest around it, to the line before the next key that is not below it.
    touched: set[int] = set()
    for key in keys:
        known = next(key[:length] for length in range(len(key), 0, -1) if key[:length] in first)
        below = [line for other, line in first.items() if other[: len(known)] == known]
        touched |= set(range(first[known], max(below) + 1))
    # Who shares a value that changes, gets the old one written out.
    shared = {anchor for line in touched for anchor in re.findall(r"&(\w+)", old[line - 1])}
    aliases = [k for k, line in enumerate(old, 1) if shared.intersection(re.findall(r": +\*(\w+)", line))]
    touched |= set(aliases)
    names = {part for key in keys for part in key} | {old[k - 1].split(":")[0].strip() for k in aliases}
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            continue
        assert set(range(i1 + 1, i2 + 1)) <= touched, old[i1:i2]
        assert all(any(name in line for name in names) for line in new[j1:j2]), new[j1:j2]
        if i2 - i1 == j2 - j1:
            assert [comment(line) for line in old[i1:i2]] == [comment(line) for line in new[j1:j2]]


def comment(line: str) -> str:
    """The comment of a line and its end; the writer of the files puts two spaces before one."""
    return line[line.find("  #") :] if "  #" in line else line[len(line.rstrip("\r\n")) :]


def errors(report):
    return [f"{f.code} {f.components}: {f.message}" for f in report.findings if f.severity is Severity.ERROR]


def is_left(case: Case, report) -> bool:
    """Whether the fault of a case is still there, as more than a note."""
    return any(f.code == case.expects and f.severity is not Severity.NOTE for f in report.findings)


def check_cure(case: Case, variant: str, hand: str, folder: Path) -> None:
    path = write_setup(case, variant, HANDS[hand], folder / "setup")
    text = path.read_bytes().decode()
    prescription = prescribe(path)
    write_prescription(prescription, path, backup=False)
    fixed = path.read_bytes().decode()
    assert sorted(p.name for p in path.parent.iterdir() if p.suffix != ".py") == ["config.yaml"]
    assert_the_rest_stays(text, fixed, [split_key(key)[0] for cure in prescription.cures for key in cure.new])

    again = prescribe(path)
    assert errors(again.before) == []
    assert not is_left(case, again.before)
    assert again.fixed == fixed
    assert again.cures == ()


def check_untouched(case: Case, variant: str, hand: str, folder: Path) -> None:
    path = write_setup(case, variant, HANDS[hand], folder / "setup")
    before = {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()}
    result = CliRunner().invoke(app, ["fix", str(path)])
    assert result.exit_code == 0, result.output
    assert "stays as it is" in " ".join(result.stdout.split())
    assert {file: (file.read_bytes(), file.stat().st_mtime_ns) for file in path.parent.iterdir()} == before


def halves(objective):
    """The measurement of the first half of the batches, and that of the others."""
    middle = len(objective.values) // 2
    for part in (slice(0, middle), slice(middle, None)):
        blocks = tuple(replace(block, gramians=block.gramians[part]) for block in objective.blocks)
        norms = objective.output_grad_norms[part]
        yield replace(objective, values=objective.values[part], output_grad_norms=norms, blocks=blocks)


def check_shares(case: Case, variant: str) -> None:
    """Within 10 % on the batches that the weights were made from, within 30 % on as many that were not used."""
    values = written(case, variant)
    measure = values.get("measure", {})
    twice = {**measure, "batches": 2 * measure.get("batches", 4)}
    config = parse_config({**values, "measure": twice}, case.folder / "config.yaml")
    for objective in inspect_config(config, quick=True).case.gradients:
        if len(objective.values) < 2:
            continue
        used, unused = halves(objective)
        table = balance.summarize(used)
        new = {w.component: w for w in rebalanced(table, config.loss.shares, {c.name for c in table.components})}
        spreads = [c.spread.grad_norm for c in balance.summarize(objective).components if c.name in new]
        if any(spread is None or spread > 0.3 for spread in spreads):
            continue
        weights = [
            new[name].new if name in new else weight
            for name, weight in zip(objective.components, objective.weights, strict=True)
        ]
        for half, tolerance in ((used, 0.1), (unused, 0.3)):
            for component in balance.summarize(half, weights).components:
                if component.name in new and component.role != "regularizer":
                    assert component.grad_share == pytest.approx(new[component.name].aim, rel=tolerance)


def check_patches(case: Case, variant: str, hand: str, folder: Path) -> bool:
    """Suggested patches change nothing; written, they cure the fault. Return whether there are any."""
    path = write_setup(case, variant, HANDS[hand], folder / "setup")
    sources = {file: file.read_bytes() for file in path.parent.glob("*.py")}
    prescription = prescribe(path)
    proven = prove_patches(prescription)
    assert {file: file.read_bytes() for file in path.parent.glob("*.py")} == sources
    if not proven.patches:
        return False
    patched = write_patches(proven)
    write_prescription(patched, path, backup=False)
    changed = [file for file, text in sources.items() if file.read_bytes() != text]
    assert {str(file) for file in changed} == {patch.file for patch in proven.patches}
    again = prescribe(path)
    assert not is_left(case, again.before)
    assert errors(again.before) == errors(patched.after)
    return True
