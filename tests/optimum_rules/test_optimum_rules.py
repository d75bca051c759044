"""Setups in user code for the rules about optima, targets, totals and inputs: found where it is wrong, silent else."""

from pathlib import Path

import pytest

import lossdoctor
from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity

HERE = Path(__file__).parent
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def inspect(module, model="Net", data="batches", data_args=None, **loss):
    """Inspect a config of one module of this folder."""
    names = {key: f"{module}:{name}" for key, name in loss.items() if key in ("step", "function", "total")}
    return lossdoctor.inspect(
        parse_config(
            {
                "model": {"target": f"{module}:{model}"},
                "data": {"target": f"{module}:{data}", "args": data_args or {}},
                "loss": {**loss, **names},
            },
            HERE / "config.yaml",
        )
    )


def found(report, *codes):
    """Return code, level and components of what is found of these codes, and explained by nothing."""
    return [
        (finding.code, finding.severity, finding.components)
        for finding in report.findings
        if finding.code in codes and finding.explained_by is None
    ]


class TestTotals:
    @staticmethod
    def of(total):
        report = inspect("totals", step="losses", total=total, weights={"ce": 1.0, "dice": 0.5, "tv": 0.1})
        return found(report, "LD504", "LD507")

    @pytest.mark.parametrize("total", ["right", "told"])
    def test_as_it_should_be(self, total):
        assert self.of(total) == []

    @pytest.mark.parametrize(
        ("total", "code", "components"),
        [
            ("added_twice", "LD504", ("dice",)),
            ("forgotten", "LD504", ("tv",)),
            ("with_penalty", "LD504", ("ce", "tv", "dice")),
            ("switched", "LD507", ("tv",)),
            ("squared", "LD504", ("ce", "tv", "dice")),
        ],
    )
    def test_what_is_wrong(self, total, code, components):
        assert self.of(total) == [(code, ERROR, components)]

    def test_a_common_factor(self):
        assert self.of("accumulated") == [("LD504", NOTE, ("ce", "tv", "dice"))]


class TestWrongDirection:
    @staticmethod
    def of(**loss):
        report = inspect("directions", **loss)
        assert "LD403" not in {skipped.code for skipped in report.skipped}
        return {component for code, _, components in found(report, "LD403") for component in components}

    @pytest.mark.parametrize("seed", [0, 5])
    @pytest.mark.parametrize(
        ("model", "data", "function", "wrong"),
        [
            ("Net", "images", "similarities", {"ssim", "psnr", "cosine", "correlation", "negative", "log likelihood"}),
            ("Net", "images", "similarity_losses", set()),
            ("Net", "masks", "similarities", {"ssim", "psnr", "cosine", "correlation", "negative", "log likelihood"}),
            ("Net", "masks", "similarity_losses", set()),
            ("Net", "masks", "scores", {"dice", "iou"}),
            ("Net", "masks", "score_losses", set()),
            ("Classifier", "labels", "likelihoods", {"ce", "gathered", "picked", "one hot"}),
            ("Classifier", "labels", "likelihood_losses", set()),
            ("Classifier", "rollouts", "policy", set()),
        ],
    )
    def test_the_whole_output(self, model, data, function, wrong, seed):
        assert self.of(model=model, data=data, function=function, data_args={"seed": seed}) == wrong

    def test_a_negative_weight_makes_a_loss_of_a_score_and_a_score_of_a_loss(self):
        weights = {"bce": -1.0, "dice": -1.0, "iou": 1.0}
        assert self.of(data="masks", function="scores", weights=weights) == {"bce", "iou"}

    def test_a_teacher(self):
        assert self.of(model="Twins", data="labels", step="untaught") == {"kd"}

    def test_margins_kernels_and_what_is_pushed_apart_on_purpose(self):
        assert self.of(model="Twins", data="labels", step="taught") == set()

    def test_two_players(self):
        assert self.of(model="Adversary", data="labels", step="domains") == set()


class TestInputIgnored:
    @pytest.mark.parametrize("model", ["Dead", "Zeros"])
    def test_found(self, model):
        assert found(inspect("inputs", model, function="terms"), "LD706") == [("LD706", ERROR, ())]

    def test_a_head_that_starts_at_zero(self):
        report = inspect("inputs", "ZeroHead", function="terms")
        assert found(report, "LD706") == [("LD706", NOTE, ())]
        assert [finding for finding in report.findings if finding.severity is ERROR] == []

    @pytest.mark.parametrize(("model", "loss"), [("Net", "function"), ("Residual", "function"), ("Gan", "step")])
    def test_silent(self, model, loss):
        report = inspect("inputs", model, **{loss: "gan" if model == "Gan" else "terms"})
        assert found(report, "LD706") == []


class TestImperfectOptimum:
    @pytest.mark.parametrize("seed", [0, 7])
    @pytest.mark.parametrize(
        ("model", "data", "loss", "wrong"),
        [
            ("Net", "photos", "function:mixed_up", {"flipped", "chroma", "offset"}),
            ("SigmoidNet", "photos", "function:mixed_up", {"flipped", "chroma", "offset"}),
            ("Net", "photos", "function:alike", set()),
            ("SigmoidNet", "photos", "function:alike", set()),
            ("Net", "photos", "function:other_units", set()),
            ("Classifier", "labels", "function:off_by_one", {"ce"}),
            ("Classifier", "labels", "function:smoothed", set()),
            ("Distilled", "labels", "step:teacher_alone", {"kd", "by_hand"}),
            ("Distilled", "labels", "step:same", set()),
            ("Distilled", "labels", "step:sharpened", set()),
            ("Language", "texts", "function:shifted", set()),
        ],
    )
    def test_components(self, model, data, loss, wrong, seed):
        kind, _, name = loss.partition(":")
        report = inspect("optima", model, data, {"seed": seed}, **{kind: name})
        assert "LD404" not in {skipped.code for skipped in report.skipped}
        assert {c for _, _, components in found(report, "LD404") for c in components} == wrong
        assert {f.code for f in report.findings if f.severity is ERROR} <= {"LD404"}


class TestGradientIntoTarget:
    @pytest.mark.parametrize(
        ("model", "loss", "expected"),
        [
            ("Net", "function:frozen", []),
            ("Net", "function:trainable", [("LD505", WARNING, ("perceptual",))]),
            ("Net", "function:learned_centres", []),
            ("Pair", "step:follows", []),
            ("Pair", "step:chases", [("LD505", WARNING, ("match",))]),
            ("Pair", "step:two_towers", []),
        ],
    )
    def test_components(self, model, loss, expected):
        kind, _, name = loss.partition(":")
        assert found(inspect("targets", model, **{kind: name}), "LD505") == expected
