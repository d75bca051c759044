"""What `lossdoctor fix` makes of the zoo: `pytest -m zoo`. A few of these run always (`tests/prescription`)."""

import itertools

import pytest

from .cases import Case, all_cases
from .cures import check_cure, check_patches, check_shares, check_untouched, written
from .written import HANDS

# Torch warns of some faults too, and must not be what is tested.
pytestmark = [pytest.mark.zoo, pytest.mark.filterwarnings("ignore")]

#: What a config says about the user's own loss: weights, a budget and the precision. Of built-in terms it says all.
CURABLE = {"LD101", "LD102", "LD105", "LD403", "LD603"}
CURABLE_BUILT_IN = CURABLE | {"LD106", "LD201", "LD203", "LD205", "LD301", "LD506", "LD901"}

#: What `prove_patches` has a patch for, where the fault stands on one line.
PATCHABLE = {"LD301", "LD302", "LD303", "LD401", "LD402", "LD406", "LD501", "LD601", "LD602"}


def is_curable(case: Case, variant: str) -> bool:
    built_in = "components" in written(case, variant)["loss"]
    return case.expects in (CURABLE_BUILT_IN if built_in else CURABLE)


def parametrized(chosen):
    """Every chosen variant, written by one hand after the other."""
    hands = itertools.cycle(HANDS)
    return [pytest.param(case, variant, next(hands), id=f"{case.path}[{variant}]") for case, variant in chosen]


CASES = all_cases()
CURED = [(case, variant) for case in CASES for variant in case.variants if is_curable(case, variant)]
#: A warning that a healthy case may be given is about its balance: there `fix` does offer other weights.
HEALTHY = [(case, next(iter(case.variants))) for case in CASES if case.kind == "healthy" and not case.warnings]
PATCHED = [(case, next(iter(case.variants))) for case in CASES if case.expects in PATCHABLE]


@pytest.mark.parametrize(("case", "variant", "hand"), parametrized(CURED))
def test_what_a_config_can_cure_is_cured(case, variant, hand, tmp_path):
    check_cure(case, variant, hand, tmp_path)


@pytest.mark.parametrize(("case", "variant", "hand"), parametrized(HEALTHY))
def test_what_is_healthy_is_left_alone(case, variant, hand, tmp_path):
    check_untouched(case, variant, hand, tmp_path)


@pytest.mark.parametrize("case", [pytest.param(case, id=case.path) for case in CASES])
def test_new_weights_give_the_shares_that_are_declared(case):
    check_shares(case, next(iter(case.variants)))


@pytest.mark.parametrize(("case", "variant", "hand"), parametrized(PATCHED))
def test_a_patch_that_is_suggested_cures(case, variant, hand, tmp_path):
    check_patches(case, variant, hand, tmp_path)
