"""Setups with one fault each, in user code: the right code, the right components, the right line."""

from pathlib import Path

import pytest
from safetensors.torch import save_file
from torch import nn

import lossdoctor
from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity

HERE = Path(__file__).parent
ERROR, WARNING, NOTE = Severity.ERROR, Severity.WARNING, Severity.NOTE


def config(module, model="Net", data="batches", data_args=None, model_section=None, measure=None, **loss):
    """Return a config of one module of this folder: names without a colon are the module's."""
    target = {key: f"{module}:{name}" for key, name in loss.items() if key in ("step", "function")}
    return parse_config(
        {
            "model": {"target": f"{module}:{model}", **(model_section or {})},
            "data": {"target": f"{module}:{data}", "args": data_args or {}},
            "loss": {**loss, **target},
            "measure": {"batches": 2, **(measure or {})},
        },
        HERE / "config.yaml",
    )


def only(report, code):
    (finding,) = [finding for finding in report.findings if finding.code == code]
    return finding


def place(finding):
    return Path(finding.location.file).name, finding.location.line


def marked(module, mark="# fault"):
    """Return the place of a mark in a module of this folder."""
    lines = (HERE / f"{module}.py").read_text().splitlines()
    (line,) = [number for number, text in enumerate(lines, 1) if mark in text]
    return f"{module}.py", line


def errors(report):
    return {finding.code for finding in report.findings if finding.severity is ERROR}


class TestColorSpaces:
    @pytest.mark.parametrize(
        ("loss", "mark", "weights"),
        [
            ({"function": "kornia_terms"}, "# fault: kornia", {"perceptual": 1.0, "color": 1.0}),
            ({"step": "by_hand"}, "# fault: by hand", {"features": 1.0, "color": 1.0}),
        ],
    )
    def test_conversion_without_normalisation(self, loss, mark, weights):
        report = lossdoctor.inspect(config("colorization", "Colorizer", "Photos", weights=weights, **loss))
        finding = only(report, "LD201")
        assert errors(report) == {"LD201"}
        assert finding.components == ("color",)
        assert "CIELAB" in finding.message
        assert place(finding) == marked("colorization", mark)
        starved = only(report, "LD102")
        assert (starved.severity, starved.explained_by) == (NOTE, "LD201")

    def test_data_in_lab(self):
        report = lossdoctor.inspect(
            config(
                "colorization",
                "LabRegressor",
                "Photos",
                {"in_lab": True},
                function="lab_targets",
                weights={"reconstruction": 1.0, "vividness": 1.0},
            )
        )
        finding = only(report, "LD201")
        assert errors(report) == {"LD201"}
        assert finding.components == ("reconstruction",)
        assert place(finding) == marked("colorization", "# fault: the data")

    def test_lab_and_ab(self):
        report = lossdoctor.inspect(
            config(
                "colorization",
                "Colorizer",
                "Photos",
                step="overlapping",
                weights={"lab": 1.0, "ab": 1.0, "features": 0.1},
            )
        )
        finding = only(report, "LD106")
        assert errors(report) == set()
        assert finding.severity is WARNING
        assert set(finding.components) == {"lab", "ab"}


class TestScale:
    def test_pixels_up_to_255(self):
        report = lossdoctor.inspect(
            config(
                "restoration",
                "Denoiser",
                data_args={"scale": 255.0},
                model_section={"args": {"scale": 255.0}},
                function="eight_bit",
                weights={"features": 1.0, "pixel": 1.0},
            )
        )
        finding = only(report, "LD203")
        assert errors(report) == {"LD203"}
        assert finding.components == ("pixel",)
        assert place(finding) == marked("restoration")
        assert only(report, "LD102").explained_by == "LD203"

    @pytest.mark.parametrize(
        ("weights", "code", "component"),
        [
            ({"features": 1.0, "pixel": 1e4}, "LD101", "pixel"),
            ({"features": 1e-4, "pixel": 1.0}, "LD102", "features"),
        ],
    )
    def test_weights_of_another_order(self, weights, code, component):
        report = lossdoctor.inspect(config("restoration", "Denoiser", function="unit", weights=weights))
        finding = only(report, code)
        assert errors(report) == {code}
        assert finding.components == (component,)
        assert finding.fix == {f"loss.weights.{component}": 1.0}

    def test_counted_twice_under_two_names(self):
        report = lossdoctor.inspect(
            config(
                "restoration",
                "Denoiser",
                function="counted_twice",
                weights={"mse": 1.0, "reconstruction": 1.0, "edges": 0.5},
            )
        )
        assert only(report, "LD106").components == ("mse", "reconstruction")

    def test_a_weight_of_zero(self):
        report = lossdoctor.inspect(
            config("restoration", "Denoiser", function="unit", weights={"features": 0.0, "pixel": 1.0})
        )
        finding = only(report, "LD506")
        assert (finding.components, finding.severity) == (("features",), WARNING)


