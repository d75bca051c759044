from __future__ import annotations

from dataclasses import replace

import pytest

from lossdoctor.facts.checkpoint import CheckpointFacts
from lossdoctor.facts.parameters import ParameterFacts, ParameterSize
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding

#: 100 scalars of 0.1, as a layer of a hundred inputs starts.
LAYER = ParameterSize(scalars=100, rms=0.1, dtype="float32", dimensions=2)
CHECKPOINT = CheckpointFacts("net.pt", "state dict", strict=True, loaded=4)


def vanish(rms, weights=None, checkpoint=None, **sizes):
    """Return a case in which the components' gradients have these root mean squares by parameter.

    `{"stem.weight": (1e-12,)}`: one component. Parameters are layers of 100 scalars unless `sizes` says otherwise.
    """
    components = {f"c{k}": (1.0, 1.0) for k in range(len(next(iter(rms.values()))))}
    every = {name: sizes.get(name.replace(".", "_"), LAYER) for name in rms}
    facts = replace(
        gradients(weights=weights, **components),
        parameter_norms={
            name: tuple(value and value * every[name].scalars ** 0.5 for value in values)
            for name, values in rms.items()
        },
    )
    return case(facts, parameters=ParameterFacts(1000, 0, sizes=every), checkpoint=checkpoint)


HEAD = {"head.weight": (1e-2,)}


@pytest.mark.parametrize(("gradient", "fires"), [(5.8e-9, True), (6.1e-9, False)])
def test_below_half_a_step_of_float32_nothing_changes(gradient, fires):
    """Independent of the rule: 0.1 minus that in float32 is 0.1."""
    import numpy as np

    assert bool(check("LD605", vanish({"stem.weight": (gradient,), **HEAD}))) == fires
    one = np.float32(1.0)
    assert bool(one + np.float32(gradient / 0.1) == one) == fires


@pytest.mark.parametrize(("gradient", "fires"), [(0.9e-8, True), (1.1e-8, False)])
def test_down_to_its_epsilon_adam_does_not_mind(gradient, fires):
    large = replace(LAYER, rms=1e3)
    assert bool(check("LD605", vanish({"stem.weight": (gradient,), **HEAD}, stem_weight=large))) == fires


@pytest.mark.parametrize(
    ("dtype", "fires"), [("float64", False), ("float32", False), ("bfloat16", True), ("float16", True)]
)
def test_the_precision_is_that_of_the_weights(dtype, fires):
    facts = vanish({"stem.weight": (7e-9,), **HEAD}, stem_weight=replace(LAYER, dtype=dtype))
    assert bool(check("LD605", facts)) == fires


def test_is_about_parameters():
    finding = the_finding("LD605", vanish({"stem.weight": (1e-15,), "mid.weight": (1e-11,), **HEAD}))
    assert finding.severity is Severity.WARNING
    assert finding.components == ()
    assert finding.evidence["share"] == pytest.approx(2 / 3)
    assert "stem.weight and mid.weight" in finding.message
    assert "normalisation" in finding.remedy


def test_what_one_component_lacks_another_may_have():
    """The residual of a physics-informed network has hardly any gradient at the start, the data has."""
    assert check("LD605", vanish({"stem.weight": (1e-12, 1e-3)})) == []
    assert check("LD605", vanish({"stem.weight": (1e-12, None), "head.weight": (1e-2, 1.0)}))


def test_weights_scale_gradients():
    assert check("LD605", vanish({"stem.weight": (1e-12,), **HEAD}, weights={"c0": 1e6})) == []
    assert check("LD605", vanish({"stem.weight": (1e-2,)}, weights={"c0": 1e-12}))


@pytest.mark.parametrize("gradient", [0.0, None, float("nan"), float("inf")])
def test_nothing_at_all_is_for_others_to_report(gradient):
    assert check("LD605", vanish({"stem.weight": (gradient,), **HEAD})) == []


def test_biases_do_not_count():
    """In front of a batch norm their gradient is zero but for rounding."""
    bias = replace(LAYER, dimensions=1)
    assert check("LD605", vanish({"conv.bias": (1e-11,), **HEAD}, conv_bias=bias)) == []


def test_a_small_part_of_the_weights_does_not_count():
    tiny = replace(LAYER, scalars=5)
    assert check("LD605", vanish({"gate.weight": (1e-12,), **HEAD}, gate_weight=tiny)) == []


def test_a_layer_scale_opens_before_what_lies_behind_it():
    gain = ParameterSize(scalars=16, rms=1e-6, dtype="float32", dimensions=1)
    rms = {"block.weight": (1e-11,), "block.gamma": (1e-3,), **HEAD}
    assert check("LD605", vanish(rms, block_gamma=gain)) == []
    assert check("LD605", vanish(rms, block_gamma=replace(gain, rms=1.0)))
    assert check("LD605", vanish({**rms, "block.gamma": (1e-14,)}, block_gamma=gain)), "it does not open"


def test_a_zero_bias_is_no_gate():
    zero = ParameterSize(scalars=16, rms=0.0, dtype="float32", dimensions=1)
    assert check("LD605", vanish({"stem.weight": (1e-12,), "head.bias": (1e-2,), **HEAD}, head_bias=zero))


def test_at_a_minimum_everything_is_small():
    everywhere = {"stem.weight": (1e-10,), "head.weight": (1e-10,)}
    assert check("LD605", vanish(everywhere, checkpoint=CHECKPOINT)) == []
    assert "units" in the_finding("LD605", vanish(everywhere)).remedy
    assert check("LD605", vanish({"stem.weight": (1e-12,), **HEAD}, checkpoint=CHECKPOINT))


def test_options():
    facts = vanish({"stem.weight": (1e-9,), **HEAD})
    assert check("LD605", facts)
    assert check("LD605", facts, epsilon=1e-10) == []
    assert check("LD605", facts, least_share=0.6) == []
