"""What gradients, outputs, data and schedules give away, through `inspect`: faults, and what only looks like them."""

from pathlib import Path

import pytest

import lossdoctor
from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity

HERE = Path(__file__).parent
RULES = ["LD103", "LD105", "LD604", "LD605", "LD606", "LD802", "LD901"]


def config(module, model, data="", args=None, data_args=None, loss="", trial=None, batch_size=8, **section):
    """Return a config of one module of this folder; `loss` is "function:name" or "step:name"."""
    kind, _, name = loss.partition(":")
    return parse_config(
        {
            "model": {"target": f"{module}:{model}", "args": args or {}},
            "data": {"target": f"{module}:{data}", "args": data_args or {}, "batch_size": batch_size},
            "loss": {kind: f"{module}:{name}", **section},
            "measure": {"batches": 3},
            **({"trial": trial} if trial else {}),
        },
        HERE / "config.yaml",
    )


def findings(config, code):
    """Return what one rule says in the end; nothing where another finding explains it."""
    return [f for f in lossdoctor.inspect(config).findings if f.code == code and f.explained_by is None]


def alarms(config):
    """Return the errors and warnings of the rules of this file, and the errors of any."""
    found = lossdoctor.inspect(config).findings
    return [f for f in found if f.severity is Severity.ERROR or (f.code in RULES and f.severity is Severity.WARNING)]


class TestConflict:
    @pytest.mark.parametrize("args", [{}, {"width": 24}])
    @pytest.mark.parametrize(
        ("loss", "weights", "pair"),
        [
            ("function:forward_and_backward", {}, {"forward", "backward"}),
            ("function:forward_and_backward", {"forward": 1.0, "backward": 2.0}, {"forward", "backward"}),
            ("step:smooth_and_sharp", {"epe": 0.01, "smooth": 5.0, "sharp": 10.0}, {"smooth", "sharp"}),
        ],
    )
    def test_found(self, loss, weights, pair, args):
        (finding,) = findings(config("conflicts", "FlowNet", "frames", args, loss=loss, weights=weights), "LD103")
        assert finding.severity is Severity.WARNING
        assert set(finding.components) == pair

    @pytest.mark.parametrize("args", [{}, {"width": 24}])
    def test_a_component_that_leads_away_from_the_target_is_why(self, args):
        weights = {"supervised": 1.0, "repulsion": 0.5, "mirror": 1.0}
        examined = config("conflicts", "FlowNet", "frames", args, loss="step:pushed_away", weights=weights)
        (wrong,) = findings(examined, "LD403")
        assert wrong.components == ("repulsion",)
        (conflict,) = [finding for finding in lossdoctor.inspect(examined).findings if finding.code == "LD103"]
        assert set(conflict.components) == {"supervised", "repulsion"}
        assert conflict.explained_by == "LD403"

    @pytest.mark.parametrize(
        ("model", "data", "loss", "weights"),
        [
            ("Siamese", "views", "function:vicreg", {"invariance": 25.0, "variance": 25.0, "covariance": 1.0}),
            ("Siamese", "views", "function:alignment_and_uniformity", {}),
            ("Siamese", "views", "step:pull_and_push", {}),
            ("Encoder", "points", "step:critic", {}),
            ("Encoder", "points", "function:objectness", {}),
            ("Encoder", "points", "function:heteroscedastic", {}),
        ],
    )
    @pytest.mark.parametrize("norm", [True, False])
    def test_terms_that_limit_each_other(self, model, data, loss, weights, norm):
        dim = {"critic": 1, "objectness": 1, "heteroscedastic": 2}.get(loss.partition(":")[2], 16)
        assert alarms(config("conflicts", model, data, {"dim": dim, "norm": norm}, loss=loss, weights=weights)) == []

    @pytest.mark.parametrize("noise", [0.1, 5.0])
    def test_views_that_have_little_in_common(self, noise):
        assert alarms(config("conflicts", "Siamese", "views", data_args={"noise": noise}, loss="function:vicreg")) == []


