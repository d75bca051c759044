"""What has to start in a moment imports nothing heavy, not even in passing."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ("torch", "torchvision", "kornia", "pandas")

#: Whoever only asks for a rule waits for neither the schema of the config nor the renderers.
NOT_FOR_RULES = ("lossdoctor.config.schema", "lossdoctor.reports", "ruamel.yaml", "yaml")

SCRIPT = """
import sys
{code}
print(*sorted(name for name in sys.modules if name in {heavy}), sep=",", file=sys.stderr)
"""

CASES = {
    "lossdoctor": "import lossdoctor",
    "its names": "import lossdoctor; lossdoctor.inspect, lossdoctor.measure, lossdoctor.Report",
    "rules": "import lossdoctor.rules; assert lossdoctor.rules.registry()",
    "reports": "import lossdoctor.reports",
    "diagnosis": "from lossdoctor.diagnose import diagnose; from lossdoctor.rules.base import Case; diagnose(Case())",
    "config": "from lossdoctor.config.load import parse_config; parse_config({'model': {'target': 'unet'}, "
    "'data': {'target': 'm:d'}, 'loss': {'components': {'lab': {'term': 'mse'}}}, 'rules': {'LD101': {}}})",
    "a config that cannot be used": "import lossdoctor\ntry: lossdoctor.inspect('nowhere.yaml')\n"
    "except lossdoctor.LossDoctorError: pass\nelse: sys.exit('no error')",
    **{
        command: f"import runpy; sys.argv[1:] = {command.split()!r}\n"
        "try: runpy.run_module('lossdoctor', run_name='__main__')\nexcept SystemExit as done: assert not done.code"
        for command in (
            "--help",
            "--version",
            "inspect --help",
            "check --help",
            "check sample_data/colorization/normalized.yaml",
            "rule",
            "rule LD201",
            "schema",
        )
    },
}


@pytest.mark.parametrize("code", CASES.values(), ids=CASES)
def test_imports_nothing_heavy(code):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=code, heavy=HEAVY)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr == "\n", f"imported {done.stderr}"


@pytest.mark.parametrize("name", ["rules", "diagnosis", "rule", "rule LD201"])
def test_rules_are_explained_without_what_only_a_config_needs(name):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT.format(code=CASES[name], heavy=NOT_FOR_RULES)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == "\n", f"imported {done.stderr}"


def test_would_notice_a_heavy_import(tmp_path, monkeypatch):
    """The check itself: a module of that name, found first, is seen."""
    (tmp_path / "pandas.py").touch()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    script = SCRIPT.format(code="import pandas", heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == "pandas\n"
