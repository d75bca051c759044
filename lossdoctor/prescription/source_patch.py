"""Patches of the user's own code, suggested from a finding: read from the source, never run, never applied unasked.

A patcher looks at the calls on the line that a finding points to and says which pieces of text to replace; where the
line is not what it expects, there is no suggestion. Whether one helps is measured in `prove_patches.py`.
"""

from __future__ import annotations

import ast
import contextlib
import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from ..records import Finding

#: A line as Python counts them; `str.splitlines` knows more ends.
_LINE = re.compile(r"[^\r\n]*(?:\r\n?|\n)|[^\r\n]+")

#: What must not come before a loss that applies it itself.
_ACTIVATIONS = frozenset({"softmax", "sigmoid", "Softmax", "Sigmoid"})


@dataclass(frozen=True)
class Edit:
    """A piece of a source text, and what it becomes. Offsets count characters."""

    start: int
    end: int
    new: str


@dataclass(frozen=True)
class SourcePatch:
    """A suggested change of one source file."""

    code: str  #: of the finding that it would cure
    components: tuple[str, ...]
    file: str
    text: str  #: of the file as it is
    patched: str

    @property
    def diff(self) -> str:
        """The change as a unified diff; a file below the working directory is named as from there."""
        file, folder = Path(self.file), Path.cwd()
        shown = file.relative_to(folder) if file.is_relative_to(folder) else file
        return unified_diff(self.text, self.patched, str(shown))


def unified_diff(old: str, new: str, file: str) -> str:
    """Return the change of a text as `patch` reads it, empty where there is none."""
    lines = difflib.unified_diff(_LINE.findall(old), _LINE.findall(new), file, file)
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


@dataclass(frozen=True)
class Source:
    """A source file and the line of it that a finding points to."""

    text: str
    line: int

    @cached_property
    def tree(self) -> ast.Module:
        """The syntax tree."""
        return ast.parse(self.text)

    @cached_property
    def _line_starts(self) -> list[int]:
        starts = [0]
        for line in _LINE.findall(self.text):
            starts.append(starts[-1] + len(line))
        return starts

    def offset(self, line: int, utf8_column: int) -> int:
        """Return the place of an ast position, whose columns count bytes."""
        start = self._line_starts[line - 1]
        text = self.text[start : self._line_starts[line]].encode()[:utf8_column]
        return start + len(text.decode())

    def span(self, node: ast.expr) -> tuple[int, int]:
        """Return where an expression begins and ends."""
        end = self.offset(node.end_lineno or node.lineno, node.end_col_offset or node.col_offset)
        return self.offset(node.lineno, node.col_offset), end

    def code(self, node: ast.expr) -> str:
        """Return the text of an expression."""
        start, end = self.span(node)
        return self.text[start:end]

    def replaced(self, node: ast.expr, new: str) -> Edit:
        """Return the edit that puts other text in an expression's place."""
        return Edit(*self.span(node), new)

    def calls(self, *names: str) -> Iterator[ast.Call]:
        """Yield the calls on the line whose function, or method, has one of the names; innermost last."""
        for node in ast.walk(self.tree):
            on_line = isinstance(node, ast.Call) and node.lineno <= self.line <= (node.end_lineno or node.lineno)
            if isinstance(node, ast.Call) and on_line and _name(node.func) in names:
                yield node

    def differences(self) -> Iterator[ast.BinOp]:
        """Yield the subtractions on the line."""
        for node in ast.walk(self.tree):
            on_line = isinstance(node, ast.BinOp) and node.lineno <= self.line <= (node.end_lineno or node.lineno)
            if isinstance(node, ast.BinOp) and on_line and isinstance(node.op, ast.Sub):
                yield node

    def value_of(self, node: ast.expr) -> ast.expr:
        """Return the expression that a name was last given before the line, in the same function; else the node."""
        if not isinstance(node, ast.Name):
            return node
        values = [
            statement.value
            for function in self._functions_around()
            for statement in ast.walk(function)
            if isinstance(statement, ast.Assign)
            and statement.lineno <= node.lineno
            and [getattr(target, "id", None) for target in statement.targets] == [node.id]
        ]
        return values[-1] if values else node

    @cached_property
    def modules(self) -> frozenset[str]:
        """The names that the file's imports bind."""
        imports = [node for node in ast.walk(self.tree) if isinstance(node, (ast.Import, ast.ImportFrom))]
        return frozenset((name.asname or name.name).partition(".")[0] for node in imports for name in node.names)

    def operand_of(self, call: ast.Call) -> ast.expr | None:
        """Return the tensor that a function or method is called on: `x` of `F.softmax(x, 1)` and of `x.softmax(1)`."""
        owner = call.func.value if isinstance(call.func, ast.Attribute) else None
        is_method = owner is not None and not (isinstance(owner, ast.Name) and owner.id in self.modules)
        # What belongs to a module of a module, as in torch.nn.functional, is a function as well.
        if is_method and isinstance(owner, ast.Attribute) and self.code(owner).partition(".")[0] in self.modules:
            is_method = False
        return owner if is_method else call.args[0] if call.args else None

    def _functions_around(self) -> Sequence[ast.AST]:
        return [
            node
            for node in ast.walk(self.tree)
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef))
            and node.lineno <= self.line <= (node.end_lineno or node.lineno)
        ][-1:]


