"""Every kind of bad config gives its one message: the line, the key, what was expected, what was found, what to do.

The line that a message must name is marked in the case itself, by `# <-`.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from lossdoctor.config.load import load_config, parse_config
from lossdoctor.errors import ConfigError

from .configs import write_config


@dataclass(frozen=True)
class Bad:
    name: str
    text: str
    key: str
    words: tuple[str, ...]


def bad(name: str, text: str, key: str, *words: str) -> Bad:
    return Bad(name, text, key, words)


def component(text: str) -> str:
    """A config with one component, `x`."""
    return f"loss: {{components: {{x: {text}}}}} # <-"


def weights(text: str) -> str:
    """A config with weights for the components of user code."""
    return f"loss: {{step: 'a:b', weights: {text}}} # <-"


CASES = [
    # unknown keys
    bad("top-level typo", "mesure: {batches: 2} # <-", "mesure", "an unknown key", "did you mean `measure`?"),
    bad("key of another section", "device: cpu # <-", "device", "belongs under measure"),
    bad("key like no other", "zzz: 1 # <-", "zzz", "one of the keys version, model, data, loss"),
    bad(
        "model typo",
        """
        model:
          target: a:b
          chekpoint: null # <-
        """,
        "model.chekpoint",
        "did you mean `checkpoint`?",
    ),
    bad(
        "typo of a required key is not also a missing key",
        """
        model:
          targt: a:b # <-
        """,
        "model.targt",
        "did you mean `target`?",
    ),
    bad(
        "component typo",
        """
        loss:
          components:
            lab:
              term: mse
              spce: lab # <-
              channels: [a, b]
        """,
        "loss.components.lab.spce",
        "one of the keys weight, reduction, space, channels, normalize, term",
        "did you mean `space`?",
    ),
    bad(
        "option of another term",
        """
        loss:
          components:
            skin: {term: mse, backbone: vgg16} # <-
        """,
        "loss.components.skin.backbone",
        "`backbone` is for perceptual",
    ),
    bad(
        "schedule typo",
        """
        loss:
          components:
            lab:
              term: mse
              weight:
                from: 0.0
                to: 1.0
                ower: 10 # <-
        """,
        "loss.components.lab.weight.ower",
        "one of the keys from, to, start, over, shape",
        "did you mean `over`?",
    ),
    bad(
        "from with the Python name",
        weights("{kl: {from_: 0, to: 1, over: 9}}"),
        "loss.weights.kl.from_",
        "did you mean `from`?",
    ),
    bad("image data typo", "data: {images: ., sise: 64} # <-", "data.sise", "did you mean `size`?"),
    bad("typo of images", "data: {image: photos} # <-", "data.image", "did you mean `images`?"),
    bad("image option with a target", "data: {target: 'a:b', sigma: 0.1} # <-", "data.sigma", "goes with `images`"),
    bad(
        "images and target",
        """
        data:
          target: a:b
          images: . # <-
        """,
        "data.images",
        "either `images` or `target`, not both",
    ),
    bad(
        "validation typo",
        "data: {target: 'a:b', validation: {target: 'a:b', arg: {}}} # <-",
        "data.validation.arg",
        "did you mean `args`?",
    ),
    bad("trial typo", "trial: {stepps: 3} # <-", "trial.stepps", "did you mean `steps`?"),
    # missing keys
    bad("no target of the model", "model: {args: {}} # <-", "model.target", "required", "found nothing"),
    bad("neither target nor images", "data: {batch_size: 4} # <-", "data.target", "required", "`images`"),
    bad("no term", "loss: {components: {lab: {space: lab}}} # <-", "loss.components.lab.term", "mse", "found nothing"),
    bad(
        "schedule without an end",
        weights("{kl: {from: 0, over: 9}}"),
        "loss.weights.kl.to",
        "required",
    ),
    # wrong types
    bad("section that is text", "model: unet # <-", "model", "expected a mapping", "'unet'"),
    bad("section that is empty", "measure: # <-", "measure", "expected a mapping", "found null"),
    bad(
        "component that is a number", "loss: {components: {lab: 3}} # <-", "loss.components.lab", "a mapping", "found 3"
    ),
    bad("list for a mapping", "loss: {components: [mse]} # <-", "loss.components", "a mapping", "a list with 'mse'"),
    bad("yes for true", "model: {target: 'a:b', strict: yes} # <-", "model.strict", "true or false", "write true"),
    bad("off for false", component("{term: mse, normalize: off}"), "loss.components.x.normalize", "write false"),
    bad("number in quotes", "trial: {lr: '1e-3'} # <-", "trial.lr", "a number", "'1e-3'", "without quotes"),
    bad(
        "number with underscores",
        "trial: {steps: 1_000} # <-",
        "trial.steps",
        "a whole number",
        "'1_000'",
        "underscores",
    ),
    bad("fraction for a count", "measure: {batches: 2.5} # <-", "measure.batches", "a whole number", "found 2.5"),
    bad("number for text", "trial: {optimizer: 3} # <-", "trial.optimizer", "expected text", 'in quotes: "3"'),
    bad("number for a path", "model: {target: 'a:b', checkpoint: 5} # <-", "model.checkpoint", "expected text"),
    bad("true for a weight", weights("{kl: true}"), "loss.weights.kl", "a number", "found true"),
    bad("null for a weight", weights("{kl: null}"), "loss.weights.kl", "a number", "found null"),
    bad("text for channels", component("{term: mse, channels: R}"), "loss.components.x.channels", "a list"),
    bad(
        "args that are a list",
        "model: {target: 'a:b', args: [1]} # <-",
        "model.args",
        "expected a mapping",
        "a list with 1",
    ),
    bad("pattern that is a number", "measure: {parameters: 3} # <-", "measure.parameters", "expected text"),
    bad("pattern of an objective", "measure: {parameters: {g: 3}} # <-", "measure.parameters.g", "expected text"),
    bad("version in quotes", "version: '1' # <-", "version", "expected 1", "found '1'"),
    bad("another version", "version: 2 # <-", "version", "expected 1", "found 2", "reads version 1"),
    bad("true for the version", "version: true # <-", "version", "expected 1", "found true"),
    # values out of range
    bad("no batch", "measure: {batches: 0} # <-", "measure.batches", "greater than 0", "found 0"),
    bad("huge image", "data: {images: ., size: 5000} # <-", "data.size", "at most 4096"),
    bad("tiny image", "data: {images: ., size: 4} # <-", "data.size", "at least 8"),
    bad("negative step", weights("{x: {from: 0, to: 1, over: -1}}"), "loss.weights.x.over", "at least 0"),
    bad("even window", component("{term: ssim, window: 8}"), "loss.components.x.window", "an odd number", "7 or 9"),
    bad(
        "no layers",
        component("{term: perceptual, pretrained: random, layers: []}"),
        "loss.components.x.layers",
        "at least 1",
    ),
    bad(
        "layer -1",
        component("{term: perceptual, pretrained: random, layers: [-1]}"),
        "loss.components.x.layers.0",
        "at least 0",
    ),
    bad(
        "weight that is NaN", component("{term: mse, weight: .nan}"), "loss.components.x.weight", "finite", "found .nan"
    ),
    bad("weight that is infinite", weights("{x: -.inf}"), "loss.weights.x", "finite", "found -.inf"),
    bad("weight beyond float", weights("{x: 1e999}"), "loss.weights.x", "finite", "found .inf"),
    bad("schedule to NaN", weights("{x: {from: 0, to: .nan, over: 1}}"), "loss.weights.x.to", "finite"),
    bad("learning rate below 0", "trial: {lr: -1} # <-", "trial.lr", "at least 0"),
    bad("share above 1", "loss: {step: 'a:b', shares: {x: 1.5}, tolerance: 2} # <-", "loss.shares.x", "at most 1"),
    bad(
        "regular expression",
        "data: {images: ., group: '(a'} # <-",
        "data.group",
        "a regular expression",
        "unterminated",
    ),
    # words
    bad(
        "unknown term",
        component("{term: mes}"),
        "loss.components.x.term",
        "one of mse, l1",
        "'mes'",
        "did you mean `mse`?",
    ),
    bad("term that is no text", component("{term: [mse]}"), "loss.components.x.term", "one of mse", "a list"),
    bad("unknown space", component("{term: mse, space: LAB}"), "loss.components.x.space", "did you mean `lab`?"),
    bad("unknown task", "data: {images: ., task: colourization} # <-", "data.task", "did you mean `colorization`?"),
    bad(
        "unknown role",
        "loss: {step: 'a:b', roles: {kl: regulariser}} # <-",
        "loss.roles.kl",
        "did you mean `regularizer`?",
    ),
    bad(
        "unknown shape",
        weights("{x: {from: 0, to: 1, over: 1, shape: linaer}}"),
        "loss.weights.x.shape",
        "did you mean `linear`?",
    ),
    bad("unknown device", "measure: {device: gpu} # <-", "measure.device", "auto, cpu, cuda, cuda:N or mps", "'gpu'"),
    bad("unknown precision", "measure: {precision: float16} # <-", "measure.precision", "'fp32', 'bf16' or 'fp16'"),
    bad("unknown rhythm", "trial: {measure_every: often} # <-", "trial.measure_every", "a whole number", "auto"),
    bad(
        "channel of another space",
        component("{term: mse, space: lab, channels: [R]}"),
        "loss.components.x.channels",
        "channels of lab: L, a, b",
    ),
    bad(
        "channel in the wrong case",
        component("{term: mse, space: lab, channels: [l]}"),
        "loss.components.x.channels",
        "did you mean `L`?",
    ),
    bad("channel twice", component("{term: mse, channels: [R, R]}"), "loss.components.x.channels", "each channel once"),
    bad("no channels", component("{term: mse, channels: []}"), "loss.components.x.channels", "channels of rgb"),
    # targets
    bad(
        "target with dots only",
        "model: {target: my.models.UNet} # <-",
        "model.target",
        "`module:callable`",
        "did you mean `my.models:UNet`?",
    ),
    bad(
        "target with a space",
        "loss: {step: 'my.train: losses'} # <-",
        "loss.step",
        "`module:callable`",
        "did you mean `my.train:losses`?",
    ),
    bad(
        "target that is a file",
        "loss: {step: 'src/train.py:losses'} # <-",
        "loss.step",
        "did you mean `src.train:losses`?",
    ),
    bad(
        "target without a name",
        "loss: {function: 'my.train:'} # <-",
        "loss.function",
        "`module:callable`",
        "then a colon",
    ),
    bad("metric with two colons", "trial: {metric: 'a::b'} # <-", "trial.metric", "did you mean `a:b`?"),
    bad(
        "built-in model",
        "model: {target: uent} # <-",
        "model.target",
        "a built-in model (unet)",
        "did you mean `unet`?",
    ),
    # which loss
    bad(
        "no loss",
        "loss: {tolerance: 2.0} # <-",
        "loss",
        "exactly one of `components`, `function` and `step`",
        "none of them",
    ),
    bad("two losses", "loss: {step: 'a:b', function: 'a:c'} # <-", "loss", "exactly one of", "`function` and `step`"),
    bad("no component", "loss: {components: {}} # <-", "loss.components", "at least one component"),
    bad(
        "nameless component",
        "loss: {components: {'': {term: mse}}} # <-",
        'loss.components.""',
        "the name of a component",
    ),
    bad(
        "weights beside components",
        """
        loss:
          components: {lab: {term: mse}}
          weights:
            lab: 2.0 # <-
        """,
        "loss.weights.lab",
        "the weight inside the component",
        "`loss.components.lab.weight`",
    ),
    bad(
        "weight of a missing component",
        "loss: {components: {lab: {term: mse}}, weights: {lba: 2}} # <-",
        "loss.weights.lba",
        "did you mean `lab`?",
    ),
    bad(
        "role of a missing component",
        "loss: {components: {lab: {term: mse}}, roles: {lba: regularizer}} # <-",
        "loss.roles.lba",
        "the name of a component: 'lab'",
        "did you mean `lab`?",
    ),
    bad(
        "share of a missing component",
        "loss: {components: {lab: {term: mse}}, shares: {other.lab: 0.5}} # <-",
        'loss.shares."other.lab"',
        "the name of a component",
    ),
    bad(
        "shares above 1 together",
        "loss: {step: 'a:b', shares: {x: 0.6, y: 0.5}} # <-",
        "loss.shares",
        "at most 1",
        "a sum of 1.1",
    ),
    bad(
        "shares a little above 1",
        "loss: {step: 'a:b', shares: {x: 0.5, y: 0.500002}} # <-",
        "loss.shares",
        "a sum of 1.000002",
    ),
    bad(
        "shares of an objective",
        "loss: {step: 'a:b', shares: {g.x: 0.9, d.x: 0.9, g.y: 0.2}} # <-",
        "loss.shares",
        "objective 'g'",
        "a sum of 1.1",
    ),
    # files
    bad(
        "no checkpoint",
        "model: {target: 'a:b', checkpoint: nope.pt} # <-",
        "model.checkpoint",
        "the path of a file",
        "'nope.pt', which is not there",
    ),
    bad(
        "checkpoint that is a folder",
        "model: {target: 'a:b', checkpoint: .} # <-",
        "model.checkpoint",
        "which is a folder",
    ),
    bad(
        "checkpoint mistyped",
        "model: {target: 'a:b', checkpoint: config.yml} # <-",
        "model.checkpoint",
        "did you mean `config.yaml`?",
    ),
    bad(
        "checkpoint that no system can have",
        'model: {target: "a:b", checkpoint: "\\0"} # <-',
        "model.checkpoint",
        "'\\x00'",
    ),
    bad(
        "checkpoint of endless name",
        f"model: {{target: 'a:b', checkpoint: {'x' * 5000}}} # <-",
        "model.checkpoint",
        "…'",
    ),
    bad("no images", "data: {images: photos/} # <-", "data.images", "the path of a folder", "'photos/'"),
    bad("images that are a file", "data: {images: config.yaml} # <-", "data.images", "which is a file"),
    bad(
        "no backbone weights",
        component("{term: perceptual, pretrained: imagnet}"),
        "loss.components.x.pretrained",
        "imagenet, random, or the path",
        "did you mean `imagenet`?",
    ),
    # YAML
    bad(
        "key twice",
        """
        measure:
          batches: 2
          seed: 1
          batches: 3 # <-
        """,
        "measure.batches",
        "each key once",
        "the first being on line 2",
    ),
    bad(
        "component twice",
        "loss: {components: {x: {term: mse}, x: {term: l1}}} # <-",
        "loss.components.x",
        "each key once",
    ),
    bad("number as a key", weights("{3: 1.0}"), "loss.weights", "text as a key", 'in quotes: "3"'),
    bad(
        "tag of Python",
        "model: {target: !!python/name:os.system '', strict: true} # <-",
        "model.target",
        "the tag '!!python/name:os.system'",
    ),
    bad(
        "tag that runs code",
        "model: {target: 'a:b', args: {x: !!python/object/apply:os.system [ls]}} # <-",
        "model.args.x",
        "a value without a tag",
    ),
    bad("tag of the user's", "model: {target: 'a:b', args: {x: !mine 3}} # <-", "model.args.x", "the tag '!mine'"),
    bad(
        "number with thousands of digits", f"trial: {{steps: {'9' * 5000}}} # <-", "trial.steps", "at most 1,000 digits"
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_one_message_with_line_key_and_words(tmp_path, case):
    path = write_config(tmp_path, case.text)
    with pytest.raises(ConfigError) as caught:
        load_config(path)
    (problem,) = caught.value.problems
    lines = path.read_text().splitlines()
    marked = next(number for number, line in enumerate(lines, 1) if line.endswith("# <-"))
    assert (problem.file, problem.line, problem.key) == (str(path), marked, case.key)
    assert 1 <= problem.column <= len(lines[problem.line - 1])
    for word in case.words:
        assert word in str(problem)


def test_there_are_enough_kinds():
    assert len({case.name for case in CASES}) == len(CASES) >= 60


#: Against `ToyRule`: name, config, key, words.
RULE_CASES = [
    ("unknown code", "rules: {LD999: {}} # <-", "rules.LD999", "the code of a rule", "did you mean `LD901`?"),
    ("typo of select", "rules: {selct: []} # <-", "rules.selct", "did you mean `select`?"),
    ("unknown prefix", "rules: {select: [LD9, XY]} # <-", "rules.select.1", "the beginning of codes", "'XY'"),
    ("empty prefix", "rules: {ignore: ['']} # <-", "rules.ignore.0", "the code of a rule"),
    ("prefix in lower case", "rules: {ignore: [ld901]} # <-", "rules.ignore.0", "did you mean `LD901`?"),
    ("prefixes that are text", "rules: {select: LD9} # <-", "rules.select", "expected a list"),
    ("prefix that is a number", "rules: {select: [901]} # <-", "rules.select.0", "expected text"),
    ("options that are a number", "rules: {LD901: 3} # <-", "rules.LD901", "a mapping of options (share, count"),
    ("unknown option", "rules: {LD901: {shar: 1}} # <-", "rules.LD901.shar", "did you mean `share`?"),
    ("text for a number", "rules: {LD901: {share: 'x'}} # <-", "rules.LD901.share", "a number", "'x'"),
    ("NaN for a number", "rules: {LD901: {share: .nan}} # <-", "rules.LD901.share", "finite"),
    ("fraction for a count", "rules: {LD901: {count: 1.5}} # <-", "rules.LD901.count", "a whole number"),
    ("yes for true", "rules: {LD901: {strict: yes}} # <-", "rules.LD901.strict", "write true"),
]


class TestRules:
    """The section `rules`, against a rule of the test's own."""

    @pytest.mark.parametrize(
        ("text", "key", "words"), [(t, k, w) for _, t, k, *w in RULE_CASES], ids=[c[0] for c in RULE_CASES]
    )
    def test_one_message(self, tmp_path, toy_rules, text, key, words):
        path = write_config(tmp_path, text)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        (problem,) = caught.value.problems
        assert (problem.line, problem.key) == (1, key)
        for word in words:
            assert word in str(problem)

    def test_good_options_stay_as_written(self, tmp_path, toy_rules):
        text = "rules: {select: [LD, LD901], ignore: [LD9], LD901: {share: 1, count: 2, strict: false, mode: x}}"
        config = load_config(write_config(tmp_path, text))
        assert config.rules.options == {"LD901": {"share": 1, "count": 2, "strict": False, "mode": "x"}}


