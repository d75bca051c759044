"""Runs the zoo (`tests/zoo`) and adds up what was found, missed and falsely reported.

    python benchmarks/detection.py
    python benchmarks/detection.py --domain gan --code LD502
    python benchmarks/detection.py --case raw-lab

Every variant of every case is inspected as a user would, with default settings. A fault counts as found where its code
is reported at the level that the case asks for; whether in the right component and with the right cause is counted
beside it. Notes alarm nobody and are left out of the alarms.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).parents[1]))  # the zoo is a package of the tests

from tests.zoo.cases import Case, all_cases
from tests.zoo.run import Outcome, run_all


def main() -> None:
    """Run what the command line selects, and print everything."""
    cases = selected(all_cases(), arguments())
    runs = [(case, variant) for case in cases for variant in case.variants]
    outcomes = run_all(runs)
    faulty = [outcome for outcome in outcomes if outcome.case.expects]
    healthy = [outcome for outcome in outcomes if not outcome.case.expects]
    for outcome in outcomes:
        if outcome.verdict != "right":
            print(outcome.describe(), end="\n\n")
    if faulty:
        print_recall("code", faulty, lambda outcome: outcome.case.expects or "")
        print_recall("domain", faulty, lambda outcome: outcome.case.domain)
        print_confusion(faulty)
        stray = sum(bool(outcome.stray_errors) for outcome in faulty)
        print(f"faulty variants with a stray error: {share(stray, len(faulty))}")
    if healthy:
        print_alarms(healthy)
    print_times(outcomes)


def arguments() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--case", action="append", help="only cases with this in their name")
    parser.add_argument("--domain", action="append", help="only this domain")
    parser.add_argument("--code", action="append", help="only cases that expect this code; none for healthy ones")
    return parser.parse_args()


def selected(cases: Iterable[Case], only: argparse.Namespace) -> list[Case]:
    """Return the cases that all filters let through."""
    return [
        case
        for case in cases
        if (not only.case or any(name in case.name for name in only.case))
        and (not only.domain or case.domain in only.domain)
        and (not only.code or (case.expects or "none") in only.code)
    ]


def print_recall(what: str, faulty: Sequence[Outcome], key: Callable[[Outcome], str]) -> None:
    """Print how many faults were found, and in the right component, by code or domain."""
    print(f"{what:<16}{'cases':>6}{'variants':>10}{'found':>16}{'component':>16}{'cause':>16}")
    for name in [*sorted({key(outcome) for outcome in faulty}), "all"]:
        group = [outcome for outcome in faulty if name in (key(outcome), "all")]
        counts = (
            share(sum(outcome.found for outcome in group), len(group)),
            share(sum(outcome.right_component for outcome in group), len(group)),
            share(sum(outcome.right_cause for outcome in group), len(group)),
        )
        cases = len({outcome.case.path for outcome in group})
        print(f"{name:<16}{cases:>6}{len(group):>10}{''.join(f'{count:>16}' for count in counts)}")
    print()


def print_confusion(faulty: Sequence[Outcome]) -> None:
    """Print, for every expected code, which codes were reported as errors or warnings, and in how many variants."""
    print("expected     reported at warning or above, in variants")
    for code in sorted({outcome.case.expects or "" for outcome in faulty}):
        group = [outcome for outcome in faulty if outcome.case.expects == code]
        reported = Counter(found for outcome in group for found in codes_above_note(outcome) or {"nothing"})
        listed = "  ".join(f"{found} {count}" for found, count in reported.most_common())
        print(f"{code:<13}{listed}")
    print()


def codes_above_note(outcome: Outcome) -> set[str]:
    """Return the codes of the findings that are errors or warnings."""
    return {finding.code for finding in outcome.findings if finding.severity.value != "note"}


def print_alarms(healthy: Sequence[Outcome]) -> None:
    """Print how many healthy variants have a finding of each level."""
    for level in ("error", "warning", "note"):
        alarms = [[finding for finding in outcome.findings if finding.severity.value == level] for outcome in healthy]
        codes = Counter(code for found in alarms for code in {finding.code for finding in found})
        listed = "  ".join(f"{code} {count}" for code, count in codes.most_common())
        print(f"healthy variants with {level + ':':<9}{share(sum(map(bool, alarms)), len(healthy)):>14}  {listed}")


def print_times(outcomes: Sequence[Outcome]) -> None:
    """Print the time of a variant, imports aside."""
    if outcomes:
        slowest = max(outcomes, key=lambda outcome: outcome.seconds)
        middle = median(outcome.seconds for outcome in outcomes)
        print(f"seconds for each: median {middle:.2f}, most {slowest.seconds:.2f} ({slowest.case.path})")


def share(part: int, whole: int) -> str:
    """Return "3/4  75.0 %"."""
    return f"{part}/{whole} {100 * part / whole:5.1f} %" if whole else "-"


if __name__ == "__main__":
    main()
