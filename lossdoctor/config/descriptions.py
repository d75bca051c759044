"""What every key of the config means, as messages and editors show it: the text below its field in `schema.py`.

pydantic could take these texts along (`use_attribute_docstrings`), but it looks for them in the source class by class,
whenever the schema is imported. That would be a quarter of what importing it costs, and few commands show a text.
"""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator, Mapping
from functools import cache
from itertools import pairwise

from pydantic import BaseModel

from . import schema


def describe(section: type[BaseModel], key: str) -> str:
    """Return what a key of a section means, as the user writes it; "" where the schema says nothing about it."""
    name = next((name for name, field in section.model_fields.items() if (field.alias or name) == key), key)
    texts = (_texts().get(owner.__name__, {}).get(name) for owner in section.__mro__)
    return next(filter(None, texts), "")


@cache
def _texts() -> Mapping[str, Mapping[str, str]]:
    """Return the texts of all fields, by class and field."""
    module = ast.parse(inspect.getsource(schema))
    return {node.name: dict(_texts_of(node)) for node in module.body if isinstance(node, ast.ClassDef)}


def _texts_of(section: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, text in pairwise(section.body):
        match field, text:
            case ast.AnnAssign(target=ast.Name(name)), ast.Expr(ast.Constant(str(value))):
                yield name, inspect.cleandoc(value)
