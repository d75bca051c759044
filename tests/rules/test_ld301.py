"""LD301: what grows with the batch or with its samples, by exponents."""

import math

import pytest

from lossdoctor.facts.probes import Duplication, Tiling
from lossdoctor.records import Location, Severity

from .cases import after_fix, case, check, expect, gradients, operand, operation, spread

BOTH = gradients(pixels=(500.0, 400.0), features=(1.0, 0.5))
BALANCED = gradients(pixels=(500.0, 1.0), features=(1.0, 0.5))


def doubled(pixels, features=1.0, tripled=None):
    """Both components on a batch with copies, in parts of what they were; `tripled` for the first."""
    return (
        Duplication("total", "pixels", 500.0, 500.0 * pixels, None if tripled is None else 500.0 * tripled),
        Duplication("total", "features", 1.0, features, None if tripled is None else features),
    )


def tiled(pixels, features=1.0, factor=4, reads=True):
    return (
        Tiling("total", "pixels", 500.0, 500.0 * pixels, factor, True),
        Tiling("total", "features", 1.0, features, factor, reads),
    )


def test_a_sum_over_the_batch():
    (finding,) = check("LD301", case(BOTH, duplications=doubled(2.0, tripled=3.0), tilings=tiled(4.0)))
    assert finding.severity is Severity.ERROR
    assert finding.components == ("pixels",)
    assert finding.evidence["growth"]["pixels"] == {"batch x2": 2.0, "batch x3": 3.0, "elements x4": 4.0}
    assert "size of the batch" in finding.message


def test_a_sum_over_pixels_divided_by_the_batch_size():
    (finding,) = check("LD301", case(BOTH, duplications=doubled(1.0), tilings=tiled(4.0)))
    assert (finding.severity, finding.components) == (Severity.ERROR, ("pixels",))
    assert "size of the sample" in finding.message


def test_a_sum_over_pairs():
    (finding,) = check("LD301", case(BOTH, duplications=doubled(4.0, tripled=9.0)))
    assert finding.components == ("pixels",)


@pytest.mark.parametrize("samples", [2, 3, 8, 64])
def test_a_logarithm_of_the_number_of_samples_is_no_sum(samples):
    ratios = [math.log(k * samples) / math.log(samples) for k in (2, 3)]
    assert check("LD301", case(BOTH, duplications=doubled(ratios[0], tripled=ratios[1]))) == []


@pytest.mark.parametrize("samples", [2, 3, 8, 64])
def test_a_sum_of_logarithms_of_the_number_of_samples_is_one(samples):
    ratios = [k * math.log(k * samples) / math.log(samples) for k in (2, 3)]
    assert check("LD301", case(BOTH, duplications=doubled(ratios[0], tripled=ratios[1])))


def test_a_value_of_zero_but_for_rounding_is_no_sum():
    assert check("LD301", case(BOTH, duplications=doubled(2.1, tripled=6.0))) == []


def test_a_constant_beside_a_weight_that_balances_it_is_a_note():
    (finding,) = check("LD301", case(BALANCED, duplications=doubled(2.0, tripled=3.0)))
    assert finding.severity is Severity.NOTE


def test_all_alike_is_a_note():
    (finding,) = check("LD301", case(BOTH, duplications=doubled(2.0, features=2.0)))
    assert (finding.severity, finding.components) == (Severity.NOTE, ("pixels", "features"))


def test_a_divergence_of_a_latent_vector_is_no_mean_over_pixels():
    """The evidence lower bound: a likelihood summed over the pixels beside a divergence summed over the latents."""
    (finding,) = check("LD301", case(BOTH, duplications=doubled(1.0), tilings=tiled(4.0, reads=False)))
    assert finding.severity is Severity.NOTE


@pytest.mark.parametrize("ratio", [math.nan, math.inf, -2.0, 0.0, 1.0, 1.03, 1.5])
def test_other_ratios(ratio):
    assert check("LD301", case(BOTH, duplications=doubled(ratio), tilings=tiled(ratio))) == []


def test_the_trace_decides_where_the_batch_could_not_be_made():
    prediction = operand(spread(0, 1), grad=True)
    mse = operation("mse_loss", prediction, operand(spread(0, 1), name="target"), of="pixels")
    plain = {"name": mse.name, "components": mse.components, "operands": mse.operands, "location": mse.location}
    summed = type(mse)(**plain, arguments={"reduction": "sum"}, sum_of=("total.pixels",))
    (finding,) = check("LD301", case(BOTH, operations=(summed,)))
    assert finding.evidence["growth"]["pixels"] == {"traced reduction": "sum"}
    assert finding.location == Location("losses.py", 12, 5)
    divided = type(mse)(**plain, arguments={"reduction": "sum"})
    assert check("LD301", case(BOTH, operations=(divided,))) == []


def test_the_fix_of_a_built_in_component():
    loss = {
        "components": {
            "pixels": {"term": "mse", "reduction": "sum", "weight": 1.0},
            "features": {"term": "l1", "weight": 1.0},
        }
    }
    (finding,) = check("LD301", case(BOTH, config=loss, duplications=doubled(2.0, tripled=3.0)))
    assert after_fix(loss, finding).loss.components["pixels"].reduction == "mean"


SUM = {
    "components": {
        "pixels": {"term": "l1", "reduction": "sum", "weight": 1.0},
        "edges": {"term": "gradient", "weight": 1.0},
    }
}


class TestExpected:
    def test_a_declared_sum_is_an_error_whatever_the_size_of_the_images(self):
        (finding,) = expect("LD301", SUM)
        assert (finding.severity, finding.components) == (Severity.ERROR, ("pixels",))
        assert after_fix(SUM, finding).loss.components["pixels"].reduction == "mean"

    def test_a_weight_that_undoes_the_sum_makes_it_a_note(self):
        pixels = SUM["components"]["pixels"]
        (finding,) = expect("LD301", {"components": {**SUM["components"], "pixels": {**pixels, "weight": 3e-4}}})
        assert (finding.severity, finding.fix) == (Severity.NOTE, None)

    def test_all_alike_is_a_note(self):
        both = {name: {**part, "reduction": "sum"} for name, part in SUM["components"].items()}
        (finding,) = expect("LD301", {"components": both})
        assert (finding.severity, finding.components) == (Severity.NOTE, ("pixels", "edges"))

    def test_means_and_sums_that_are_not_used_are_fine(self):
        pixels = SUM["components"]["pixels"]
        assert expect("LD301", {"components": {**SUM["components"], "pixels": {**pixels, "weight": 0.0}}}) == []
        assert expect("LD301", {"components": {"edges": SUM["components"]["edges"]}}) == []
