"""The JSON Schema of the config, from which editors complete keys and underline mistakes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import to_jsonable_python

from .descriptions import describe
from .rule_options import options_of, rule_classes
from .schema import Config

if TYPE_CHECKING:
    from pydantic_core.core_schema import ModelSchema

    from ..rules.base import Rule

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _Described(GenerateJsonSchema):
    """Says what every key means, and leaves out the titles that pydantic makes up: an editor shows the key anyway."""

    def model_schema(self, schema: ModelSchema) -> JsonSchemaValue:
        made = super().model_schema(schema)
        for key, value in made.get("properties", {}).items():
            if text := describe(schema["cls"], key):
                value["description"] = text
        return made

    def encode_default(self, dft: object) -> object:
        # pydantic builds a validator for every default first: nothing that ours need, a tenth of the whole.
        return to_jsonable_python(dft)

    def field_title_should_be_set(self, schema: object) -> bool:  # noqa: ARG002 - pydantic's name
        return False


def config_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a config, with the options of every rule.

    It accepts every config that `load_config` accepts. What takes several keys or the disk to judge, such as
    shares of unknown components or missing files, it leaves to `load_config`.
    """
    rules = rule_classes()
    models: list[type[BaseModel]] = [Config, *(options_of(rule) for rule in rules.values())]
    refs, joint = models_json_schema([(model, "validation") for model in models], schema_generator=_Described)
    sections = joint["$defs"]
    sections["LossConfig"]["oneOf"] = [_given(kind) for kind in ("components", "function", "step")]
    sections["RulesConfig"]["additionalProperties"] = False
    sections["RulesConfig"]["properties"] |= {
        code: {**refs[options_of(rule), "validation"], "description": _summary(rule)} for code, rule in rules.items()
    }
    config = sections.pop("Config")
    return {"$schema": DIALECT, **config, "title": "lossdoctor config", "$defs": sections}


def _given(key: str) -> dict[str, Any]:
    return {"required": [key], "properties": {key: {"not": {"type": "null"}}}}


def _summary(rule: type[Rule]) -> str:
    return f"{rule.name}: {rule.manual().partition(chr(10))[0]}"