class TestWholeFile:
    """What keeps a file from being read at all."""

    @pytest.mark.parametrize(
        ("content", "line", "words"),
        [
            (b"", 1, ("an empty file", "lossdoctor init")),
            (b"# nothing but comments\n\n", 1, ("an empty file",)),
            (b"null\n", 1, ("`key: value`", "null")),
            (b"- model\n- data\n", 1, ("`key: value`", "a list with 'model', 'data'")),
            (b"just text\n", 1, ("`key: value`", "'just text'")),
            (b"a: 1\n---\nb: 2\n", 2, ("one document", "a second one")),
            (b"a: 1\nb: \xff\n", 2, ("UTF-8", "the byte 0xff")),
            ("a: 1\n".encode("utf-16"), 1, ("UTF-8", "UTF-16")),
            (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 1, ("UTF-8", "the byte 0x89")),
            (b"a: 1\nPK\3\4\0\0", 2, ("a text file", "U+0003")),
            (b"a: 1\nb: \x1b[2J\n", 2, ("a text file", "U+001B")),
            ("a: 1\n# \u2028\n".encode(), 2, ("a text file", "U+2028")),
            (b"model:\n\ttarget: x\n", 2, ("a syntax error", "not tabs")),
            (b"a: 1\nb: c: d\n", 2, ("a syntax error", "in quotes")),
            (b"a: 'x\nb: 1\nc: 2\n", 1, ("a syntax error", "is not closed")),
            (b"a: [1, 2\nb: 3\n", 2, ("a syntax error", "(begun on line 1)", "closing bracket")),
            (b"a: 1\nb: *x\n", 2, ("a syntax error", "undefined alias", "in quotes")),
            (b"a: *\n", 1, ("a syntax error", "in quotes")),
            (b"a: 1\n- b\n", 2, ("a syntax error", "indentation")),
            (b"a: @x\n", 1, ("a syntax error", "in quotes")),
            (b"a: &x 1\nb: &x 2\n", 2, ("duplicate anchor", "name of its own")),
            (b'a: "C:\\data"\n', 1, ("unknown escape", "single quotes")),
            (b"a: -\n", 1, ("a syntax error", "[a, b]")),
        ],
    )
    def test_one_message(self, tmp_path, content, line, words):
        path = tmp_path / "config.yaml"
        path.write_bytes(content)
        with pytest.raises(ConfigError) as caught:
            load_config(path)
        (problem,) = caught.value.problems
        assert (problem.file, problem.line, problem.key) == (str(path), line, "")
        for word in words:
            assert word in str(problem)

    def test_missing_file(self, tmp_path):
        write_config(tmp_path, "", "normalized.yaml")
        with pytest.raises(ConfigError, match=r"nothing at this path\n.*did you mean `normalized.yaml`\?"):
            load_config(tmp_path / "normalised.yaml")

    def test_missing_file_in_a_missing_folder(self, tmp_path):
        with pytest.raises(ConfigError, match="nothing at this path"):
            load_config(tmp_path / "nowhere" / "config.yaml")

    def test_folder(self, tmp_path):
        with pytest.raises(ConfigError, match="expected a config file, found a folder"):
            load_config(tmp_path)

    def test_path_that_no_system_can_have(self):
        with pytest.raises(ConfigError, match="a config file that can be read"):
            load_config("a\0b")


