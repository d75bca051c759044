"""LD407: two values for one prediction."""

from lossdoctor.facts.probes import TrainModeLayer, Wavering
from lossdoctor.records import Location, Severity

from .cases import case, check, gradients

LINE = Location("losses.py", 7)
FACTS = gradients(kd=(1.0, 1.0), hint=(1.0, 1.0), ce=(1.0, 1.0))
DROPOUT, NORM = TrainModeLayer("dropout", "Teacher", LINE), TrainModeLayer("batch norm", "Teacher")


def wavering(component, *layers):
    return Wavering("total", component, (1.0, 0.75), layers)


def test_all_components_of_one_teacher_are_one_finding():
    facts = wavering("kd", DROPOUT, NORM), wavering("hint", DROPOUT, NORM)
    (finding,) = check("LD407", case(FACTS, waverings=facts))
    assert (finding.severity, finding.components, finding.location) == (Severity.WARNING, ("kd", "hint"), LINE)
    assert "dropout and batch norm on the loss side in Teacher in train mode" in finding.message
    assert "25 %" in finding.message


def test_a_bare_function_has_no_network():
    (finding,) = check("LD407", case(FACTS, waverings=(wavering("kd", TrainModeLayer("dropout", None, LINE)),)))
    assert finding.evidence["layers"] == ["dropout in the loss"]


def test_silent_without_any():
    assert check("LD407", case(FACTS, waverings=())) == []
    unused = gradients(kd=(1.0, 1.0), ce=(1.0, 1.0), weights={"kd": 0.0})
    assert check("LD407", case(unused, waverings=(wavering("kd", DROPOUT),))) == []
