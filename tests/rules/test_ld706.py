"""LD706: the output stays what it was where the input is another."""

import pytest

from lossdoctor.facts.parameters import ParameterFacts
from lossdoctor.facts.probes import InputDependence
from lossdoctor.records import Severity

from .cases import case, check, gradients, the_finding


def depends(change, module="", zero=(), last=(), slope=None):
    parameters = ParameterFacts(trainable=10, frozen=0, zero_initialised=tuple(zero))
    dependence = InputDependence(module, change, slope, last_layers=tuple(last))
    return case(gradients(a=(1.0, 1.0)), dependences=(dependence,), parameters=parameters)


@pytest.mark.parametrize("change", [0.0, 1e-8])
def test_ignored(change):
    finding = the_finding("LD706", depends(change))
    assert (finding.severity, finding.components) == (Severity.ERROR, ())
    assert finding.message == "the output does not depend on the input"


@pytest.mark.parametrize("change", [1e-3, 2.0, float("inf")])
def test_used(change):
    assert check("LD706", depends(change)) == []


def test_a_layer_that_starts_at_zero_is_a_note():
    finding = the_finding("LD706", depends(0.0, zero=["head.weight"], last=["head.weight"]))
    assert finding.severity is Severity.NOTE
    assert "head.weight starts at zero" in finding.message


def test_a_zero_that_is_not_last_excuses_nothing():
    """As after a posterior collapse, which training has made."""
    facts = depends(0.0, zero=["from_z.weight"], last=["decoder.weight"])
    assert the_finding("LD706", facts).severity is Severity.ERROR


def test_a_part_of_the_model_is_named():
    assert "what generator gives" in the_finding("LD706", depends(0.0, "generator")).message


def test_a_change_that_rounding_hides_is_no_fault_of_this_kind():
    assert check("LD706", depends(0.0, slope=1e-12)) == []
    assert the_finding("LD706", depends(0.0, slope=0.0)).severity is Severity.ERROR


def test_one_output_of_several():
    facts = (InputDependence("", 0.5), InputDependence("", 0.0, 0.0, "output[0]"))
    finding = the_finding("LD706", case(gradients(a=(1.0, 1.0)), dependences=facts))
    assert finding.message == "output[0] does not depend on the input"


def test_all_of_them_is_one_finding():
    facts = (InputDependence("", 0.0), InputDependence("", 0.0, 0.0, "output[0]"))
    the_finding("LD706", case(gradients(a=(1.0, 1.0)), dependences=facts))