def test_all_problems_at_once_from_top_to_bottom(tmp_path):
    text = """
    model: {target: nowhere}
    data: {images: nowhere}
    loss:
      components:
        lab: {term: mse, spce: lab, weight: .nan}
        ab: {term: mes, space: lob}
        ab: {term: l1}
      shares: {lba: 0.5}
    measure: {seed: -1}
    """
    path = write_config(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load_config(path, ["trial.lr=fast"])
    assert [(problem.line, problem.key) for problem in caught.value.problems] == [
        (1, "model.target"),
        (2, "data.images"),
        (5, "loss.components.lab.spce"),
        (5, "loss.components.lab.weight"),
        (7, "loss.components.ab"),
        (8, "loss.shares.lba"),
        (9, "measure.seed"),
        (0, "trial.lr"),
    ]
    assert str(caught.value).count(str(path)) == 7


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("{term: perceptul, pretraind: random, layers: [a], weight: x}", ["term", "pretraind", "layers.0", "weight"]),
        ("{term: charbonier, beta: 1.0}", ["term", "beta"]),
        ("{backbone: vgg16, layers: 3}", ["term", "layers"]),
    ],
)
def test_other_keys_of_a_component_without_its_term_are_checked(tmp_path, text, keys):
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, f"loss: {{components: {{x: {text}}}}}"))
    found = [problem.key.removeprefix("loss.components.x.") for problem in caught.value.problems]
    assert sorted(found) == sorted(keys)


