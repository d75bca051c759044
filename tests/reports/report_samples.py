"""Reports as the commands make them: the founding case, a GAN, a healthy setup, and a static check."""

from __future__ import annotations

import math
from dataclasses import replace
from io import StringIO

from rich.console import Console

from lossdoctor.errors import ConfigError, Problem, UserCodeError
from lossdoctor.records import (
    ComponentReport,
    Cosine,
    Finding,
    Location,
    ObjectiveReport,
    Report,
    Severity,
    Skipped,
    Spread,
    Verdict,
)
from lossdoctor.report import failed_report
from lossdoctor.reports import render_rich
from lossdoctor.trial_records import ComponentVerdict, Curve, Evaluation, TrajectoryPoint, Trial


def shown(report: Report, width: int, *, wide: bool = False) -> str:
    """What a terminal without colours shows, trailing blanks left out."""
    file = StringIO()
    Console(file=file, width=width, color_system=None).print(render_rich([report], wide=wide))
    return "".join(f"{line.rstrip()}\n" for line in file.getvalue().splitlines())


def component(name: str, weight: float, value: float | None, norm: float | None, **changes: object) -> ComponentReport:
    """A component whose shares are filled in by `objective`."""
    facts = {
        "role": None,
        "value": value,
        "weighted_value": weight * value,
        "value_share": None,
        "grad_norm": norm,
        "weighted_grad_norm": weight * norm,
        "grad_share": None,
        "output_grad_norm": norm / 5,
        "cosine_to_total": 0.62,
        "spread": Spread(0.031, 0.052),
        "attached": True,
        "finite": True,
    }
    return ComponentReport(name=name, weight=weight, **(facts | changes))


def objective(name: str, *components: ComponentReport, cosines: tuple[Cosine, ...] = ()) -> ObjectiveReport:
    """An objective with the shares and totals of its components."""
    value = sum(part.weighted_value for part in components if part.finite)
    norms = sum(part.weighted_grad_norm for part in components if part.attached and part.finite)
    shared = tuple(
        replace(
            part,
            value_share=part.weighted_value / value,
            grad_share=part.weighted_grad_norm / norms,
        )
        if part.attached and part.finite
        else part
        for part in components
    )
    return ObjectiveReport(name, value, math.hypot(norms / 1.2), shared, cosines)


LAB = Finding(
    code="LD201",
    name="unnormalized-color-space",
    severity=Severity.ERROR,
    objective="total",
    components=("lab", "ab"),
    message=(
        "lab and ab compare CIELAB in raw units: L runs over 0–98.9 and a, b over −86.2…98.3 instead of 0–1. "
        "Together they hold 99.94 % of the gradient, and perceptual is left with 0.06 %."
    ),
    evidence={
        "space": "lab",
        "joint_share": 0.99936,
        "channels": {
            "L": {"min": 0.0, "max": 98.90213, "std": 27.41},
            "a": {"min": -86.1827, "max": 98.2543, "std": 12.03},
            "b": {"min": -107.8602, "max": 94.478, "std": 17.9},
        },
    },
    remedy="Normalise both (L/100, (a, b)+128 over 256), or divide their weights by the range squared.",
    fix={"loss.components.lab.normalize": True, "loss.components.ab.normalize": True},
    location=Location("sample_data/colorization/unnormalized.yaml", 14, 49),
)
STARVED = Finding(
    code="LD102",
    name="starved-component",
    severity=Severity.NOTE,
    objective="total",
    components=("perceptual",),
    message="perceptual holds 0.06 % of the gradient: the model can ignore it.",
    evidence={"grad_share": 0.00064},
    remedy="Follow the advice of LD201.",
    explained_by="LD201",
)
OVERLAP = Finding(
    code="LD106",
    name="overlapping-components",
    severity=Severity.WARNING,
    objective="total",
    components=("lab", "ab"),
    message="ab compares channels that lab compares too, so colour is counted twice.",
    evidence={"shared_channels": ["a", "b"], "cosine": 0.5713},
    remedy="Let lab compare lightness alone, beside ab.",
    fix={"loss.components.lab.channels": ["L"]},
    location=Location("sample_data/colorization/unnormalized.yaml", 15, 9),
)
MISLEADING = Finding(
    code="LD104",
    name="value-misleads",
    severity=Severity.NOTE,
    objective="total",
    components=("perceptual",),
    message="perceptual is 0.04 % of the value but 0.06 % of the gradient.",
    evidence={"value_share": 0.00043, "grad_share": 0.00064},
    remedy="Judge the balance by the gradient share, not by the printed values.",
)

