import math

from lossdoctor.reports.evidence import evidence_rows


def test_scalars_are_shortened_and_named():
    rows = evidence_rows({"share": 0.99936123, "count": 1234567, "missing": None, "on": True, "nan": math.nan})
    assert list(rows) == [
        ("share", "0.9994"),
        ("count", "1234567"),
        ("missing", "–"),
        ("on", "true"),
        ("nan", "nan"),
    ]


def test_flat_collections_stay_on_one_line():
    assert list(evidence_rows({"range": (0, 98.9021), "of": {"lab": 0.1, "ab": 0.9}, "none": []})) == [
        ("range", "0, 98.9"),
        ("of", "lab 0.1, ab 0.9"),
        ("none", "none"),
    ]


def test_nested_collections_get_a_line_for_each_entry():
    evidence = {"channels": {"L": {"min": 0.0}, "a": (1, 2)}, "pairs": [("a", "b"), {"c": [1]}]}
    assert list(evidence_rows(evidence)) == [
        ("channels.L", "min 0"),
        ("channels.a", "1, 2"),
        ("pairs[0]", "a, b"),
        ("pairs[1].c", "1"),
    ]


def test_long_lists_say_how_long_they_are():
    [(_, text)] = evidence_rows({"values": list(range(100))})
    assert text.startswith("0, 1, 2")
    assert text.endswith("(100 in all)")
    assert len(text) < 80
