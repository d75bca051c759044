"""What the zoo comes down to: `pytest -m zoo`. `benchmarks/detection.py` shows the same by code and by domain.

Single variants may be missed: what is promised is how many are found, and how few healthy ones are alarmed. It is one
test, so that the zoo runs once.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from lossdoctor.records import Severity

from .cases import all_cases
from .run import Outcome, run_all

#: Of the faulty variants: found, and in the right component; the most that have an error which is not theirs.
LEAST_FOUND, LEAST_IN_PLACE, MOST_STRAY = 0.97, 0.97, 0.05

#: The most of the healthy variants that have a warning. None may have an error.
MOST_WARNED = 0.08


def is_warned(outcome: Outcome) -> bool:
    return any(finding.severity is Severity.WARNING for finding in outcome.findings)


def too_many(what: str, among: Sequence[Outcome], is_so: Callable[[Outcome], bool], most: float) -> str:
    """Return which outcomes are so, where there are more than the most; nothing else."""
    found = [outcome for outcome in among if is_so(outcome)]
    if len(found) <= most * len(among):
        return ""
    listed = "\n".join(outcome.describe() for outcome in found)
    return f"{what}: {len(found)} of {len(among)}, at most {most:.0%}\n{listed}\n"


@pytest.mark.zoo
def test_faults_are_found_and_sound_setups_are_left_alone():
    outcomes = run_all([(case, variant) for case in all_cases() for variant in case.variants])
    faulty = [outcome for outcome in outcomes if outcome.case.expects]
    healthy = [outcome for outcome in outcomes if not outcome.case.expects]
    broken = (
        too_many("crashed", outcomes, lambda outcome: bool(outcome.crash), 0),
        too_many("missed", faulty, lambda outcome: not outcome.found, 1 - LEAST_FOUND),
        too_many("in another component", faulty, lambda outcome: not outcome.right_component, 1 - LEAST_IN_PLACE),
        too_many("with a stray error", faulty, lambda outcome: bool(outcome.stray_errors), MOST_STRAY),
        too_many("healthy, with an error", healthy, lambda outcome: bool(outcome.stray_errors), 0),
        too_many("healthy, with a warning", healthy, is_warned, MOST_WARNED),
    )
    assert not any(broken), "\n".join(broken)