def test_a_mistyped_term_is_one_problem(tmp_path):
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, "loss: {components: {x: {trem: mse, space: lab}}}"))
    assert [problem.key for problem in caught.value.problems] == ["loss.components.x.trem"]


@pytest.mark.parametrize("table", ["weights", "components"])
def test_thousands_of_problems_are_cut_short(tmp_path, table):
    entries = "".join(f"    q{number}: {{term: x}}\n" for number in range(3000))
    components = "".join(f"    k{number}: {{term: mse}}\n" for number in range(3000))
    text = f"loss:\n  {table}:\n{entries}" + (f"  components:\n{components}" if table == "weights" else "")
    with pytest.raises(ConfigError) as caught:
        load_config(write_config(tmp_path, text))
    *problems, last = caught.value.problems
    assert len(problems) == 100
    assert (last.expected, last.found) == ("at most 100 problems", "more")
    assert len(str(caught.value)) < 100_000


@pytest.mark.parametrize("name", ["\x1b[2J", "a\nb", "\x9b31m", "\u202egpj", "x" * 5000])
def test_nothing_a_terminal_obeys_is_printed(toy_rules, name):
    data = {
        "model": {"target": name},
        "data": {"target": "a:b", name: 1},
        "loss": {"components": {name: {"term": name}}, "roles": {name + "!": name}},
        "rules": {name: {}, "select": [name]},
    }
    with pytest.raises(ConfigError) as caught:
        parse_config(data)
    lines = str(caught.value).splitlines()
    assert all(line.isprintable() for line in lines)
    assert max(map(len, lines)) < 1000
    assert all(len(problem.key) < 200 for problem in caught.value.problems)
