"""A few of the zoo's cases, one for every way in which a config is written; all of them with `pytest -m zoo`."""

import pytest

from ..zoo.cases import ZOO, cases_in
from ..zoo.cures import check_cure, check_patches, check_shares, check_untouched


def case(path):
    folder, _, name = path.rpartition("/")
    (found,) = [case for file in ZOO.glob(f"{folder}/*.case.yaml") for case in cases_in(file) if case.name == name]
    return found


@pytest.mark.parametrize(
    ("path", "variant", "hand"),
    [
        ("faulty/configs/sum-beside-means", "luma", "braces"),
        ("faulty/configs/the-same-twice", "with a budget", "blocks"),
        ("faulty/configs/schedule-without-a-length", "linear", "windows"),
        ("both/wiring/weights-a-thousand-apart", "narrow", "anchors"),
    ],
)
def test_cures(path, variant, hand, tmp_path):
    check_cure(case(path), variant, hand, tmp_path)


@pytest.mark.parametrize(
    ("path", "hand"), [("both/flow/gradient-flows", "windows"), ("healthy/colour/ycbcr", "anchors")]
)
def test_healthy(path, hand, tmp_path):
    check_untouched(case(path), next(iter(case(path).variants)), hand, tmp_path)


@pytest.mark.parametrize(
    "path", ["faulty/configs/off-the-budget-of-the-config", "both/wiring/weights-a-thousand-apart"]
)
def test_shares(path):
    check_shares(case(path), next(iter(case(path).variants)))


@pytest.mark.parametrize("path", ["both/flow/item-in-the-total", "both/flow/sum-kept-as-a-column"])
def test_patches(path, tmp_path):
    assert check_patches(case(path), next(iter(case(path).variants)), "blocks", tmp_path)
