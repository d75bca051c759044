"""Values and positions of a YAML file, and what is refused."""

from __future__ import annotations

import random
import string
import tracemalloc

import pytest
import yaml
from ruamel.yaml import YAML

from lossdoctor.config import yaml_reader
from lossdoctor.config.yaml_core import with_core_scalars
from lossdoctor.config.yaml_limits import MAX_ALIASES, MAX_DEPTH, MAX_NODES
from lossdoctor.config.yaml_reader import MAX_BYTES, read_document, read_yaml
from lossdoctor.errors import ConfigError
from lossdoctor.records import Location


@pytest.fixture(params=["libyaml", "python"])
def parser(request, monkeypatch):
    """Read with either of PyYAML's parsers."""
    loader = {"libyaml": yaml.CSafeLoader, "python": yaml.SafeLoader}[request.param]
    monkeypatch.setattr(yaml_reader, "CoreLoader", with_core_scalars(loader))


def refusal(text) -> str:
    with pytest.raises(ConfigError) as caught:
        read_yaml(text, "f.yaml")
    (problem,) = caught.value.problems
    return str(problem)


class TestPositions:
    def test_of_keys_and_items(self, parser):
        text = "a:\n  b: 1\n  'c d': [x, {e: 2}]\nä: {f: 3}\n  # comment\ng:\n- 1\n-   h: 4\n"
        positions = read_yaml(text, "f.yaml").positions
        assert {keys: (place.line, place.column) for keys, place in positions.items()} == {
            ("a",): (1, 1),
            ("a", "b"): (2, 3),
            ("a", "c d"): (3, 3),
            ("a", "c d", "0"): (3, 11),
            ("a", "c d", "1"): (3, 14),
            ("a", "c d", "1", "e"): (3, 15),
            ("ä",): (4, 1),
            ("ä", "f"): (4, 5),
            ("g",): (6, 1),
            ("g", "0"): (7, 3),
            ("g", "1"): (8, 5),
            ("g", "1", "h"): (8, 5),
        }
        assert positions["a",].file == "f.yaml"

    @pytest.mark.parametrize("seed", range(40))
    @pytest.mark.parametrize("flow", [True, False, None])
    def test_every_key_is_where_its_text_is(self, seed, flow):
        value = random_mapping(random.Random(seed), depth=4)
        text = "# head\n" + yaml.safe_dump(value, default_flow_style=flow, allow_unicode=True, width=60)
        document = read_yaml(text, "f.yaml")
        assert document.value == value
        assert set(document.positions) == set(paths(value))
        for keys, place in document.positions.items():
            written = text.splitlines()[place.line - 1][place.column - 1 :]
            if isinstance(value_at(value, keys[:-1]), dict):
                assert yaml.safe_load(written.partition(":")[0].lstrip("? ")) == keys[-1]

    @pytest.mark.parametrize("seed", range(20))
    def test_ruamel_finds_the_same(self, seed):
        value = random_mapping(random.Random(seed), depth=4)
        text = yaml.safe_dump(value, allow_unicode=True)
        reference = YAML(typ="rt").load(text)
        positions = read_yaml(text, "f.yaml").positions
        for keys, place in positions.items():
            parent = value_at(reference, keys[:-1])
            line, column = parent.lc.key(keys[-1]) if isinstance(parent, dict) else parent.lc.item(int(keys[-1]))
            assert (place.line, place.column) == (line + 1, column + 1)

    def test_aliases_and_merges_point_to_the_anchor(self, parser):
        text = "a: &x {k: 1}\nb: *x\nc:\n  <<: *x\n  l: 2\n"
        positions = read_yaml(text, "f.yaml").positions
        assert positions["b",] == Location("f.yaml", 2, 1)
        assert positions["b", "k"] == positions["a", "k"] == positions["c", "k"] == Location("f.yaml", 1, 8)
        assert positions["c", "l"] == Location("f.yaml", 5, 3)

    def test_windows_line_ends_and_byte_order_mark(self, parser):
        document = read_yaml(b"\xef\xbb\xbfa: 1\r\nb:\r\n  c: 2\r\n", "f.yaml")
        assert document.value == {"a": 1, "b": {"c": 2}}
        assert document.positions["a",] == Location("f.yaml", 1, 1)
        assert document.positions["b", "c"] == Location("f.yaml", 3, 3)


class TestMerges:
    def test_own_keys_win_and_earlier_sources_win(self, parser):
        text = "a: &a {x: 1, y: 1}\nb: &b {y: 2, z: 2}\nc: {z: 3, <<: [*a, *b]}\nd: {<<: {<<: *b, w: 4}}\n"
        value = read_yaml(text, "f").value
        assert value["c"] == {"x": 1, "y": 1, "z": 3}
        assert value["d"] == {"y": 2, "z": 2, "w": 4}
        # PyYAML's own constructor is the independent reference for merging.
        assert value == yaml.safe_load(text)

    def test_quoted_it_is_a_key(self):
        assert read_yaml('"<<": 1', "f").value == {"<<": 1}

    def test_values_are_not_shared(self):
        value = read_yaml("a: &x {k: []}\nb: *x\n", "f").value
        value["a"]["k"].append(1)
        assert value["b"] == {"k": []}

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            ("<<: 3", "a mapping to merge, found '3'"),
            ("<<: [{a: 1}, [b]]", "a mapping to merge, found a list"),
            ("<<: {a: 1}\n<<: {b: 1}", "each key once, found a second `<<`"),
        ],
    )
    def test_what_cannot_be_merged(self, text, words):
        assert words in refusal(text)