Patcher = Callable[[Source, Finding], "Sequence[Edit]"]


def suggest_patch(finding: Finding, texts: Mapping[str, str] | None = None) -> SourcePatch | None:
    """Return a patch of the line that a finding points to; None where no patcher knows what to do there.

    `texts` are those of files that differ from what is on the disk.
    """
    patcher = PATCHERS.get(finding.code)
    if patcher is None or finding.location is None or not finding.location.file.endswith(".py"):
        return None
    file = finding.location.file
    try:
        text = (texts or {}).get(file) or Path(file).read_bytes().decode()
        source = Source(text, finding.location.line)
        edits = patcher(source, finding)
    except (OSError, ValueError, SyntaxError):  # the file is gone, or is not what was run
        return None
    if not edits:
        return None
    patched = source.text
    for edit in sorted(edits, key=lambda edit: edit.start, reverse=True):  # what is before an edit stays in its place
        patched = patched[: edit.start] + edit.new + patched[edit.end :]
    return SourcePatch(finding.code, finding.components, file, source.text, patched)


def _mean_for_sum(source: Source, _finding: Finding) -> Sequence[Edit]:
    """`reduction="sum"` -> `"mean"`; `.sum()` of everything -> `.mean()`."""
    if keyword := _reduction(source, "sum"):
        return [source.replaced(keyword, '"mean"')]
    return [
        _renamed(source, call, "mean")
        for call in source.calls("sum")
        if isinstance(call.func, ast.Attribute) and not call.args and not call.keywords
    ]


def _batchmean(source: Source, finding: Finding) -> Sequence[Edit]:
    """`kl_div(...)` -> `kl_div(..., reduction="batchmean")`; of maps or tokens -> `reduction="none").sum(1).mean()`."""
    calls = list(source.calls("kl_div"))
    if len(ast.literal_eval(str(finding.evidence.get("shape", [])))) > 2:
        classes = [_class_dimension(call) for call in calls]
        return _summed_over_classes(source, calls[0], classes[0]) if len(calls) == 1 and classes[0] else []
    if keyword := _reduction(source, "mean"):
        return [source.replaced(keyword, '"batchmean"')]
    return [_with_reduction(source, call, "batchmean") for call in [*calls, *source.calls("KLDivLoss")][:1]]


def _summed_over_classes(source: Source, call: ast.Call, dimension: str) -> Sequence[Edit]:
    given = [keyword.value for keyword in call.keywords if keyword.arg == "reduction"]
    elements = source.replaced(given[0], '"none"') if given else _with_reduction(source, call, "none")
    end = source.span(call)[1]
    return [elements, Edit(end, end, f".sum({dimension}).mean()")]


