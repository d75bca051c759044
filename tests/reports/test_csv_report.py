import json
from dataclasses import replace
from io import StringIO

import pandas as pd
import pytest

from lossdoctor.reports import render_csv

from .report_samples import FOUNDING, HEALTHY, LAB, STATIC, UNUSABLE


def table(*reports):
    return pd.read_csv(StringIO(render_csv(reports)), keep_default_na=False)


def test_a_row_for_each_finding():
    rows = table(FOUNDING, HEALTHY, UNUSABLE)
    assert list(rows.code) == ["LD104", "LD102", "LD106", "LD201", "", ""]
    row = rows[rows.code == "LD201"].iloc[0]
    assert (row.level, row.objective, int(row.line), int(row.column)) == ("error", "total", 14, 49)
    assert json.loads(row.components) == ["lab", "ab"]
    assert json.loads(row.evidence)["joint_share"] == 0.99936
    assert json.loads(row.fix) == LAB.fix
    assert rows.iloc[1].explained_by == "LD201"


def test_what_kept_a_config_from_being_used_is_a_row_without_a_code():
    row = table(UNUSABLE).iloc[0]
    assert (row.level, row["name"], row.components, int(row.line)) == (
        "error",
        "unusable-config",
        "loss.weights.lab",
        3,
    )


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "＝1", "=cmd|' /C calc'!A0"])
def test_no_cell_is_a_formula(text):
    row = table(replace(STATIC, config=text, findings=(replace(LAB, message=text, name=text, remedy=text),))).iloc[0]
    assert {row.config, row.message, row["name"], row.remedy} == {f"'{text}"}


def test_control_characters_do_not_hide_a_formula():
    row = table(replace(STATIC, findings=(replace(LAB, message="\t=1+1"),))).iloc[0]
    assert row.message == r"\t=1+1"
