from __future__ import annotations

from lossdoctor.records import DataFacts, Severity, UnreadableSample

from .cases import case, check, gradients, the_finding

HEALTHY = gradients(a=(1.0, 1.0))


def test_files_that_could_not_be_read_are_a_warning():
    files = (UnreadableSample("cat.jpg", "truncated"), UnreadableSample("dog.jpg", "not an image"))
    finding = the_finding("LD802", case(HEALTHY, data=DataFacts(batches=2, unreadable=files)))
    assert finding.severity is Severity.WARNING
    assert finding.components == ()
    assert finding.evidence == {"cat.jpg": "truncated", "dog.jpg": "not an image"}
    assert "cat.jpg and 1 more" in finding.message


def test_readable_data_is_fine():
    assert check("LD802", case(HEALTHY, data=DataFacts(batches=2, batch_sizes=(8, 8), samples=16))) == []