FOUNDING = Report(
    command="inspect",
    config="sample_data/colorization/unnormalized.yaml",
    verdict=Verdict.FAIL,
    objectives=(
        objective(
            "total",
            component("perceptual", 1.0, 0.97, 1.091, cosine_to_total=0.043, spread=Spread(0.08, 0.11)),
            component("lab", 1.0, 679.88, 241.7, cosine_to_total=0.71),
            component("ab", 2.0, 791.08, 732.63, cosine_to_total=0.984),
            cosines=(
                Cosine("perceptual", "lab", 0.021),
                Cosine("perceptual", "ab", -0.0134),
                Cosine("lab", "ab", 0.5713),
            ),
        ),
    ),
    findings=(MISLEADING, STARVED, OVERLAP, LAB),
    skipped=(
        Skipped("LD403", "needs probes"),
        Skipped("LD301", "needs probes"),
        Skipped("LD701", "no trial was run"),
    ),
    environment={"torch": "2.15.0", "device": "cpu", "batches": 4, "seconds": 3.24},
    version="0.1.0",
)

GAN = Report(
    command="inspect",
    config="gan.yaml",
    verdict=Verdict.WARN,
    objectives=(
        objective(
            "generator",
            component("adversarial", 1.0, 0.6931, 0.0231),
            component("feature_matching", 10.0, 0.00213, 1.2e-3),
            component("reconstruction", 100.0, 0.214, 0.31, cosine_to_total=0.999),
            component("kl", 1e-3, 12.5, 4.1e-2, role="regularizer"),
            cosines=(
                Cosine("adversarial", "feature_matching", 0.2),
                Cosine("adversarial", "reconstruction", -0.83),
                Cosine("adversarial", "kl", None),
                Cosine("feature_matching", "reconstruction", 0.11),
                Cosine("feature_matching", "kl", 0.0),
                Cosine("reconstruction", "kl", -0.01),
            ),
        ),
        objective("discriminator", component("real", 1.0, 0.701, 0.11), component("fake", 1.0, 0.688, 0.093)),
    ),
    findings=(
        Finding(
            code="LD101",
            name="dominated-objective",
            severity=Severity.WARNING,
            objective="generator",
            components=("reconstruction",),
            message="reconstruction holds 99.9 % of the gradient: the other two barely count.",
            evidence={"grad_share": 0.99888},
            remedy="Lower the weight of reconstruction, or declare the balance that you mean in loss.shares.",
            fix={"loss.weights.reconstruction": 1.25},
            location=Location("gan.yaml", 21),
        ),
    ),
    skipped=(),
    environment={"torch": "2.15.0", "device": "cuda:0", "batches": 1, "seconds": 12.0},
)

HEALTHY = Report(
    command="inspect",
    config="sample_data/colorization/balanced.yaml",
    verdict=Verdict.PASS,
    objectives=(
        objective(
            "total",
            component("perceptual", 1.0, 0.97, 1.09),
            component("lab", 18.0, 0.0123, 0.0431),
            component("ab", 40.0, 0.00871, 0.0302),
        ),
    ),
    findings=(),
    skipped=(),
    environment={"torch": "2.15.0", "device": "cpu", "batches": 4, "seconds": 3.2},
)

