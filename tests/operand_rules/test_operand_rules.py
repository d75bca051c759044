"""Rules about what enters a loss, on setups as practitioners write them: each fault, and what only looks like it."""

import shutil
from pathlib import Path
from typing import Any, NamedTuple

import pytest

import lossdoctor
from lossdoctor.config.load import parse_config
from lossdoctor.records import Severity

HERE = Path(__file__).parent

#: torch itself warns of two of the faults.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Using a target size"),
    pytest.mark.filterwarnings("ignore:reduction. 'mean' divides the total loss by both the batch size"),
]
LEVELS = {
    code: Severity.WARNING if code in ("LD204", "LD205", "LD303") else Severity.ERROR
    for code in ("LD202", "LD204", "LD205", "LD207", "LD302", "LD303", "LD401", "LD402", "LD405", "LD406")
}


class Setup(NamedTuple):
    """A model, data and a loss of one module of this folder; arguments of the first two in brackets."""

    module: str
    model: str
    data: str
    loss: str  #: "step name" or "function name"
    model_args: dict[str, Any]
    data_args: dict[str, Any]

    def __str__(self):
        args = ",".join(f"{value}" for value in (*self.model_args.values(), *self.data_args.values()))
        return f"{self.module}-{self.loss.split()[-1]}-{args}"

    def inspect(self):
        kind, name = self.loss.split()
        mapping = {
            "model": {"target": f"{self.module}:{self.model}", "args": self.model_args},
            "data": {"target": f"{self.module}:{self.data}", "args": self.data_args, "batch_size": 4},
            "loss": {kind: f"{self.module}:{name}"},
            "measure": {"batches": 3},
        }
        return lossdoctor.inspect(parse_config(mapping, HERE / "config.yaml"))


def colorizer(loss, *, scale=1.0, signed=False, **model_args):
    return Setup("ranges", "Colorizer", "Photos", loss, model_args, {"scale": scale, "signed": signed})


def regressor(data, loss, last, **data_args):
    return Setup("ranges", "Regressor", data, loss, {"last": last}, data_args)


def critic(loss, squeeze=False):
    return Setup("shapes", "Critic", "returns", loss, {"squeeze": squeeze}, {})


def depth(loss):
    return Setup("shapes", "DepthNet", "depth_maps", loss, {}, {})


def painter(loss):
    return Setup("colors", "Painter", "photos", loss, {}, {})


def compass(loss, as_angle=True, **data_args):
    return Setup("colors", "Compass", "headings", loss, {"as_angle": as_angle}, data_args)


def classifier(loss, last=None, classes=10):
    args = {"classes": classes}
    return Setup("probabilities", "Classifier", "labelled", loss, {"last": last, **args}, args)


def gan(loss, sigmoid):
    return Setup("probabilities", "GAN", "labelled", loss, {"sigmoid": sigmoid}, {})


def masks(loss, last=None, **data_args):
    return Setup("probabilities", "Masks", "masks", loss, {"last": last}, data_args)


def embedder(data, loss, **data_args):
    return Setup("probabilities", "Embedder", data, loss, {}, data_args)


