"""LD505: which modules are there to be learned from, and which components train them."""

from dataclasses import replace

import pytest

from lossdoctor.facts.parameters import ParameterFacts, ParameterSize
from lossdoctor.records import Severity

from .cases import case, check, gradients, operation, the_finding
from .traced import prediction

SIZES = {"0.weight": 12, "0.bias": 3, "2.weight": 6}


def trained(*modules, reach, other=None):
    """Return a case of components `a` and `b` that reach some modules; `other` has a matrix of its own size."""
    sizes = {
        f"{module}.{name}": ParameterSize(scalars, 0.1, "float32", 2 if scalars > 3 else 1)
        for module in modules
        for name, scalars in SIZES.items()
    }
    if other:
        sizes[f"{other}.weight"] = ParameterSize(77, 0.1, "float32", 2)
    norms = {
        name: tuple(0.5 if any(name.startswith(f"{module}.") for module in reach[c]) else None for c in "ab")
        for name in sizes
    }
    facts = replace(gradients(a=(1.0, 1.0), b=(1.0, 1.0)), parameter_norms=norms)
    return case(facts, parameters=ParameterFacts(trainable=100, frozen=0, sizes=sizes))


@pytest.mark.parametrize("teacher", ["teacher", "model.teacher_net", "emaModel", "momentum_encoder", "ref_model"])
def test_a_teacher(teacher):
    finding = the_finding("LD505", trained("student", teacher, reach={"a": ["student", teacher], "b": ["student"]}))
    assert (finding.severity, finding.components) == (Severity.WARNING, ("a",))
    assert finding.evidence["module"] == teacher


def test_a_target_network_is_a_copy():
    reach = {"a": ["online", "target_net"], "b": ["online"]}
    assert the_finding("LD505", trained("online", "target_net", reach=reach)).components == ("a",)


@pytest.mark.parametrize(
    "healthy",
    [
        trained("online", "target", reach={"a": ["online"], "b": ["online"]}),
        trained("text", "image", reach={"a": ["text", "image"], "b": ["text"]}),
        trained("student", "teacher", reach={"a": ["student", "teacher"], "b": ["teacher"]}),
        trained("body", other="target_embedding", reach={"a": ["body", "target_embedding"], "b": ["body"]}),
        trained("generator", "discriminator", reach={"a": ["generator", "discriminator"], "b": ["generator"]}),
        trained("preference", "student", reach={"a": ["preference", "student"], "b": ["student"]}),
    ],
)
def test_left_alone(healthy):
    assert check("LD505", healthy) == []


def test_a_loss_network():
    compared = replace(operation("mse_loss", prediction(0, 1), prediction(0, 2), of="a"), trained_outside=1234)
    facts = case(gradients(a=(1.0, 1.0), b=(1.0, 1.0)), operations=[compared], parameters=ParameterFacts(1, 0))
    finding = the_finding("LD505", facts)
    assert finding.components == ("a",)
    assert "1,234 parameters" in finding.message
    assert finding.location.line == 12
