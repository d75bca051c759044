"""The options that several commands share, each declared once."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer


class PrecisionName(str, Enum):
    """Precisions to measure in."""

    FP32 = "fp32"
    BF16 = "bf16"
    FP16 = "fp16"


class FormatName(str, Enum):
    """Report formats; the renderers are in `reports.FORMATS`."""

    RICH = "rich"
    JSON = "json"
    SARIF = "sarif"
    JUNIT = "junit"
    GITHUB = "github"
    MARKDOWN = "markdown"
    CSV = "csv"


class FailOnLevel(str, Enum):
    """The least severity that makes a command exit 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"
    NEVER = "never"


_MEASURING, _RULES, _OUTPUT, _TRIAL = "Measuring", "Rules", "Output", "Trial"

ConfigPath = Annotated[Path, typer.Argument(metavar="CONFIG", help="The config file (YAML).", show_default=False)]

Batches = Annotated[
    int | None,
    typer.Option("--batches", metavar="N", min=1, help=r"Batches to measure \[config: 4].", rich_help_panel=_MEASURING),
]
Checkpoints = Annotated[
    list[str] | None,
    typer.Option(
        "--checkpoints",
        metavar="PATTERN",
        help="Measure saved checkpoints as well, one after the other: 'ckpt/*.safetensors', in quotes; repeatable.",
        rich_help_panel=_MEASURING,
    ),
]
Device = Annotated[
    str | None,
    typer.Option(
        "--device",
        metavar="DEVICE",
        help=r"auto, cpu, cuda, cuda:N or mps \[config: auto].",
        rich_help_panel=_MEASURING,
    ),
]
Precision = Annotated[
    PrecisionName | None,
    typer.Option(
        "--precision", help=r"Autocast precision, the loss included \[config: fp32].", rich_help_panel=_MEASURING
    ),
]
Seed = Annotated[
    int | None,
    typer.Option(
        "--seed", metavar="N", min=0, help=r"Seed of everything random \[config: 0].", rich_help_panel=_MEASURING
    ),
]
Set = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="KEY.PATH=VALUE",
        help="Override any value of the config; repeatable. Example: --set loss.components.lab.weight=0.5",
        rich_help_panel=_MEASURING,
    ),
]
FromScratch = Annotated[
    bool,
    typer.Option("--from-scratch", help="Ignore model.checkpoint: fresh random weights.", rich_help_panel=_MEASURING),
]
AtStep = Annotated[
    int | None,
    typer.Option(
        "--at-step",
        metavar="N",
        min=0,
        help=r"Weights that follow a schedule have their value at this optimizer step \[default: its end].",
        rich_help_panel=_MEASURING,
    ),
]
Quick = Annotated[
    bool, typer.Option("--quick", help="Run only the gradient and operand instruments.", rich_help_panel=_MEASURING)
]

Select = Annotated[
    list[str] | None,
    typer.Option(
        "--select", metavar="CODES", help="Rules to run: codes or prefixes, LD101,LD2.", rich_help_panel=_RULES
    ),
]
Ignore = Annotated[
    list[str] | None,
    typer.Option("--ignore", metavar="CODES", help="Rules to leave out: codes or prefixes.", rich_help_panel=_RULES),
]
FailOn = Annotated[
    FailOnLevel, typer.Option("--fail-on", help="Least severity that makes the exit code 1.", rich_help_panel=_RULES)
]

Formats = Annotated[
    list[FormatName] | None,
    typer.Option(
        "--format",
        metavar="FORMAT",
        help=f"{', '.join(FormatName)}; repeatable. Goes to stdout, or to its --output.",
        rich_help_panel=_OUTPUT,
    ),
]
Outputs = Annotated[
    list[Path] | None,
    typer.Option(
        "--output",
        metavar="FILE",
        help="File for a --format; repeatable, paired in order.",
        rich_help_panel=_OUTPUT,
    ),
]
Wide = Annotated[
    bool,
    typer.Option("--wide", help="Show every column and the cosine matrix, however narrow.", rich_help_panel=_OUTPUT),
]
Quiet = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", help="No table and no progress; only what --format asks for.", rich_help_panel=_OUTPUT
    ),
]
Traceback = Annotated[
    bool, typer.Option("--traceback", help="Show the Python traceback of an error.", rich_help_panel=_OUTPUT)
]


Steps = Annotated[
    int | None,
    typer.Option("--steps", metavar="N", min=1, help=r"Optimizer steps \[config: 200].", rich_help_panel=_TRIAL),
]
MaxSeconds = Annotated[
    float | None,
    typer.Option(
        "--max-seconds", metavar="S", min=0.0, help="End the run after so many seconds.", rich_help_panel=_TRIAL
    ),
]
OutputDir = Annotated[
    Path | None,
    typer.Option(
        "--output-dir",
        metavar="DIR",
        help=r"Folder of the run: report, metrics, weights, pictures \[runs/<config name>].",
        rich_help_panel=_TRIAL,
    ),
]
FromCheckpoint = Annotated[
    bool,
    typer.Option(
        "--from-checkpoint", help="Start from model.checkpoint, not from fresh weights.", rich_help_panel=_TRIAL
    ),
]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace the run that the folder holds.", rich_help_panel=_TRIAL)
]


def measure_overrides(
    batches: int | None,
    device: str | None,
    precision: PrecisionName | None,
    seed: int | None,
    *,
    from_scratch: bool,
) -> list[str]:
    """Return the options that say how to measure, in the form of `--set`."""
    named = {
        "measure.batches": batches,
        "measure.device": device,
        "measure.precision": precision.value if precision else None,
        "measure.seed": seed,
    }
    overrides = [f"{key}={value}" for key, value in named.items() if value is not None]
    return [*overrides, "model.checkpoint=null"] if from_scratch else overrides


def trial_overrides(steps: int | None) -> list[str]:
    """Return the options of a trial that the config has too, in the form of `--set`."""
    return [] if steps is None else [f"trial.steps={steps}"]


def rule_overrides(select: Sequence[str] | None, ignore: Sequence[str] | None) -> list[str]:
    """Return the options that choose rules, `LD1,LD2` or repeated, in the form of `--set`."""
    tables = {"rules.select": select, "rules.ignore": ignore}
    return [f"{key}=[{', '.join(_codes(values))}]" for key, values in tables.items() if values]


def _codes(values: Sequence[str]) -> list[str]:
    return [code.strip() for value in values for code in value.split(",") if code.strip()]