#: (setup, code, components, mark of the line)
FAULTY = [
    (colorizer("function reconstruction"), "LD202", ("l1",), "a criterion"),
    (colorizer("step pix2pix"), "LD202", ("pixel",), "by hand"),
    (colorizer("function plain", last="sigmoid", scale=255.0), "LD202", ("mse",), "plain"),
    (colorizer("function one_side_scaled", last="sigmoid"), "LD202", ("lab",), "one side scaled"),
    (colorizer("step eight_bit_lab", last="sigmoid"), "LD202", ("lab",), "8-bit LAB"),
    (painter("function hsv"), "LD205", ("hsv",), "hsv"),
    (painter("step hue"), "LD205", ("hue",), "hue"),
    (compass("function heading"), "LD205", ("heading",), "heading"),
    (compass("step degrees", as_angle=False, half_turn=180.0), "LD205", ("yaw",), "degrees"),
    (colorizer("step chroma", last="relu", channels=2), "LD207", ("ab",), "chroma"),
    (colorizer("function plain", last="sigmoid", signed=True), "LD207", ("mse",), "plain"),
    (regressor("standardized", "function regression", "sigmoid"), "LD207", ("data",), "closure"),
    (regressor("depths", "step log_regression", "softplus"), "LD207", ("log",), "logarithms"),
    (critic("step value_loss"), "LD302", ("value",), "values"),
    (critic("function by_hand"), "LD302", ("value",), "by hand"),
    (critic("step weighted"), "LD302", ("value",), "weighted"),
    (depth("function depth_loss"), "LD302", ("log",), "maps"),
    (classifier("function distill_mean"), "LD303", ("soft",), "the default"),
    (classifier("step distill_elements"), "LD303", ("soft",), "elements"),
    (classifier("function criterion", "softmax"), "LD401", ("ce",), "softmax in the model"),
    (classifier("function criterion", "softmax", classes=100), "LD401", ("ce",), "softmax in the model"),
    (classifier("step attention"), "LD401", ("classify",), "rows that add up to 1"),
    (masks("function segment", "sigmoid"), "LD401", ("bce",), "masks"),
    (classifier("function nll", "softmax"), "LD402", ("nll",), "nll"),
    (classifier("function nll"), "LD402", ("nll",), "nll"),
    (classifier("step distill_probabilities"), "LD402", ("soft",), "probabilities"),
    (classifier("function distill_swapped"), "LD402", ("soft",), "swapped"),
    (masks("function segment", high=255.0), "LD405", ("bce",), "masks"),
    (masks("function segment", low=-1.0), "LD405", ("bce",), "masks"),
    (masks("function focal", low=-1.0), "LD405", ("focal",), "focal"),
    (classifier("step distill_to_logits"), "LD405", ("soft",), "a target of logits"),
    (embedder("labelled", "step pairs_01"), "LD405", ("embed",), "pairs"),
    (embedder("counts", "function poisson", log=True), "LD405", ("rate",), "counts"),
    (masks("step segment_probabilities", "clamp"), "LD406", ("bce",), "clamped"),
    (masks("step segment_clipped", "linear"), "LD406", ("bce",), "clipped"),
]

#: Setups in which none of these rules has anything to say, whatever they look like.
HEALTHY = [
    colorizer("function rescaled"),
    colorizer("function plain", signed=True),
    colorizer("function plain", last="linear"),
    colorizer("function both_sides_scaled", last="sigmoid"),
    colorizer("step chroma", last="linear", channels=2),
    colorizer("step scaled_chroma", channels=2),
    regressor("depths", "function regression", "exp"),
    regressor("depths", "function masked", "exp", unknown=-1.0),
    Setup("ranges", "Colorizer", "overshooting", "function plain", {"last": "sigmoid", "channels": 1}, {}),
    Setup("ranges", "VectorQuantizer", "Photos", "step commitment", {}, {}),
    critic("step value_loss", squeeze=True),
    critic("step lsgan"),
    critic("step all_pairs"),
    depth("function per_image_map"),
    painter("function saturation"),
    painter("function wrapped_hue"),
    painter("step hue_vector"),
    compass("step wrapped_heading"),
    compass("function heading", field_of_view=0.4),
    compass("function as_a_vector", as_angle=False),
    classifier("step logits"),
    classifier("function twice_log_softmax", "log_softmax"),
    classifier("function nll", "log_softmax"),
    classifier("step nll_of_probabilities"),
    classifier("step distill_well"),
    classifier("step reinforce"),
    gan("step gan_step", sigmoid=False),
    gan("step probability_gan", sigmoid=True),
    masks("function segment"),
    masks("function segment", smoothing=0.2),
    masks("step without_ignored", ignored=255.0),
    masks("step segment_probabilities", "sigmoid"),
    embedder("labelled", "step pairs_signed"),
    embedder("counts", "function poisson"),
]


