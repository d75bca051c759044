from dataclasses import replace

from lossdoctor.records import Location
from lossdoctor.reports import render_github

from .readers import commands
from .report_samples import FOUNDING, HEALTHY, LAB, STATIC, UNUSABLE


def test_an_annotation_stands_beside_the_line():
    [(command, properties, data)] = commands(render_github([replace(STATIC, findings=(LAB,))]))
    assert command == "error"
    assert properties == {
        "file": "sample_data/colorization/unnormalized.yaml",
        "line": "14",
        "col": "49",
        "title": "LD201 unnormalized-color-space in lab, ab",
    }
    assert data.split("\n") == [LAB.message, LAB.remedy]


def test_errors_of_all_configs_come_first():
    names = [command for command, *_ in commands(render_github([HEALTHY, FOUNDING, UNUSABLE, STATIC]))]
    assert names == ["error"] * 4 + ["warning"] + ["notice"] * 2


def test_a_file_as_a_whole_has_no_line():
    [(_, properties, _)] = commands(render_github([replace(STATIC, findings=(replace(LAB, location=None),))]))
    assert properties["file"] == STATIC.config
    assert "line" not in properties


def test_what_ends_a_property_or_a_line_is_escaped():
    finding = replace(LAB, location=Location("a,b:c%.yaml", 1), message="50 %0A::stop-commands::x\n::error::y")
    text = render_github([replace(STATIC, findings=(finding,))])
    assert text.startswith("::error file=a%2Cb%3Ac%25.yaml,line=1,col=1,title=")
    assert text.count("\n") == 1
    [(_, properties, data)] = commands(text)
    assert properties["file"] == "a,b:c%.yaml"
    assert data.startswith("50 %0A::stop-commands::x\\n::error::y\n")
