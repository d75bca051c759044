"""Foreign text that may go to a terminal: names, paths and exception texts come from anywhere."""

from __future__ import annotations

_ASCII = str.maketrans(
    {
        "–": "-", "—": "-", "−": "-", "…": "...", "·": "-", "•": "*", "×": "x", "→": "->", "←": "<-",
        "≤": "<=", "≥": ">=", "≠": "!=", "≈": "~", "±": "+-", "√": "sqrt", "‖": "||", "∇": "grad ",
        "Σ": "sum", "²": "^2", "‘": "'", "’": "'", "“": '"', "”": '"', "⟨": "<", "⟩": ">",
    }
)  # fmt: skip


def printable(text: str) -> str:
    r"""Return `text` on one line; what does not print is shown as its escape: `\n`, `\x1b`, `\u202e`.

    That disarms terminal control codes, bidirectional controls, invisible characters and line breaks.
    """
    return text if text.isprintable() else "".join(char if char.isprintable() else _escape(char) for char in text)


def in_ascii(text: str) -> str:
    r"""Return `printable(text)` in ASCII: `×` as `x`, `≥` as `>=`, and what has no likeness as `\u4e2d`."""
    return printable(text).translate(_ASCII).encode("ascii", "backslashreplace").decode()


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
