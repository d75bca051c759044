"""What a trial of both configs came to, for a person and as JSON."""

from __future__ import annotations

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from rich.console import RenderableType
from rich.style import Style
from rich.table import Table
from rich.text import Text

from ..prescription.comparison import Interval, Outcome, interval
from ..prescription.proof import Judgement, Proof, Voice
from ..printable import printable
from . import rich_style as style
from .json_text import plain
from .number_format import MISSING, number
from .rich_trial import in_folder, open_table

_STYLES = {Outcome.PROVED: style.PASSED, Outcome.NO_DIFFERENCE: style.WARNING, Outcome.WORSE: style.ERROR}
_MARKS = {Outcome.PROVED: "✓", Outcome.NO_DIFFERENCE: "!", Outcome.WORSE: "✗"}

#: Of one measure, where "proved" would say too much: it is the decisive one that proves.
_WORDS = {Outcome.PROVED: "better", Outcome.NO_DIFFERENCE: "no difference", Outcome.WORSE: "worse"}


def proof_sections(proof: Proof) -> Iterator[RenderableType]:
    """Yield what a proof showed, part by part; the verdict last."""
    yield Text(printable(_headline(proof)), style.HEADER)
    yield _table(proof.judgements)
    for note in proof.notes:
        yield Text.assemble(("! ", style.WARNING), printable(note))
    if proof.files:
        yield Text(printable(f"written: {in_folder(proof.files)}"))
    yield _verdict(proof)


def proof_document(proof: Proof) -> dict[str, Any]:
    """Return the proof in JSON's own types."""
    decisive = proof.decisive
    return {
        "outcome": proof.outcome.value,
        "decided_by": decisive.measure.name if decisive else None,
        "seeds": [pair.as_is.seed for pair in proof.pairs],
        "steps": proof.steps,
        "from_checkpoint": proof.from_checkpoint,
        "seconds": proof.seconds,
        "measures": [_measure_document(judgement) for judgement in proof.judgements],
        "notes": plain(proof.notes),
        "files": plain(proof.files),
        "runs": [{"arm": arm, **plain(run)} for pair in proof.pairs for arm, run in pair.arms.items()],
    }


def _measure_document(judgement: Judgement) -> dict[str, Any]:
    measure = judgement.measure
    return {
        "name": measure.name,
        "voice": judgement.voice.value,
        "more_is_better": None if judgement.outcome is None else measure.more_is_better,
        "as_is": plain(measure.as_is),
        "fixed": plain(measure.fixed),
        "intervals": {
            "as_is": plain(interval(measure.as_is)),
            "fixed": plain(interval(measure.fixed)),
            "gain": plain(judgement.gain),
        },
        "outcome": plain(judgement.outcome),
        "remark": judgement.remark or None,
    }


def _headline(proof: Proof) -> str:
    origin = "the checkpoint" if proof.from_checkpoint else "fresh weights"
    split = proof.pairs[0].as_is.metrics[0].split
    return (
        f"trial of both configs: {len(proof.pairs)} seeds, {proof.steps} steps from {origin} in "
        f"{number(round(proof.seconds, 1))} s, judged on {split} data"
    )


def _table(judgements: Sequence[Judgement]) -> Table:
    """Return a row for every measure: the mean of both arms over the seeds, and the gain; what decides is bold."""
    table = open_table("measure", "as is", "fixed", "better by (95 %)")
    table.add_column("")
    for column in table.columns[1:]:
        column.no_wrap = True
    for judgement in judgements:
        measure, gain = judgement.measure, judgement.gain
        table.add_row(
            Text(printable(measure.name)),
            number(statistics.fmean(measure.as_is)),
            number(statistics.fmean(measure.fixed)),
            _between(gain) if gain else MISSING,
            _remark(judgement),
            style=style.HEADER if judgement.voice is Voice.DECIDES else None,
        )
    return table


def _remark(judgement: Judgement) -> Text:
    if judgement.outcome is None:
        return Text(judgement.remark)
    shown = judgement.voice is Voice.SHOWN
    return Text(_WORDS[judgement.outcome], Style() if shown else _STYLES[judgement.outcome])


def _between(gain: Interval) -> str:
    return f"{gain.low:.3g} … {gain.high:.3g}"


def _verdict(proof: Proof) -> Text:
    mark = (f"{_MARKS[proof.outcome]} {proof.outcome.value}", _STYLES[proof.outcome])
    return Text.assemble(mark, f": {printable(_reason(proof))}")


def _reason(proof: Proof) -> str:
    """Return in words what the verdict rests on."""
    decisive = proof.decisive
    if decisive is None:
        return "nothing can tell which config is better; name what counts as trial.metric"
    name, gain, others, seeds = decisive.measure.name, decisive.gain, proof.contradictions, len(decisive.measure.as_is)
    if seeds == 1:
        return "there is one run of each config, and no telling what chance does"
    if gain is None:
        return f"{name} did not end in a number in every run"
    change = f"by {number(abs(gain.mean))} on average over {seeds} seeds, 95 % interval {_between(gain)}"
    better = "better" if gain.mean > 0 else "worse"
    if others:
        names = " and ".join(other.measure.name for other in others)
        return f"{name} is {better} {change}, but {names} the opposite"
    if proof.outcome is Outcome.NO_DIFFERENCE:
        return f"{name} is {better} {change}, which includes 0"
    return f"{name} is {better} {change}"
