"""LD607: an edge that is not finite, where ordinary batches are."""

import math

from lossdoctor.facts.anomalies import Anomaly
from lossdoctor.facts.probes import Edge
from lossdoctor.records import Location, Severity

from .cases import case, check, gradients

LINE = Location("losses.py", 7)
FACTS = gradients(distance=(1.0, 1.0), l1=(1.0, 1.0))


def edge(name, where="gradient", operation="sqrt", component="distance"):
    return Edge(name, (Anomaly("total", component, where, 0, operation, LINE),))


def test_says_which_edge_and_which_operation():
    (finding,) = check("LD607", case(FACTS, edges=(Edge("a black image"), edge("a perfect prediction"))))
    assert (finding.severity, finding.components, finding.location) == (Severity.WARNING, ("distance",), LINE)
    assert finding.message == (
        "the gradient of distance is NaN or infinite at a perfect prediction, first made by sqrt"
    )


def test_all_edges_of_a_component_are_one_finding():
    edges = (edge("a black image", "value", None), edge("a perfect prediction"))
    (finding,) = check("LD607", case(FACTS, edges=edges))
    assert list(finding.evidence["edges"]) == ["a black image", "a perfect prediction"]
    assert finding.evidence["operation"] == "sqrt"
    assert finding.message.startswith("the value of distance")


def test_what_is_not_finite_anyway_is_another_fault():
    facts = gradients(distance=(1.0, math.nan), l1=(math.nan, 1.0))
    assert check("LD607", case(facts, edges=(edge("a"), edge("b", component="l1")))) == []


def test_silent_where_everything_is_finite_or_refused():
    assert check("LD607", case(FACTS, edges=(Edge("a black image"), Edge("a mask", refused="not like this")))) == []