class TestSingleKeys:
    def test_all_are_noted_and_the_rest_is_read(self, parser):
        text = "a: 1\na: 2\n3: x\nb: !!set {c}\n[d]: 4\n? {e: 1}\n: 5\nnull: 6\n2001-01-01: date\non: off\n"
        document = read_document(text, "f")
        assert document.value == {"a": 2, "b": {"c": None}, "2001-01-01": "date", "on": "off"}
        assert [(problem.line, problem.column) for problem in document.problems] == [
            (2, 1),
            (3, 1),
            (5, 1),
            (6, 3),
            (8, 1),
            (4, 4),
        ]
        with pytest.raises(ConfigError) as caught:
            read_yaml(text, "f")
        assert caught.value.problems == document.problems

    def test_a_fault_that_many_aliases_repeat_is_noted_once_per_key(self):
        document = read_document("a: &x {k: 1, k: 2}\nb: [*x, *x]\n", "f")
        assert {problem.line for problem in document.problems} == {1}
        assert len(document.problems) == 3

    @pytest.mark.parametrize(
        "tag", ["!!python/object:os.system", "!!python/name:os.system", "!!binary", "!mine", "!!map"]
    )
    def test_tags_are_refused_where_they_stand(self, parser, tag):
        assert refusal(f"a: 1\nb: [x, {tag} y]\n").startswith("f.yaml:2:8: b.1: expected a value without a tag")


class TestHostileInput:
    def test_size(self):
        assert read_yaml(f"a: {'x' * (MAX_BYTES - 3)}", "f").value == {"a": "x" * (MAX_BYTES - 3)}
        assert "1,000,000 bytes" in refusal(f"a: {'x' * (MAX_BYTES - 2)}")
        assert "1,000,000 bytes" in refusal(b"\xff" * (MAX_BYTES + 1))

    def test_depth(self, parser):
        inner = "[" * (MAX_DEPTH - 1) + "]" * (MAX_DEPTH - 1)
        value = read_yaml(f"a: {inner}", "f").value["a"]
        for _ in range(MAX_DEPTH - 2):
            (value,) = value
        assert value == []
        assert "50 levels" in refusal(f"a: [{inner}]")

    @pytest.mark.parametrize("text", ["[" * 400_000, "a: " + "{x: " * 200_000, "- " * 400_000, "? " * 400_000])
    def test_endless_depth_is_refused_unread(self, text):
        assert "50 levels" in refusal(text)

    def test_depth_through_aliases(self, parser):
        lines = ["a0: &a0 []"] + [f"a{i}: &a{i} [*a{i - 1}]" for i in range(1, MAX_DEPTH)]
        assert "50 levels" in refusal("\n".join(lines))
        assert read_yaml("\n".join(lines[:-1]), "f").value["a3"] == [[[[]]]]

    def test_alias_count(self, parser):
        lines = ["a: &a 1", *(f"b{i}: *a" for i in range(MAX_ALIASES))]
        assert len(read_yaml("\n".join(lines), "f").value) == MAX_ALIASES + 1
        assert f"f.yaml:{MAX_ALIASES + 2}:4: expected at most 100 aliases" in refusal("\n".join([*lines, "c: *a"]))

    def test_billion_laughs(self, parser):
        lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
        lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 10)]
        tracemalloc.start()
        try:
            assert "100,000 values" in refusal("\n".join(lines))
            assert tracemalloc.get_traced_memory()[1] < 10_000_000
        finally:
            tracemalloc.stop()

    def test_laughs_through_merges(self):
        keys = ", ".join(f"k{i}: 0" for i in range(3000))
        lines = [f"a: &a {{{keys}}}", *(f"b{i}: {{<<: *a}}" for i in range(40))]
        assert "100,000 values" in refusal("\n".join(lines))

    def test_nodes(self):
        assert "100,000 values" in refusal(f"a: [{'1,' * MAX_NODES}]")
        assert len(read_yaml(f"a: [{'1,' * (MAX_NODES - 10)}]", "f").value["a"]) == MAX_NODES - 10

    @pytest.mark.parametrize("text", ["a: &a [*a]", "a: &a {b: [1, *a]}", "&a a: {b: &b [*b]}", "a: &a {<<: *a}"])
    def test_values_inside_themselves(self, parser, text):
        assert "inside itself" in refusal(text)

    def test_endless_key(self):
        assert len(refusal(f"? {'k' * 500_000}\n: 1\n? {'k' * 500_000}\n: 2\n")) < 1000


def random_mapping(rng: random.Random, depth: int) -> dict:
    names = {"".join(rng.choices(string.ascii_letters + " äß-_.'\"", k=rng.randint(1, 9))).strip() for _ in range(4)}
    return {name: random_value(rng, depth - 1) for name in sorted(names - {""})}


def random_value(rng: random.Random, depth: int):
    if depth > 0 and rng.random() < 0.6:
        if rng.random() < 0.6:
            return random_mapping(rng, depth)
        return [random_value(rng, depth - 1) for _ in range(rng.randint(0, 3))]
    return rng.choice([None, True, False, 0, -3, 1.5, "text", "two words", "", "yes", "# no comment", "a: b", "ü"])


def paths(value, above=()):
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in items:
        yield (*above, str(key))
        yield from paths(item, (*above, str(key)))


def value_at(value, keys):
    for key in keys:
        value = value[key] if isinstance(value, dict) else value[int(key)]
    return value
