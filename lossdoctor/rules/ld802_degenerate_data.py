"""LD802: samples that cannot teach anything."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ..records import Finding, Severity
from .base import Case, Rule, listing

if TYPE_CHECKING:
    from ..facts.data import BatchEntry, DataFacts

#: Elements of a sample from which it is a feature vector and no label, time step or coordinate; from which, with two
#: dimensions or more, it is a picture.
LABEL_ELEMENTS = 16
PICTURE_ELEMENTS = 64

#: Targets that are meant to be constant: real or fake, a residual that should vanish, a similarity.
USUAL_CONSTANTS = (-1.0, 0.0, 1.0)

#: Of two equally frequent classes, a shuffled data set gives so many of one kind in a row once in 32,768 times.
LEAST_SAMPLES = 16

#: Losses whose targets are classes; one class alone teaches nothing, whichever it is.
CLASS_LOSSES = ("cross_entropy", "nll_loss")


class DegenerateData(Rule):
    """Samples that are constant, empty, copies of each other, not finite or unreadable cannot teach a model anything.

    A reader that fails silently returns pictures of zeros, a loader that ignores its index returns the same sample
    again and again, a threshold beyond the values of a mask empties them all. Training goes on, and the loss falls.
    Judged are the batches that were measured:

    - files of the data set that could not be decoded and were left out;
    - the input, or the largest tensor of a mapping: samples whose every element is the same;
    - the target: one value in every element of every sample, where the loss compares something with it;
    - samples that are the same as another of their batch, in input and target alike;
    - batches without samples;
    - NaN or infinity, where a component is not finite either. What the loss masks out does no harm.

    Not reported is what is constant or repeated by nature: labels, time steps and coordinates (fewer than 16 elements
    a sample), conditioning inputs and latents, masks that are empty in some samples, a zero or one for each sample that
    a discriminator or a residual is compared with, and copies of samples with few distinct values (measured ones do not
    repeat themselves, however few values a batch of copies holds).

    Remedy: look at the samples, then repair the loader or remove the files.

    Options: `constant_share` (0.1) of the inputs that are constant, of at least two: a dark frame or a silent second
    now and then is natural. `copied_share` (0.5) of every batch: drawing as many samples as there are, with
    replacement, repeats 37 % of them (1/e). `distinct_values` (32) up to which data is discrete, and repeats itself
    by nature.
    """

    code: ClassVar[str] = "LD802"
    name: ClassVar[str] = "degenerate-data"
    severity: ClassVar[Severity] = Severity.WARNING
    requires: ClassVar[tuple[str, ...]] = ("data",)

    constant_share: float = 0.1
    copied_share: float = 0.5
    distinct_values: float = 32

    def check(self, case: Case) -> Iterator[Finding]:
        """Yield one finding for every way in which the data is degenerate."""
        data = case.examination.data if case.examination else None
        if data is None:
            return
        yield from self._unreadable(case, data)
        yield from self._copies(case, data)
        yield from self._empty(case, data)
        yield from self._non_finite(case, data)
        main = _main_entry(data)
        for entry in data.entries:
            if entry is main:
                yield from self._constant_input(case, entry)
            elif main is not None and _may_be_a_target(entry, data):
                yield from self._constant_target(case, entry, main)

    def _unreadable(self, case: Case, data: DataFacts) -> Iterator[Finding]:
        if not data.unreadable:
            return
        first = data.unreadable[0]
        others = f" and {len(data.unreadable) - 1} more" if len(data.unreadable) > 1 else ""
        yield self.finding(
            [],
            f"{first.file}{others} could not be read ({first.reason}) and was left out",
            objective="",
            evidence={sample.file: sample.reason for sample in data.unreadable[:10]},
            remedy="Replace or remove the files.",
            location=case.locate("data", "images"),
        )

    def _copies(self, case: Case, data: DataFacts) -> Iterator[Finding]:
        shares = [copies / size for copies, size in zip(data.copies, data.batch_sizes, strict=False) if size > 3]
        repeats_by_nature = all(map(self._is_discrete, data.entries))
        if not shares or min(shares) < self.copied_share or repeats_by_nature:
            return
        copies, samples = sum(data.copies), sum(data.batch_sizes)
        yield self._finding(
            case,
            f"{copies} of {samples} samples are exact copies of another sample of their batch: a batch teaches no more "
            "than the few samples that differ",
            {"copies": list(data.copies), "batch_sizes": list(data.batch_sizes)},
            "Check that the data set uses the index it is asked for, and that no random generator is seeded again for "
            "every sample.",
        )

    def _is_discrete(self, entry: BatchEntry) -> bool:
        """Whether an entry has few values, and not because all there is are the copies of a few measured samples."""
        measured = "float" in entry.dtype and entry.elements >= LABEL_ELEMENTS
        of_few_samples = entry.elements <= 2 * entry.distinct <= 4 * entry.elements
        return entry.distinct <= self.distinct_values and not (measured and of_few_samples)

    def _constant_input(self, case: Case, entry: BatchEntry) -> Iterator[Finding]:
        if entry.elements < LABEL_ELEMENTS or entry.constant < max(2, self.constant_share * entry.samples):
            return
        everything = entry.constant == entry.samples
        if entry.distinct <= self.distinct_values and not (everything and _is_picture(entry)):
            return
        yield self._finding(
            case,
            f"{entry.constant} of {entry.samples} samples of {entry.name} have the same value in all of their "
            f"{entry.elements:,} elements: nothing can be learned from them",
            {"entry": entry.name, "constant": entry.constant, "samples": entry.samples},
            "Look at these samples: a reader that fails silently returns zeros.",
        )

    def _constant_target(self, case: Case, entry: BatchEntry, main: BatchEntry) -> Iterator[Finding]:
        if entry.value is None or not _is_learned(case, entry, main):
            return
        yield self._finding(
            case,
            f"{entry.name} is {entry.value:.4g} in every element of all {entry.samples} samples: a model that always "
            f"puts out {entry.value:.4g} is perfect",
            {"entry": entry.name, "value": entry.value, "samples": entry.samples},
            "Look at the targets: a wrong path, a threshold beyond their values, or data that is sorted and not "
            "shuffled makes them all alike.",
        )

    def _empty(self, case: Case, data: DataFacts) -> Iterator[Finding]:
        empty = [
            entry for entry in data.entries if entry.empty and (entry.name in ("input", "target") or not entry.samples)
        ]
        if empty:
            names = [entry.name for entry in empty]
            yield self._finding(
                case,
                f"{listing(names)} {'has' if len(names) == 1 else 'have'} no elements in "
                f"{max(entry.empty for entry in empty)} of {data.batches} batches: a mean over nothing is NaN",
                {entry.name: {"empty_batches": entry.empty, "shape": list(entry.shape)} for entry in empty},
                "Leave empty batches out before they reach the loss.",
            )

    def _non_finite(self, case: Case, data: DataFacts) -> Iterator[Finding]:
        harmed = [component.name for table in case.objectives for component in table.components if not component.finite]
        tainted = [entry for entry in data.entries if entry.non_finite]
        if tainted and harmed:
            samples = [f"{entry.non_finite} of {entry.samples} samples of {entry.name}" for entry in tainted]
            yield self._finding(
                case,
                f"{listing(samples)} hold NaN or infinity, and {listing(harmed)} became NaN or infinite too",
                {"non_finite": {entry.name: entry.non_finite for entry in tainted}, "components": harmed},
                "Remove these samples, or mask the elements before they enter any computation.",
            )

    def _finding(self, case: Case, message: str, evidence: Mapping[str, Any], remedy: str) -> Finding:
        return self.finding(
            [], message, objective="", evidence=evidence, remedy=remedy, location=case.locate("data", "target")
        )


def _main_entry(data: DataFacts) -> BatchEntry | None:
    """Return what the model gets: the input, or the largest tensor of a mapping that has none."""
    named = [entry for entry in data.entries if entry.name == "input"]
    others = [entry for entry in data.entries if not entry.name.startswith("target")]
    return next(iter(named or sorted(others, key=lambda entry: -entry.elements)), None)


def _may_be_a_target(entry: BatchEntry, data: DataFacts) -> bool:
    """Whether it is called the target, or nothing is: then what the loss compares with is one."""
    declared = any(other.name.startswith("target") for other in data.entries)
    return entry.name.startswith("target") or not declared or _is_picture(entry)


def _is_picture(entry: BatchEntry) -> bool:
    return len(entry.shape) > 1 and entry.elements >= PICTURE_ELEMENTS


def _is_learned(case: Case, entry: BatchEntry, main: BatchEntry) -> bool:
    """Whether a constant entry is a target that should not be constant: a mask, a class, a measured quantity."""
    traced = (case.examination.operations if case.examination else None) or ()
    comparisons = [
        operation.name
        for operation in traced
        for operand in operation.operands
        if not operand.requires_grad and operand.overall.minimum == operand.overall.maximum == entry.value
    ]
    # The map of a patch discriminator is smaller than the picture, a mask or a larger picture is not.
    if _is_picture(entry) and math.prod(entry.shape[-2:]) >= math.prod(main.shape[-2:]):
        return bool(comparisons) or (not traced and entry.name == "target")
    if entry.samples < LEAST_SAMPLES:
        return False
    is_series = len(entry.shape) == 1 and entry.elements >= LABEL_ELEMENTS
    unusual = entry.value not in USUAL_CONSTANTS or is_series
    return any(name in CLASS_LOSSES or unusual for name in comparisons)
