"""Reading and writing a baseline file: JSON, sorted, one fact a line."""

from __future__ import annotations

import dataclasses
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from ..baseline import ConfigBaseline, baseline_of, in_order
from ..config.display import visible
from ..config.schema import Config
from ..errors import LossDoctorError
from ..records import Report
from ..reports.emit import write_atomically

_MAX_BYTES = 50_000_000


@dataclass(frozen=True)
class Baseline:
    """What the file holds: configs by their paths, which are relative to it."""

    __pydantic_config__: ClassVar[Mapping[str, Any]] = {"extra": "forbid"}

    schema: Literal["lossdoctor-baseline/1"] = "lossdoctor-baseline/1"
    configs: dict[str, ConfigBaseline] = field(default_factory=dict)


@dataclass(frozen=True)
class BaselineFile:
    """A baseline and where it lies: the paths in it are relative to that."""

    path: Path
    baseline: Baseline

    @classmethod
    def read(cls, path: Path) -> BaselineFile:
        """Read a baseline. Raises LossDoctorError where there is none that can be read."""
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)  # of a device there may be no end
        except OSError as error:
            message = f"--baseline {path}: it cannot be read: {error.strerror or error}"
            raise LossDoctorError(message, "Write it first, with --update-baseline.") from error
        try:
            if len(data) > _MAX_BYTES:
                msg = f"more than {_MAX_BYTES:,} bytes"
                raise ValueError(msg)
            return cls(path, TypeAdapter(Baseline).validate_json(data))
        except ValueError as error:
            message = f"--baseline {path}: expected a baseline of lossdoctor, found {_reason(error)}"
            raise LossDoctorError(message, "Write it anew, with --update-baseline.") from error

    @classmethod
    def read_or_new(cls, path: Path) -> BaselineFile:
        """Read a baseline, or begin one where there is none. Raises LossDoctorError for what is something else."""
        return cls.read(path) if path.exists() else cls(path, Baseline())

    def of(self, config: Path) -> ConfigBaseline | None:
        """Return the baseline of a config; None where it has none."""
        return self.baseline.configs.get(self._key(config))

    @property
    def configs(self) -> list[Path]:
        """The configs that it is about."""
        return [self.path.parent / key for key in self.baseline.configs]

    def gone(self) -> list[str]:
        """Return the configs that are no longer there."""
        return [key for key in self.baseline.configs if not (self.path.parent / key).exists()]

    def updated(self, checked: Sequence[tuple[Config, Report]]) -> BaselineFile:
        """Return the baseline with what was checked accepted; configs that are gone are left out."""
        gone = set(self.gone())
        kept = {key: known for key, known in self.baseline.configs.items() if key not in gone}
        new = {self._key(config.path): _renewed(self.of(config.path), config, report) for config, report in checked}
        return BaselineFile(self.path, Baseline(configs=kept | new))

    def write(self) -> None:
        """Write the file whole or not at all. Raises LossDoctorError where it cannot be written."""
        text = json.dumps(dataclasses.asdict(self.baseline), indent=2, sort_keys=True)
        write_atomically(self.path, text + "\n")

    def _key(self, config: Path) -> str:
        return Path(os.path.relpath(config, self.path.parent)).as_posix()


def _renewed(known: ConfigBaseline | None, config: Config, report: Report) -> ConfigBaseline:
    """Return the new baseline of a config. What only a measurement can show stays, as long as nothing was changed."""
    new = baseline_of(config, report)
    if known is None or report.objectives or (known.components, known.loss) != (new.components, new.loss):
        return new
    skipped = {rule.code for rule in report.skipped}
    measured = tuple(finding for finding in known.findings if finding.code in skipped)
    findings = in_order((*new.findings, *measured))
    return ConfigBaseline(new.components, new.loss, findings, known.shares, known.environment)


def _reason(error: ValueError) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        return visible(f"{place}: {first['msg']}" if place else first["msg"], 200)
    return visible(str(error), 200)