class TestNoGradient:
    @pytest.mark.parametrize(
        ("loss", "component", "operation", "mark"),
        [
            ({"function": "item"}, "l1", "item", "# fault: item"),
            ({"step": "detach"}, "consistency", "detach", "# fault: detach"),
            ({"function": "data"}, "bias", "data", "# fault: data"),
            ({"function": "through_numpy"}, "histogram", "numpy", "# fault: numpy"),
            ({"step": "through_argmax"}, "accuracy", "argmax", "# fault: argmax"),
            ({"step": "no_grad"}, "perceptual", "no_grad", "# fault: features under no_grad"),
        ],
    )
    def test_every_way_out(self, loss, component, operation, mark):
        report = lossdoctor.inspect(config("detached", **loss))
        finding = only(report, "LD501")
        assert errors(report) == {"LD501"}
        assert finding.components == (component,)
        assert finding.evidence["cut_by"] == operation
        assert place(finding) == marked("detached", mark)

    def test_the_wrong_features_in_a_gan(self):
        report = lossdoctor.inspect(config("feature_matching_gan", "Vocoder", step="step"))
        finding = only(report, "LD501")
        assert errors(report) == {"LD501"}
        assert (finding.objective, finding.components) == ("generator", ("feature_matching",))
        assert place(finding) == marked("feature_matching_gan")


class TestZeroGradient:
    def test_a_clamp_that_everything_is_beyond(self):
        report = lossdoctor.inspect(config("dead", "TwoHeads", function="clamped"))
        finding = only(report, "LD502")
        assert errors(report) == {"LD502"}
        assert finding.components == ("depth",)
        assert place(finding) == marked("dead", "# fault: clamped")
        assert "clamp" in finding.message or "constant" in finding.message

    def test_a_hinge_behind_a_relu(self):
        report = lossdoctor.inspect(config("dead", "TwoHeads", step="dead_hinge"))
        assert errors(report) == {"LD502"}
        assert only(report, "LD502").components == ("adversarial",)

    def test_the_prediction_compared_with_itself(self):
        report = lossdoctor.inspect(config("dead", "TwoHeads", function="itself"))
        finding = only(report, "LD502")
        assert errors(report) == {"LD502"}
        assert finding.components == ("normals",)
        assert "itself" in finding.message
        assert place(finding) == marked("dead", "# fault: itself")


class TestParameters:
    def test_a_head_without_a_loss(self):
        report = lossdoctor.inspect(config("dead", "TwoHeads", function="one_head"))
        finding = only(report, "LD503")
        assert errors(report) == set()
        assert finding.evidence["modules"] == {"normals": 75}

    def test_the_checkpoint_of_another_model(self, tmp_path):
        other = nn.ModuleDict({"trunk": nn.Sequential(nn.Linear(8, 24)), "head": nn.Linear(24, 4)})
        checkpoint = tmp_path / "other.safetensors"
        save_file(other.state_dict(), checkpoint)
        report = lossdoctor.inspect(
            config("dead", "TwoHeads", function="both_heads", model_section={"checkpoint": str(checkpoint)})
        )
        finding = only(report, "LD801")
        assert errors(report) == {"LD801"}
        assert set(finding.components) == {"depth", "normals"}
        assert finding.evidence["reshaped"].keys() == {"trunk.0.weight"}
        assert "head.weight" in finding.evidence["unexpected"]
        assert "depth.weight" in finding.evidence["missing"]