def found(report, code):
    return [finding for finding in report.findings if finding.code == code and finding.explained_by is None]


def only(report, code):
    (finding,) = found(report, code)
    return finding


def marked(module, mark):
    """Return the place of a mark in a module of this folder."""
    lines = (HERE / f"{module}.py").read_text(encoding="utf-8").splitlines()
    (line,) = [number for number, text in enumerate(lines, 1) if text.endswith(f"# fault: {mark}")]
    return f"{module}.py", line


@pytest.mark.parametrize(("setup", "code", "components", "mark"), FAULTY, ids=str)
def test_a_fault_is_found_where_it_is_and_taken_for_no_other(setup, code, components, mark):
    report = setup.inspect()
    finding = only(report, code)
    assert finding.severity is LEVELS[code]
    assert finding.components == components
    assert (Path(finding.location.file).name, finding.location.line) == marked(setup.module, mark)
    assert [other for other in LEVELS if other != code and found(report, other)] == []


@pytest.mark.parametrize("setup", HEALTHY, ids=str)
def test_what_only_looks_like_a_fault(setup):
    report = setup.inspect()
    assert [finding for code in LEVELS for finding in found(report, code)] == []


def test_a_sigmoid_in_the_discriminator_shows_in_both_objectives():
    findings = found(gan("step gan_step", sigmoid=True).inspect(), "LD401")
    assert {finding.objective: finding.components for finding in findings} == {
        "G": ("adversarial",),
        "D": ("real", "fake"),
    }


def test_the_root_explains_what_follows_from_it():
    eight_bits = colorizer("function plain", last="sigmoid", scale=255.0).inspect()
    assert {finding.explained_by for finding in eight_bits.findings if finding.code == "LD203"} == {"LD202"}
    logits = classifier("step distill_to_logits").inspect()
    assert {finding.explained_by for finding in logits.findings if finding.code == "LD601"} == {"LD405"}


class TestBuiltInComponents:
    CONFIG = """\
model: {{target: "ranges:Colorizer", args: {{last: {last}}}}}
data: {{target: "ranges:Photos", args: {{signed: {signed}}}, batch_size: 4}}
loss:
  components:
    l1: {{term: l1, weight: 1.0}}
    features: {{term: perceptual, layers: [1], pretrained: random, weight: 1.0}}
    hue:
      term: mse
      space: {space}
      weight: 1.0
    smooth: {{term: tv, weight: 0.1}}
measure: {{batches: 2}}
"""

    @pytest.fixture
    def inspect(self, tmp_path):
        def inspect(last="sigmoid", signed="false", space="rgb"):
            shutil.copy(HERE / "ranges.py", tmp_path)
            path = tmp_path / "config.yaml"
            path.write_text(self.CONFIG.format(last=last, signed=signed, space=space), encoding="utf-8")
            return lossdoctor.inspect(path)

        return inspect

    def test_nothing_wrong(self, inspect):
        report = inspect()
        assert [finding for code in LEVELS for finding in found(report, code)] == []

    def test_tanh(self, inspect):
        finding = only(inspect(last="tanh"), "LD202")
        assert finding.components == ("l1", "features", "hue")
        assert finding.location.line == 1

    def test_sigmoid_before_signed_targets(self, inspect):
        report = inspect(signed="true")
        assert only(report, "LD207").components == ("l1", "features", "hue")
        network = only(report, "LD204")
        assert (network.severity, network.components, network.location.line) == (Severity.WARNING, ("features",), 6)

    def test_images_that_a_linear_output_may_reach(self, inspect):
        report = inspect(last="linear", signed="true")
        assert found(report, "LD207") == []
        assert only(report, "LD204").components == ("features",)

    def test_hue(self, inspect):
        finding = only(inspect(space="hsv"), "LD205")
        assert (finding.components, finding.location.line) == (("hue",), 9)
        assert finding.fix == {"loss.components.hue.space": "lab"}