class TestBudget:
    def setup(self, loss="function:terms", model="Restorer", **section):
        return config("budgets", model, "Pairs", loss=loss, **section)

    @pytest.mark.parametrize(
        "section",
        [
            {"shares": {"pixel": 0.5, "edge": 0.5}, "weights": {"pixel": 100.0, "edge": 1.0}},
            {"shares": {"pixel": 0.5, "edge": 0.5}, "loss": "step:summed"},
            {"shares": {"pixel": 0.1, "edge": 0.3, "tv": 0.6}, "weights": {"pixel": 1.0, "edge": 1.0, "tv": 0.001}},
            {
                "shares": {"pixel": 0.5, "generator.adversarial": 0.5},
                "loss": "step:two_players",
                "model": "Players",
            },
        ],
    )
    def test_found_and_cured(self, section):
        (finding,) = findings(self.setup(**section), "LD105")
        assert finding.severity is Severity.ERROR
        weights = {
            **section.get("weights", {}),
            **{key.split("weights.")[1].strip('"'): w for key, w in finding.fix.items()},
        }
        assert findings(self.setup(**{**section, "weights": weights}), "LD105") == []

    @pytest.mark.parametrize(
        "section",
        [
            {},
            {"shares": {"pixel": 0.5, "edge": 0.5}, "tolerance": 1000.0, "weights": {"pixel": 10.0}},
            {"shares": {"pixel": 0.5, "edge": 0.5}, "weights": {"tv": 100.0}, "roles": {"tv": "regularizer"}},
            {"shares": {"edge": 0.5}, "roles": {"tv": "regularizer"}},
        ],
    )
    def test_met_or_not_declared(self, section):
        assert alarms(self.setup(**section)) == []


class TestExplodingGradient:
    @pytest.mark.parametrize(
        ("model", "args", "data", "loss", "component"),
        [
            ("stack", {"depth": 8, "gain": 1.0}, "rows", "function:error", "mse"),
            ("stack", {"depth": 5, "gain": 3.0, "activation": "LeakyReLU"}, "rows", "function:error", "mse"),
            ("Recurrent", {"gain": 4.0}, "sequences", "function:error", "mse"),
            ("stack", {}, "rows", "step:relative", "relative"),
            ("ZeroProjection", {}, "rows", "function:direction", "direction"),
        ],
    )
    def test_found(self, model, args, data, loss, component):
        (finding,) = findings(config("depths", model, data, args, loss=loss), "LD604")
        assert finding.severity is Severity.ERROR
        assert finding.components == (component,)

    @pytest.mark.parametrize(
        ("model", "args", "data", "loss"),
        [
            ("convolutions", {}, "Photos", "function:squares"),
            ("Recurrent", {"gain": 1.2}, "sequences", "function:error"),
            ("stack", {"depth": 30, "norm": True}, "rows", "function:error"),
        ],
    )
    def test_large_numbers(self, model, args, data, loss):
        assert alarms(config("depths", model, data, args, loss=loss)) == []

    def test_a_large_weight_of_a_healthy_component(self):
        assert alarms(config("depths", "stack", "rows", loss="function:error", weights={"mse": 1e9})) == []


class TestVanishingGradient:
    @pytest.mark.parametrize(
        ("args", "data_args", "loss"),
        [
            ({"depth": 12, "activation": "Sigmoid"}, {}, "function:error"),
            ({"depth": 40, "activation": "Sigmoid", "width": 16}, {"size": 64}, "function:error"),
            ({"depth": 6, "gain": 0.005}, {}, "function:error"),
            ({"depth": 2}, {}, "function:metres"),
        ],
    )
    def test_found(self, args, data_args, loss):
        (finding,) = findings(config("depths", "stack", "rows", args, data_args, loss), "LD605")
        assert finding.severity is Severity.WARNING
        assert finding.components == ()

    @pytest.mark.parametrize(
        ("model", "args", "data", "loss"),
        [
            ("residual_tower", {}, "rows", "function:error"),
            ("Wave", {}, "collocation", "step:heat"),
            ("stack", {"depth": 3, "activation": "Sigmoid"}, "rows", "function:error"),
            ("stack", {"depth": 8, "activation": "Tanh"}, "rows", "function:error"),
            ("Recurrent", {"gain": 0.9}, "sequences", "function:error"),
        ],
    )
    def test_small_for_a_reason(self, model, args, data, loss):
        assert alarms(config("depths", model, data, args, loss=loss)) == []