class TestNotFinite:
    @pytest.mark.parametrize(
        ("loss", "component", "operation", "mark"),
        [
            ({"function": "log_of_zero"}, "kl", "log", "# fault: log"),
            ({"step": "empty_mask"}, "masked", "div", "# fault: no element"),
        ],
    )
    def test_values(self, loss, component, operation, mark):
        report = lossdoctor.inspect(config("non_finite", **loss))
        finding = only(report, "LD601")
        assert errors(report) == {"LD601"}
        assert finding.components == (component,)
        assert finding.evidence["operation"] == operation
        assert place(finding) == marked("non_finite", mark)

    @pytest.mark.parametrize(
        ("loss", "component", "operation", "mark"),
        [
            ({"step": "root_of_zero"}, "smoothness", "sqrt", "# fault: the root of zero"),
            ({"function": "angle_of_one"}, "geodesic", "acos", "# fault: the cosine"),
            ({"function": "root_behind_where"}, "root", "sqrt", "# fault: sqrt"),
        ],
    )
    def test_gradients(self, loss, component, operation, mark):
        report = lossdoctor.inspect(config("non_finite", **loss))
        finding = only(report, "LD602")
        assert errors(report) == {"LD602"}
        assert finding.components == (component,)
        assert finding.evidence["operation"] == operation
        assert place(finding) == marked("non_finite", mark)


class TestReductions:
    @pytest.mark.parametrize(
        ("function", "model", "ratio", "mark"),
        [
            ("over_the_batch", "Denoiser", {"batch x2": 2, "batch x3": 3, "elements x2": 2}, "# fault: over the batch"),
            ("over_the_pixels", "Denoiser", {"batch x2": 1, "batch x3": 1, "elements x2": 2}, "# fault: over the pix"),
            ("bare_sum", "FixedBatch", None, "# fault: bare"),
        ],
    )
    def test_sums_beside_means(self, function, model, ratio, mark):
        report = lossdoctor.inspect(
            config("reductions", model, function=function, weights={"pixels": 1.0, "edges": 1.0})
        )
        finding = only(report, "LD301")
        assert errors(report) == {"LD301"}
        assert finding.components == ("pixels",)
        measured = finding.evidence["growth"]["pixels"]
        if ratio is None:
            assert measured["traced reduction"] == "sum"
        else:
            assert measured == pytest.approx({key: ratio[key] for key in measured}, rel=0.05)
        assert place(finding) == marked("reductions", mark)

    def test_tokens(self):
        report = lossdoctor.inspect(config("reductions", "Tagger", "sentences", function="tagging"))
        finding = only(report, "LD301")
        assert finding.components == ("tags",)
        assert finding.evidence["growth"]["tags"]["elements x2"] == pytest.approx(2, rel=0.05)

    def test_all_alike_is_a_note(self):
        report = lossdoctor.inspect(config("reductions", "Denoiser", step="all_sums"))
        finding = only(report, "LD301")
        assert (finding.severity, set(finding.components)) == (NOTE, {"pixels", "colours"})

    @pytest.mark.parametrize("model", ["Denoiser", "FixedBatch"])
    def test_a_mean_by_hand_is_no_sum(self, model):
        report = lossdoctor.inspect(config("reductions", model, function="mean_by_hand"))
        assert not [finding for finding in report.findings if finding.code == "LD301"]


