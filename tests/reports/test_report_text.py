import sys
import unicodedata
from dataclasses import dataclass
from enum import Enum

import pytest

from lossdoctor.printable import in_ascii, printable
from lossdoctor.reports.text import shortened, with_strings


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("lab", "lab"),
        ("\x1b[2J", r"\x1b[2J"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\u202eevil\u2069", r"\u202eevil\u2069"),
        ("\x9b31m\x7f", r"\x9b31m\x7f"),
        ("\udcff", r"\udcff"),
        ("感知損失 naïve", "感知損失 naïve"),
    ],
)
def test_what_does_not_print_is_shown_as_its_escape(text, shown):
    assert printable(text) == shown


def test_no_character_of_unicode_keeps_power_over_a_terminal():
    text = printable("".join(map(chr, [*range(0x10000), *range(0xE0000, sys.maxunicode, 0x11)])))
    assert not {char for char in text if unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"}}
    text.encode("utf-8")


def test_ascii_keeps_the_sense_of_common_signs():
    assert in_ascii("3×3, ≥ 0.5 – ‖∇L‖ → 感\n") == r"3x3, >= 0.5 - ||grad L|| -> \u611f\n"


def test_long_text_keeps_its_beginning_and_end():
    text = shortened("a" * 50 + "b" * 50, 20)
    assert text == "aaaaaaaaaa…(80 more)…bbbbbbbbbb"
    assert shortened("short", 20) == "short"


class Level(str, Enum):
    HIGH = "high"


@dataclass(frozen=True)
class Record:
    name: str
    level: Level
    inner: tuple[object, ...]


def test_every_string_of_a_record_is_changed_and_nothing_else():
    record = Record("a", Level.HIGH, ({"k": ["v", 1, None, 2.5]}, Record("b", Level.HIGH, ())))
    expected = Record("A", Level.HIGH, ({"K": ("V", 1, None, 2.5)}, Record("B", Level.HIGH, ())))
    assert with_strings(record, str.upper) == expected
    assert with_strings(record, str.upper).level is Level.HIGH