class TestSaturatedOutput:
    @pytest.mark.parametrize(
        ("model", "args", "data", "data_args", "loss"),
        [
            ("Scaled", {}, "Images", {"scale": 255.0}, "function:pixels"),
            ("Scaled", {"factor": 400.0}, "Images", {}, "function:pixels"),
            ("Scaled", {"activation": "tanh", "factor": 300.0, "span": 1.0}, "Images", {}, "function:pixels"),
            ("Scaled", {"factor": 400.0}, "Images", {"key": True}, "step:pixels_of_mapping"),
            ("Classifier", {"temperature": 0.01}, "clusters", {}, "function:likelihood"),
        ],
    )
    def test_found(self, model, args, data, data_args, loss):
        (finding,) = findings(config("heads", model, data, args, data_args, loss, batch_size=4), "LD606")
        assert finding.severity is Severity.WARNING

    @pytest.mark.parametrize(
        ("model", "args", "data", "loss"),
        [
            ("Scaled", {}, "Images", "function:pixels"),
            ("Scaled", {"activation": "tanh", "span": 1.0}, "Images", "function:pixels"),
            ("Classifier", {}, "clusters", "function:likelihood"),
            ("Classifier", {"temperature": 0.05, "fitted": True}, "clusters", "function:likelihood"),
            ("Thresholder", {}, "masks", "step:dice"),
            ("Prior", {}, "rare", "function:cross_entropy"),
        ],
    )
    def test_fresh_or_right(self, model, args, data, loss):
        assert alarms(config("heads", model, data, args, loss=loss, batch_size=4)) == []


class TestData:
    @pytest.mark.parametrize(
        ("model", "args", "data", "data_args", "loss", "words"),
        [
            ("convolutions", {}, "SameEveryTime", {}, "function:pixel", "exact copies"),
            ("convolutions", {}, "FailsSilently", {}, "step:pixel_of_mapping", "samples of input have the same value"),
            ("convolutions", {"out": 1}, "WrongThreshold", {}, "function:segmentation", "target is 0 in every element"),
            ("Classes", {}, "sorted_classes", {}, "function:classes", "target is 0 in every element"),
            ("convolutions", {"out": 1}, "not_numbers", {}, "function:pixel", "NaN"),
            ("convolutions", {"out": 1}, "not_numbers", {"where": "input"}, "function:pixel", "NaN"),
        ],
    )
    def test_found(self, model, args, data, data_args, loss, words):
        (finding,) = findings(config("readers", model, data, args, data_args, loss), "LD802")
        assert finding.severity is Severity.WARNING
        assert words in finding.message

    @pytest.mark.parametrize(
        ("model", "args", "data", "data_args", "loss"),
        [
            ("convolutions", {"out": 1}, "WrongThreshold", {"threshold": 0.5, "rare": True}, "function:segmentation"),
            ("convolutions", {"out": 1}, "not_numbers", {}, "function:measured_depth"),
            ("PatchCritic", {}, "least_squares_gan", {}, "function:pixel"),
            ("Conditioned", {}, "conditions", {}, "step:denoise"),
            ("Decoder", {}, "latents", {}, "function:pixel"),
            ("Gate", {}, "truth_table", {}, "function:truth"),
        ],
    )
    def test_look_alikes(self, model, args, data, data_args, loss):
        assert alarms(config("readers", model, data, args, data_args, loss)) == []

    def test_quick_does_not_look_at_the_samples(self):
        report = lossdoctor.inspect(
            config("readers", "convolutions", "SameEveryTime", loss="function:pixel"), quick=True
        )
        assert "LD802" not in {finding.code for finding in report.findings}


class TestSchedule:
    def setup(self, trial=None, **edge):
        weights = {"pixel": 1.0, "edge": {"from": 0.0, "to": 0.1, "over": 100, **edge}, "tv": 1e-3}
        return config("budgets", "Restorer", "Pairs", loss="function:terms", weights=weights, trial=trial)

    @pytest.mark.parametrize(
        ("trial", "edge"),
        [
            ({"steps": 500}, {"start": 250_001}),
            ({"steps": 50}, {}),
            (None, {"over": 0}),
            ({"steps": 80}, {"shape": "step"}),
        ],
    )
    def test_found(self, trial, edge):
        (finding,) = findings(self.setup(trial, **edge), "LD901")
        assert finding.severity is Severity.WARNING
        assert finding.components == ("edge",)

    @pytest.mark.parametrize(
        ("trial", "edge"), [({"steps": 100}, {}), (None, {"start": 10_000}), ({"lr": 0.01}, {"over": 5000})]
    )
    def test_carried_out_or_not_known(self, trial, edge):
        assert alarms(self.setup(trial, **edge)) == []
