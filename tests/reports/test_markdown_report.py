from dataclasses import replace

import pytest

from lossdoctor.records import Finding
from lossdoctor.reports import render_markdown
from lossdoctor.reports.markdown_report import LONGEST

from .readers import Page
from .report_samples import FOUNDING, GAN, HEALTHY, HOSTILE_NAMES, LAB, STATIC, UNUSABLE, hostile

OURS = {"h2", "h3", "code", "table", "thead", "tbody", "tr", "th", "td", "details", "summary", "b", "br", "p"}


def test_the_verdict_is_the_heading():
    assert render_markdown([FOUNDING]).startswith("## ✗ lossdoctor: 1 error, 1 warning, 2 notes\n")
    assert render_markdown([HEALTHY]).startswith("## ✓ lossdoctor: no findings\n")
    text = render_markdown([HEALTHY, UNUSABLE, STATIC])
    assert text.startswith("## ✗ lossdoctor: 1 config not usable, 1 error in 3 configs\n")


def test_components_are_a_table_for_each_objective():
    page = Page(render_markdown([GAN]))
    tables = [[[cell.text() for cell in row.all("td")] for row in table.all("tr")] for table in page.root.all("table")]
    rows = [row for table in tables for row in table if len(row) == 5]
    assert [row[0] for row in rows] == [
        *("adversarial", "feature_matching", "reconstruction", "kl", "total"),
        *("real", "fake", "total"),
    ]
    assert rows[2][1:4] == ["100", "0.214", "21.4"]
    assert [row.all("th").__next__().text() for row in page.root.all("thead")] == ["generator", "discriminator"]


def test_details_are_folded_and_the_message_is_not():
    [first, *_] = Page(render_markdown([FOUNDING])).root.all("details")
    [summary] = first.all("summary")
    assert LAB.message in summary.text()
    assert LAB.remedy not in summary.text()
    assert LAB.remedy in first.text()


@pytest.mark.parametrize("text", HOSTILE_NAMES)
def test_foreign_text_adds_no_markup(text):
    written = render_markdown([hostile(text), replace(UNUSABLE, config=text, failures=(UNUSABLE.failures[0],))])
    assert Page(written).tags <= OURS


def test_a_mention_reaches_nobody():
    written = render_markdown([replace(STATIC, findings=(replace(LAB, message="@octocat broke #12"),))])
    assert "@octocat" not in written
    assert "#12" not in written
    assert "@\u200boctocat broke #\u200b12" in written


def test_a_comment_never_grows_too_long_and_says_what_it_left_out():
    findings = tuple(Finding(**{**vars(LAB), "message": "x" * 900}) for _ in range(10))
    written = render_markdown([replace(STATIC, findings=findings)] * 20)
    assert LONGEST / 2 < len(written) < 65536
    shown = written.count("### ")
    assert f"{20 - shown} configs more with findings" in written
