"""The static check of one config: read, validated, and judged by what it lets expect. No code of the user's runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..config.load import config_of_document, read_bytes
from ..config.schema import Config
from ..config.yaml_reader import read_document
from ..errors import ConfigError
from .recognize import is_config, may_be_config


@dataclass(frozen=True)
class Foreign:
    """A YAML file that is no config of lossdoctor."""

    note: str = ""  #: what kept it from being read; "" for one that is simply something else


def load_candidate(path: Path, overrides: Sequence[str], *, named: bool) -> Config | Foreign:
    """Read a file that was found, or that has to be a config because it was `named`.

    Raises ConfigError with every problem where it is a config that cannot be used.
    """
    data = read_bytes(path)
    try:
        document = read_document(data, str(path))
    except ConfigError as error:
        if named or may_be_config(data):
            raise
        return Foreign(str(error.problems[0]))
    if not named and not is_config(document.value):
        return Foreign()
    return config_of_document(document, path, overrides)
