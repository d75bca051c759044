"""Checks that need more than one key of a config.

They look at the values as written and pass over what has the wrong type: that is the schema's to report.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from ..errors import Problem
from .display import shown
from .keys import Keys, dotted, mapping_at
from .source import Source
from .suggest import did_you_mean

_KINDS = ("components", "function", "step")
_SUM_TOLERANCE = 1e-6
_MAX_NAMES = 10

#: Pairs of built-in components are compared with each other, so their number bounds what a check takes; a loss of
#: somebody's own code may have a weight for each of many tasks.
_MAX_COMPONENTS, _MAX_WEIGHTS = 100, 1000


def check_across_keys(data: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """Yield what is wrong between the keys of a config."""
    loss = mapping_at(data, "loss")
    components = mapping_at(loss, "components")
    yield from _check_alternatives(data.get("loss"), source)
    yield from _check_names(loss, source)
    if components:
        yield from _check_weights_are_inside(loss, components, source)
        for table in ("roles", "shares"):
            yield from _check_known(mapping_at(loss, table), components, ("loss", table), source)
    yield from _check_shares(mapping_at(loss, "shares"), components, source)


def _check_alternatives(loss: Any, source: Source) -> Iterator[Problem]:
    if not isinstance(loss, Mapping):
        return
    given = [kind for kind in _KINDS if loss.get(kind) is not None]
    if len(given) != 1:
        advice = (
            "`components` names built-in terms, `function` is your own (output, batch) -> {name: scalar}, "
            "`step` your own (model, batch) -> {name: scalar}"
        )
        found = " and ".join(f"`{kind}`" for kind in given) or "none of them"
        yield source.problem(("loss",), "exactly one of `components`, `function` and `step`", found, advice)


def _check_names(loss: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    if loss.get("components") == {}:
        advice = "for example `lab: {term: mse, space: lab, weight: 1.0}`"
        yield source.problem(("loss", "components"), "at least one component", "none", advice)
    for table in ("components", "weights", "roles", "shares"):
        most = _MAX_COMPONENTS if table == "components" else _MAX_WEIGHTS
        if (count := len(mapping_at(loss, table))) > most:
            advice = "is this really a loss? One term for each thing that the model has to learn is enough"
            yield source.problem(("loss", table), f"at most {most:,} components", f"{count:,}", advice)
        for name in mapping_at(loss, table):
            if not name.strip():
                keys = ("loss", table, name)
                yield source.problem(keys, "the name of a component", shown(name), "give the component a name")


def _check_weights_are_inside(
    loss: Mapping[str, Any], components: Mapping[str, Any], source: Source
) -> Iterator[Problem]:
    """With built-in components a weight stands in its component, so that no weight has two places."""
    for name, weight in mapping_at(loss, "weights").items():
        known = name.removeprefix("total.") if name not in components else name
        if known in components:
            advice = f"move it to `{dotted(('loss', 'components', known, 'weight'))}`"
        else:
            advice = did_you_mean(name, components) or f"the components are {_names(components)}"
        expected = "the weight inside the component: `weights` is for `function` and `step`"
        yield source.problem(("loss", "weights", name), expected, shown(weight), advice)


def _check_known(
    table: Mapping[str, Any], components: Mapping[str, Any], prefix: Keys, source: Source
) -> Iterator[Problem]:
    for name in table:
        if name not in components and name.removeprefix("total.") not in components:
            expected = f"the name of a component: {_names(components)}"
            yield source.problem((*prefix, name), expected, shown(name), did_you_mean(name, components))


def _names(components: Mapping[str, Any]) -> str:
    names = [shown(name) for name in islice(components, _MAX_NAMES)]
    return ", ".join(names if len(components) <= _MAX_NAMES else [*names, "…"])


def _check_shares(shares: Mapping[str, Any], components: Mapping[str, Any], source: Source) -> Iterator[Problem]:
    """Shares are of one objective's gradient: those of `generator.adv` and `discriminator.real` do not add up."""
    sums: defaultdict[str, float] = defaultdict(float)
    for name, share in shares.items():
        if type(share) in (int, float) and 0 <= share <= 1:
            objective = "" if components or "." not in name else name.partition(".")[0]
            sums[objective] += share
    for objective, total in sums.items():
        if total > 1 + _SUM_TOLERANCE:
            of = f" of objective {shown(objective)}" if objective else ""
            advice = "lower them; what is left to 1 is for the components without a share"
            expected = f"shares{of} that add up to at most 1"
            yield source.problem(("loss", "shares"), expected, f"a sum of {total:.9g}", advice)