def _class_dimension(call: ast.Call) -> str | None:
    """Return the dimension over which the operands of a divergence were made distributions, where the line says it."""
    for node in ast.walk(call):
        if isinstance(node, ast.Call) and _name(node.func) in ("log_softmax", "softmax"):
            given = [*node.args[-1:], *(keyword.value for keyword in node.keywords if keyword.arg == "dim")]
            with contextlib.suppress(ValueError):
                return str(int(ast.literal_eval(given[-1]))) if given else None
    return None


def _with_reduction(source: Source, call: ast.Call, reduction: str) -> Edit:
    """Return the edit that adds a `reduction` to the arguments of a call."""
    arguments = [*call.args, *(keyword.value for keyword in call.keywords)]
    end = source.span(arguments[-1])[1] if arguments else source.span(call)[1] - 1
    return Edit(end, end, f'{", " if arguments else ""}reduction="{reduction}"')


def _without_activation(source: Source, _finding: Finding) -> Sequence[Edit]:
    """`cross_entropy(softmax(z), y)` -> `cross_entropy(z, y)`."""
    call = _first_with_arguments(source)
    if call is None:
        return []
    given = source.value_of(call.args[0])
    if not isinstance(given, ast.Call) or _name(given.func) not in _ACTIVATIONS:
        return []
    logits = source.operand_of(given)
    return [source.replaced(given, source.code(logits))] if logits is not None else []


def _log_probabilities(source: Source, finding: Finding) -> Sequence[Edit]:
    """`nll_loss(softmax(z, 1), y)` -> `nll_loss(log_softmax(z, 1), y)`; logits are given a log_softmax."""
    call = _first_with_arguments(source)
    if call is None:
        return []
    given = source.value_of(call.args[0])
    if isinstance(given, ast.Call) and _name(given.func) == "softmax":
        return [_renamed(source, given, "log_softmax")]
    if finding.evidence.get("kind") == "probabilities":
        return [source.replaced(call.args[0], f"{_operand(source, call.args[0])}.clamp_min(1e-8).log()")]
    return [source.replaced(call.args[0], f"{_operand(source, call.args[0])}.log_softmax(1)")]


def _with_graph(source: Source, finding: Finding) -> Sequence[Edit]:
    """`x.detach()`, `x.item()` -> `x`; `x.data` -> `x`; wherever the line does it to the same x."""
    cut = str(finding.evidence.get("cut_by"))
    if cut == "data":
        return [
            source.replaced(node, source.code(node.value))
            for node in ast.walk(source.tree)
            if isinstance(node, ast.Attribute) and (node.attr, node.lineno) == ("data", source.line)
        ][:1]
    cuts = [
        (call, _operand(source, call.func.value))
        for call in (sorted(source.calls(cut), key=source.span) if cut in ("detach", "item") else ())
        if isinstance(call.func, ast.Attribute) and not call.args
    ]
    return [source.replaced(call, operand) for call, operand in cuts if operand == cuts[0][1]]


#: What keeps the operand of an operation away from where the operation is not finite.
_GUARDS: Mapping[str, str] = {
    "sqrt": "{}.clamp_min(1e-12)",
    "log": "{}.clamp_min(1e-8)",
    "acos": "{}.clamp(-1 + 1e-6, 1 - 1e-6)",
    "asin": "{}.clamp(-1 + 1e-6, 1 - 1e-6)",
}


def _guarded(source: Source, finding: Finding) -> Sequence[Edit]:
    """`sqrt(x)` -> `sqrt(x + 1e-12)`, `log(x)` -> `log(x.clamp_min(1e-8))`, `acos(x)` -> `acos(x.clamp(…))`."""
    operation = str(finding.evidence.get("operation"))
    calls = list(source.calls(operation)) if operation in _GUARDS else []
    # A root of zero has a value, and near zero a slope that must stay. What a `where` hides may be below zero.
    of_zero = operation == "sqrt" and finding.code == "LD602" and not any(source.calls("where"))
    guarded = [(call, operand) for call in calls if (operand := source.operand_of(call)) is not None]
    return [
        source.replaced(operand, _lifted(source, call, operand))
        if of_zero
        else source.replaced(operand, _GUARDS[operation].format(_operand(source, operand)))
        for call, operand in guarded
    ]