class TestEdges:
    @pytest.mark.parametrize(
        ("model", "data", "function", "component", "edge", "operation", "mark"),
        [
            ("Denoiser", "batches", "root_of_squares", "distance", "equals its target", "sqrt", "# fault: sqrt"),
            ("Denoiser", "batches", "relative", "relative", "black", "div", "# fault: div"),
            ("Denoiser", "batches", "per_sample_mask", "masked", "empty mask", "div", "# fault: empty"),
            ("Wave", "tones", "log_spectrum", "spectrum", "silent", "log", "# fault: log"),
            ("Tagger", "partly_labelled", "supervised", "ce", "without a single", "cross_entropy", "# fault: ce"),
            ("Tagger", "partly_labelled", "nearest", "spread", "equal", "sqrt", "# fault: equal"),
        ],
    )
    def test_every_edge(self, model, data, function, component, edge, operation, mark):
        report = lossdoctor.inspect(config("edges", model, data, function=function))
        finding = only(report, "LD607")
        assert errors(report) == set()
        assert (finding.severity, finding.components) == (WARNING, (component,))
        assert any(edge in name for name in finding.evidence["edges"])
        assert finding.evidence["operation"] == operation
        assert place(finding) == marked("edges", mark)

    @pytest.mark.parametrize(
        ("model", "data", "function", "arguments"),
        [
            ("Denoiser", "batches", "masked_mean", {}),  # a mask of 70 %: no batch is without an element
            ("Tagger", "partly_labelled", "supervised", {"labelled": 0.9}),  # nor one without a label
        ],
    )
    def test_what_does_not_happen(self, model, data, function, arguments):
        report = lossdoctor.inspect(config("edges", model, data, data_args=arguments, function=function))
        assert not [finding for finding in report.findings if finding.code == "LD607"]


class TestHalfPrecision:
    @pytest.mark.parametrize(
        ("model", "data", "function", "component", "operation", "reason", "mark"),
        [
            ("Enhancer", "batches", "energy", "energy", "square", "range", "# fault: overflow"),
            ("Enhancer", "batches", "chroma", "chroma", "div", "range", "# fault: eps"),
            ("Critic", "rows", "certainty", "certainty", "log", "precision", "# fault: log"),
        ],
    )
    @pytest.mark.parametrize("precision", ["fp32", "fp16"])
    def test_every_way(self, model, data, function, component, operation, reason, mark, precision):
        setup = config("half", model, data, measure={"precision": precision}, function=function)
        report = lossdoctor.inspect(setup)
        finding = next(finding for finding in report.findings if finding.code == "LD603")
        assert finding.severity is (ERROR if precision == "fp16" else NOTE)
        assert errors(report) == ({"LD603"} if precision == "fp16" else set())
        assert finding.components == (component,)
        assert (finding.evidence["operation"], finding.evidence["reason"]) == (operation, reason)
        assert place(finding) == marked("half", mark)


class TestTotals:
    def test_a_total_beside_its_parts_is_counted_twice(self):
        finding = only(lossdoctor.inspect(config("totals", function="terms")), "LD106")
        assert finding.severity is WARNING
        assert finding.components == ("loss", "error", "smoothness")
        assert finding.evidence["coefficients"] == pytest.approx({"error": 1.0, "smoothness": 0.1}, rel=1e-3)

    def test_a_total_that_is_only_logged_is_not_in_it_twice(self):
        report = lossdoctor.inspect(config("totals", function="detached_total"))
        assert "LD106" not in {finding.code for finding in report.findings}
        assert only(report, "LD501").components == ("loss",)


class TestModes:
    @pytest.mark.parametrize(
        ("model", "loss", "component", "kind", "network"),
        [
            ("Denoiser", {"function": "with_dropout"}, "perceptual", "dropout", "Sequential"),
            ("Denoiser", {"function": "with_batch_norm"}, "perceptual", "batch norm", "Sequential"),
            ("Denoiser", {"step": "by_function"}, "robust", "dropout", None),
            ("Distiller", {"step": "distill"}, "taught", "dropout", "Sequential"),
        ],
    )
    def test_train_mode_on_the_loss_side(self, model, loss, component, kind, network):
        report = lossdoctor.inspect(config("modes", model, **loss))
        finding = only(report, "LD407")
        assert (finding.severity, finding.components) == (WARNING, (component,))
        assert set(finding.evidence["layers"]) == {f"{kind} in {network or 'the loss'}"}
        if network is None:
            assert place(finding) == marked("modes", "# fault: functional")

    def test_noise_elsewhere_is_none_of_it(self):
        report = lossdoctor.inspect(config("modes", "Denoiser", step="fine"))
        assert not [finding for finding in report.findings if finding.code == "LD407"]
