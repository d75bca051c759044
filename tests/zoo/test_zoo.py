"""Every variant of every case of the zoo: `pytest -m zoo`. `benchmarks/detection.py` adds them up."""

import pytest

from .cases import all_cases
from .run import run

VARIANTS = [
    pytest.param(case, variant, id=f"{case.path}[{variant}]") for case in all_cases() for variant in case.variants
]


@pytest.mark.zoo
@pytest.mark.parametrize(("case", "variant"), VARIANTS)
def test_the_fault_and_nothing_else(case, variant):
    outcome = run(case, variant)
    assert outcome.verdict == "right", outcome.describe()
