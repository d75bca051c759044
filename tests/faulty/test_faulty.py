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
