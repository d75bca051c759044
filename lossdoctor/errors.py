"""The errors that a user can act on: every one says what, where and what to do."""

from __future__ import annotations

from dataclasses import dataclass


class LossDoctorError(Exception):
    """The tool could not do its work. The command line prints it and exits 2.

    `message` says what happened and where, `advice` what to do about it.
    """

    def __init__(self, message: str, advice: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.advice = advice

    def __str__(self) -> str:
        return f"{self.message}\n  → {self.advice}" if self.advice else self.message


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a config file."""

    file: str
    line: int  #: 1-based; 0 where the value does not come from a file
    column: int  #: 1-based
    key: str  #: dotted path of the key, "" for the file as a whole
    expected: str
    found: str
    advice: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        subject = f"{place}: {self.key}: " if self.key else f"{place}: "
        text = f"{subject}expected {self.expected}, found {self.found}"
        return f"{text}\n  → {self.advice}" if self.advice else text


class ConfigError(LossDoctorError):
    """A config that cannot be used; carries every problem found, not just the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class CheckpointError(LossDoctorError):
    """A checkpoint that cannot be read or does not fit the model."""


class DataError(LossDoctorError):
    """Batches that cannot be made or used."""


class UserCodeError(LossDoctorError):
    """Code named by the config raised, or returned something that cannot be used."""
