"""The zoo's cases, found by being there: `faulty/<domain>/<module>.case.yaml` beside the user code `<module>.py`.

Under `both/<domain>/` one module holds a sound loss and what goes wrong with it; there a case is faulty if it expects a
code, and its variants may be those of any module of the folder.

A case file maps the names of one or more cases to what is expected of them, and to variants: the same fault with other
data, sizes, names or idioms. The Python beside it is what a practitioner would have written and knows nothing of this.

    raw-lab:
      cites: CLR-01                      # entry of the catalogue of faults, or where a look-alike is from
      expects: LD201                     # left out for a healthy case
      level: error                       # the least level that counts as found; `warning` when left out
      objective: generator               # `total` when left out
      components: [lab, ab]              # exactly those, `objective.component` where they are of several objectives;
                                         # left out where the code names none
      cause: CIELAB.* raw units          # a regular expression that the message or the evidence has to match
      tolerated: {LD106: why it is the same fault seen twice, or a second one that the catalogue gives}
      warnings: {LD102: why a healthy case may be told}
      variants:
        functional:                      # a config; names without a colon are those of the module beside the file
          model: Net                     # short for {target: Net}, data likewise
          data: {target: Photos, args: {size: 24}}
          loss: {function: terms, weights: {lab: 1.0}}
        from a file: other.yaml          # or the path of a config file
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lossdoctor.config.schema import BUILT_IN_MODELS
from lossdoctor.config.yaml_reader import read_yaml

ZOO = Path(__file__).parent
SUFFIX = ".case.yaml"


@dataclass(frozen=True)
class Case:
    """A setup, or several that are the same but for idiom and data, and what has to be found in it."""

    name: str
    kind: str  #: "faulty" or "healthy"
    domain: str
    folder: Path
    cites: str
    variants: Mapping[str, str | Mapping[str, Any]]  #: the path of a config, or a config whose targets have modules
    expects: str | None = None
    level: str = "warning"
    objective: str = "total"
    components: tuple[str, ...] = ()
    cause: str = ""
    tolerated: Mapping[str, str] = field(default_factory=dict)
    warnings: Mapping[str, str] = field(default_factory=dict)

    @property
    def path(self) -> str:
        """Where the case stands, such as "faulty/colour/raw-lab"."""
        return f"{self.kind}/{self.domain}/{self.name}"

    @property
    def places(self) -> list[tuple[str, str]]:
        """The components that have the fault, each with its objective."""
        qualified = (name if "." in name else f"{self.objective}.{name}" for name in self.components)
        return [(objective, name) for objective, _, name in (name.partition(".") for name in qualified)]


def all_cases() -> list[Case]:
    """Return every case of the zoo. Raises ValueError where a case file is not what it should be."""
    return [case for file in sorted(ZOO.glob(f"*/*/*{SUFFIX}")) for case in cases_in(file)]


def cases_in(file: Path) -> Iterator[Case]:
    """Yield the cases of one file."""
    module = file.name.removesuffix(SUFFIX)
    for name, entry in read_yaml(file.read_text(), str(file)).value.items():
        entry = dict(entry)
        variants = {key: _config(variant, module) for key, variant in entry.pop("variants").items()}
        components = tuple(entry.pop("components", ()))
        folder, domain = file.parts[-3:-1]
        kind = "faulty" if "expects" in entry else "healthy"
        case = Case(name, kind, domain, file.parent, variants=variants, components=components, **entry)
        if folder not in (kind, "both"):
            raise ValueError(f"{file}: {name}: a faulty case expects a code, a healthy one none")
        if len(variants) < 2:
            raise ValueError(f"{file}: {name}: expected two variants or more, found {len(variants)}")
        yield case


def _config(variant: str | Mapping[str, Any], module: str) -> str | dict[str, Any]:
    """Return a variant as a config: short forms in full, targets with the module they are in."""
    if isinstance(variant, str):
        return variant
    model, data = (_section(variant[key], module) for key in ("model", "data"))
    loss = dict(variant["loss"])
    for key in {"function", "step", "total"} & loss.keys():
        loss[key] = _qualified(loss[key], module)
    return {**variant, "model": model, "data": data, "loss": loss}


def _section(section: str | Mapping[str, Any], module: str) -> dict[str, Any]:
    full = {"target": section} if isinstance(section, str) else dict(section)
    return full | {"target": _qualified(full["target"], module)} if "target" in full else full


def _qualified(target: str, module: str) -> str:
    return target if ":" in target or target in BUILT_IN_MODELS else f"{module}:{target}"