def _lifted(source: Source, call: ast.Call, operand: ast.expr) -> str:
    """Return the operand of a root, a little above zero."""
    lifted = f"{_operand(source, operand)} + 1e-12"
    return lifted if operand in call.args else f"({lifted})"


def _of_one_shape(source: Source, finding: Finding) -> Sequence[Edit]:
    """`mse_loss(x, y)` of N×1 and N -> `mse_loss(x.squeeze(1), y)`, whichever side has the dimension more."""
    sides = _compared(source, str(finding.evidence.get("operation")))
    shapes = [ast.literal_eval(shape) for shape in finding.evidence.get("shapes", ())]
    for side, shape, other in zip(sides, shapes, reversed(shapes), strict=False):
        if len(shape) == len(other) + 1 and shape[1] == 1 and [shape[0], *shape[2:]] == other:
            return [source.replaced(side, f"{_operand(source, side)}.squeeze(1)")]
    return []


def _compared(source: Source, operation: str) -> Sequence[ast.expr]:
    """Return the two sides of the one comparison on the line; none where it is not clear which they are."""
    if operation.endswith(" difference"):  # written out
        found = [[node.left, node.right] for node in source.differences()]
    else:
        call = next((call for call in source.calls(operation) if len(call.args) >= 2), None)
        call = call or _first_with_arguments(source, arguments=2)
        found = [call.args[:2]] if call else []
    return found[0] if len(found) == 1 else []


def _with_logits(source: Source, _finding: Finding) -> Sequence[Edit]:
    """`binary_cross_entropy(z.clamp(0, 1), y)` -> `binary_cross_entropy_with_logits(z, y)`."""
    for call in source.calls("binary_cross_entropy"):
        given = call.args[0] if call.args else None
        if isinstance(given, ast.Call) and _name(given.func) in ("clamp", "clip"):
            logits = source.operand_of(given) or given
            start, end = source.span(call.func)[0], source.span(given)[1]
            return [Edit(start, end, f"{source.code(call.func)}_with_logits({source.code(logits)}")]
    return []


#: By rule; a new patcher is a function and a line here.
PATCHERS: Mapping[str, Patcher] = {
    "LD301": _mean_for_sum,
    "LD302": _of_one_shape,
    "LD303": _batchmean,
    "LD401": _without_activation,
    "LD402": _log_probabilities,
    "LD406": _with_logits,
    "LD501": _with_graph,
    "LD601": _guarded,
    "LD602": _guarded,
}


def _name(function: ast.expr) -> str:
    """Return the last name of what is called: "softmax" of `F.softmax` and `z.softmax`."""
    return getattr(function, "attr", getattr(function, "id", ""))


def _reduction(source: Source, value: str) -> ast.expr | None:
    """Return the value of a `reduction=` on the line, or of the only one in the file, where it is the one meant."""
    found = [
        (node, keyword.value)
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call)
        for keyword in node.keywords
        if keyword.arg == "reduction" and getattr(keyword.value, "value", None) == value
    ]
    on_line = [given for call, given in found if call.lineno <= source.line <= (call.end_lineno or call.lineno)]
    candidates = on_line or [given for _, given in found]
    return candidates[0] if len(candidates) == 1 else None


def _first_with_arguments(source: Source, arguments: int = 1) -> ast.Call | None:
    """Return the outermost call of a loss on the line: the one with the most arguments."""
    names = {_name(node.func) for node in ast.walk(source.tree) if isinstance(node, ast.Call)}
    losses = [call for call in source.calls(*names) if len(call.args) >= max(arguments, 2)]
    return losses[0] if losses else None


def _renamed(source: Source, call: ast.Call, name: str) -> Edit:
    """Return the edit that calls another function or method of the same object."""
    end = source.span(call.func)[1]
    return Edit(end - len(_name(call.func)), end, name)


def _operand(source: Source, node: ast.expr) -> str:
    """Return an expression so that a method can be called on it."""
    code = source.code(node)
    return code if isinstance(node, (ast.Name, ast.Attribute, ast.Call, ast.Subscript)) else f"({code})"