BROKEN = Report(
    command="inspect",
    config="broken.yaml",
    verdict=Verdict.FAIL,
    objectives=(
        replace(
            objective(
                "total",
                component("mse", 1.0, 2.5e7, 1.2e-9),
                component("accuracy", 1.0, 0.4, 0.0, attached=False, grad_norm=None, weighted_grad_norm=None),
                component(
                    "log",
                    0.5,
                    math.nan,
                    math.nan,
                    finite=False,
                    weighted_value=None,
                    grad_norm=None,
                    weighted_grad_norm=None,
                    cosine_to_total=None,
                    spread=Spread(None, None),
                ),
            ),
            value=None,
            grad_norm=None,
        ),
    ),
    findings=(
        Finding(
            "LD601",
            "non-finite-value",
            Severity.ERROR,
            "total",
            ("log",),
            "log is NaN in every batch; log of 0 made it first.",
            {"first": math.nan, "operation": "log", "batch": 0},
            "Add a small constant before the logarithm.",
            location=Location("train.py", 88),
        ),
        Finding(
            "LD501",
            "no-gradient",
            Severity.ERROR,
            "total",
            ("accuracy",),
            "accuracy has no gradient path to the model: argmax cannot be differentiated.",
            {},
            "Use cross_entropy.",
        ),
    ),
    skipped=(),
    environment={},
)

STATIC = replace(FOUNDING, command="check", objectives=(), findings=(LAB,), skipped=(), environment={})

#: A config that could not be used: a key that is wrong, the file as a whole, and what has no place at all.
UNUSABLE = replace(
    failed_report(
        ConfigError(
            (
                Problem("bad.yaml", 3, 9, "loss.weights.lab", "a number", "'heavy'", "write it without quotes"),
                Problem("bad.yaml", 0, 1, "", "a config file", "nothing at this path"),
            )
        ),
        command="check",
        config="bad.yaml",
    ),
    version="0.1.0",
)
CRASHED = failed_report(
    UserCodeError("step raised RuntimeError: no", "See train.py."), command="check", config="b.yaml"
)

SAMPLES = {"founding": FOUNDING, "gan": GAN, "healthy": HEALTHY, "broken": BROKEN, "static": STATIC}

HOSTILE_NAMES = (
    "[red]",
    "[/x]",
    "\x1b[2J",
    "two\nlines",
    "\u202eevil",
    "\udcff",
    "\ud800",
    "感知損失",
    "=cmd()",
    "@SUM(1) #1",
    "-1+2",
    "</details>",
    "<script>alert(1)</script>",
    "::error::",
    "%0A%25",
    "a,b:c",
    "'single' \"double\"",
    "a|b`c`*d*_e_~~f~~$g$",
    "](mailto:x)",
    "]]>&amp;&#60;",
    "{0} {name}",
    "www.example.org :tada:",
    "\u2028\x00\ufffe\x85",
    "x" * 60,
)


def hostile(text: str) -> Report:
    """The founding case with `text` in every field that holds a string."""
    cosine = Cosine(text, "other", 0.5)
    total = ObjectiveReport(
        text, 1.0, 1.0, (component(text, 1.0, 1.0, 1.0, role=text), component("other", 1, 1, 1)), (cosine,)
    )
    finding = replace(
        LAB,
        code=text,
        name=text,
        objective=text,
        components=(text,),
        message=text,
        evidence={text: {text: [text, {text: (text, math.nan)}]}, "flat": text},
        remedy=text,
        fix={text: text},
        location=Location(text, 3),
    )
    symptom = replace(finding, severity=Severity.NOTE, explained_by=text)
    return replace(
        FOUNDING,
        command=text,
        config=text,
        version=text,
        objectives=(total,),
        findings=(finding, symptom),
        skipped=(Skipped(text, text),),
        environment={text: text, "device": text},
        trial=hostile_trial(text, total),
    )


def hostile_trial(text: str, total: ObjectiveReport) -> Trial:
    """A trial with a foreign string wherever one can stand."""
    before, after = TrajectoryPoint(0, (total,), text), TrajectoryPoint(9, (total,), text)
    return Trial(
        kind="train",
        planned=9,
        steps=9,
        stopped=text,
        curves=(Curve(text, (0,), (1.0,), {text: (1.0,)}, {text: 1.0}, {text: text}, trained=1),),
        trajectory=(before, after),
        verdicts=(ComponentVerdict(text, text, 1.0, 0.5, 0.5, None, None, None, None, text),),
        metrics=(Evaluation(0, text, {text: 1.0}),),
        notes=(text,),
        files=(text,),
        skipped={text: text},
    )
