"""`kill -9` at any moment of a run, and `--resume`: the same weights, bit by bit, and no file too many."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from lossdoctor.run_folder import FILES

KILLING = Path(__file__).with_name("killing.py")


@pytest.mark.parametrize("kills", [4, pytest.param(20, marks=pytest.mark.slow)])
def test_nothing_is_lost_or_left_over(kills, tmp_path):
    command = [sys.executable, str(KILLING), str(tmp_path), str(kills), "0"]
    ended = subprocess.run(command, capture_output=True, text=True, cwd=KILLING.parents[2], check=False)
    assert ended.returncode == 0, ended.stderr
    seen = [json.loads(line) for line in ended.stdout.splitlines()]
    assert len(seen) == kills
    assert any(0 < each["step"] < 40 for each in seen)
    for each in seen:
        assert (each["resumed"], each["differing"]) == (0, []), (each, ended.stderr)
        files = {file for file in each["files"] if not file.startswith("events.out.")}  # where TensorBoard is installed
        assert files == {*FILES} - {"samples.png"}, each
