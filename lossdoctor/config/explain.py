"""Saying what is wrong with a config in the user's terms, from pydantic's validation errors."""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from ..errors import Problem
from .descriptions import describe
from .display import shown
from .keys import Keys, value_at
from .schema import BuiltInComponent, Component, Config, ImageData, TargetData
from .sections import Spot, alternatives, choices, fields, find_spot, is_section
from .source import MAX_PROBLEMS, Source
from .suggest import closest, did_you_mean

#: What each type of pydantic error expects. https://docs.pydantic.dev/latest/errors/validation_errors/
_EXPECTED = {
    "bool_type": "true or false",
    "int_type": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "finite_number": "a finite number",
    "string_type": "text",
    "list_type": "a list",
    "dict_type": "a mapping",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "too_short": "a list with at least {min_length} entry",
    "literal_error": "{expected}",
    "refused": "{expected}",
}

_YES_AND_NO = {"yes": "true", "on": "true", "y": "true", "no": "false", "off": "false", "n": "false"}


def explain(
    error: ValidationError, root: type[BaseModel], data: Any, source: Source, prefix: Keys = ()
) -> Iterator[Problem]:
    """Yield everything that `root` refused in the data, which stands at `prefix` in the config."""
    details = error.errors(include_url=False, include_input=False)[: MAX_PROBLEMS + 1]
    spots = [find_spot(root, detail["loc"]) for detail in details]
    mistyped = {
        (*spot.keys[:-1], closest(spot.keys[-1], fields(spot.owner)) or "")
        for detail, spot in zip(details, spots, strict=True)
        if detail["type"] == "extra_forbidden" and spot.owner is not None
    }
    for detail, spot in zip(details, spots, strict=True):
        if detail["type"] in ("union_tag_invalid", "union_tag_not_found"):
            yield from _explain_term(value_at(data, spot.keys), source, prefix + spot.keys)
        elif not _follows_from(mistyped, detail, spot):
            yield _problem(detail, spot, data, source, prefix)


def _explain_term(component: Mapping[str, Any], source: Source, keys: Keys) -> Iterator[Problem]:
    """Yield what is wrong with the term, and with the other keys for the term that is probably meant."""
    terms = alternatives(BuiltInComponent)
    term = component.get("term")
    if "term" in component or closest("term", component) is None:
        found = shown(term) if "term" in component else "nothing"
        advice = did_you_mean(term, terms) or "`term` says how prediction and target are compared"
        yield source.problem((*keys, "term"), f"one of {', '.join(terms)}", found, advice)
    near = closest(term, terms) if isinstance(term, str) else None
    meant = near or max(terms, key=lambda name: len(fields(terms[name]).keys() & component.keys()))
    complete = {**component, "term": meant}
    try:
        terms[meant].model_validate(complete)
    except ValidationError as error:
        yield from explain(error, terms[meant], complete, source, keys)


def _follows_from(mistyped: Container[Keys], detail: ErrorDetails, spot: Spot) -> bool:
    """One mistake, one message: `spce` is an unknown key, not a missing `space` or wrong `channels` as well."""
    if detail["type"] == "missing":
        return spot.keys in mistyped
    return spot.keys[-1:] == ("channels",) and (*spot.keys[:-1], "space") in mistyped


def _problem(detail: ErrorDetails, spot: Spot, data: Any, source: Source, prefix: Keys) -> Problem:
    keys = prefix + spot.keys
    if detail["type"] == "extra_forbidden" and spot.owner is not None:
        expected = f"one of the keys {', '.join(fields(spot.owner))}"
        return source.problem(keys, expected, "an unknown key", _advice_on_unknown_key(spot))
    if detail["type"] == "missing":
        return source.problem(keys, "a value, the key is required", "nothing", _description(spot))
    value = value_at(data, spot.keys)
    return source.problem(keys, _expected(detail, spot), shown(value), _advice(detail, spot, value))


def _expected(detail: ErrorDetails, spot: Spot) -> str:
    if detail["type"] == "string_pattern_mismatch":
        return _description(spot).rstrip(".")
    template = _EXPECTED.get(detail["type"])
    return detail["msg"] if template is None else template.format(**detail.get("ctx", {}))


def _advice(detail: ErrorDetails, spot: Spot, value: Any) -> str:
    match detail["type"]:
        case "refused":
            return str(detail["ctx"]["advice"])
        case "literal_error":
            return did_you_mean(value, choices(spot.annotation)) or _description(spot)
        case "bool_type" if isinstance(value, str) and value.lower() in _YES_AND_NO:
            return f"write {_YES_AND_NO[value.lower()]}: in YAML 1.2, {value} is text"
        case "int_type" | "float_type" if isinstance(value, str) and _is_number(value):
            return "write it without quotes and underscores"
        case "string_type" if isinstance(value, (bool, int, float)):
            return f'write it in quotes: "{shown(value)}"'
        case "string_pattern_mismatch":
            return ""
    return _description(spot)


def _advice_on_unknown_key(spot: Spot) -> str:
    key, owner = spot.keys[-1], spot.owner
    if owner is None:
        return ""
    if issubclass(owner, Component):
        terms = [term for term, section in alternatives(BuiltInComponent).items() if key in fields(section)]
        if terms:
            return f"`{key}` is for {', '.join(terms)}"
    if owner in (ImageData, TargetData) and (key in fields(ImageData) or key in fields(TargetData)):
        kind = "images" if key in fields(ImageData) else "target"
        return f"`{key}` goes with `{kind}`" if key != kind else "give either `images` or `target`, not both"
    homes = [name for name, field in fields(Config).items() if _has_key(field.annotation, key)]
    return did_you_mean(key, fields(owner)) or (f"`{key}` belongs under {' or '.join(homes)}" if homes else "")


def _has_key(annotation: Any, key: str) -> bool:
    sections = alternatives(annotation).values()
    return any(is_section(section) and key in fields(section) for section in sections)


def _description(spot: Spot) -> str:
    return describe(spot.owner, spot.keys[-1]) if spot.owner is not None else ""


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
