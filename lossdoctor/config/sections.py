"""Which part of the schema a validation error is about.

pydantic's locations mix keys that the user wrote with the tags of alternatives: `("data", "images", "size")` is
the key `data.size` of the alternative `images`. Walking the annotations tells the two apart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, Tag
from pydantic.fields import FieldInfo

from .keys import Keys


@dataclass(frozen=True)
class Spot:
    """A place in the schema."""

    keys: Keys  #: as the user writes them
    owner: type[BaseModel] | None  #: of the last key; None where names are the user's
    annotation: Any  #: of the value at `keys`


def find_spot(root: type[BaseModel], location: tuple[int | str, ...]) -> Spot:
    """Return the place in the schema that a pydantic error location points to."""
    spot = Spot((), None, root)
    for step in location:
        tagged = alternatives(spot.annotation)
        if len(tagged) > 1:
            spot = Spot(spot.keys, spot.owner, tagged[str(step)])
        else:
            (annotation,) = tagged.values()
            spot = _below(spot.keys, annotation, str(step))
    return spot


def fields(section: type[BaseModel]) -> Mapping[str, FieldInfo]:
    """Return a section's fields by the key that the user writes (`from`, not `from_`)."""
    return {field.alias or name: field for name, field in section.model_fields.items()}


def choices(annotation: Any) -> tuple[str, ...]:
    """Return the words that a Literal takes; none for other annotations."""
    (bare, *_) = alternatives(annotation).values()
    return tuple(str(word) for word in get_args(bare)) if get_origin(bare) is Literal else ()


def alternatives(annotation: Any) -> Mapping[str, Any]:
    """Return the alternatives of a value by their tags; a value without alternatives is its own, tagged "".

    `Annotated` is stripped, and so is `None`, which has no place in pydantic's locations.
    """
    annotation = _bare(annotation)
    if get_origin(annotation) not in (Union, UnionType):
        return {"": annotation}
    members = [member for member in get_args(annotation) if member is not NoneType]
    if len(members) == 1:
        return alternatives(members[0])
    return {tag: _bare(member) for member in members for tag in _tags(member)}


def _bare(annotation: Any) -> Any:
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def _tags(member: Any) -> tuple[str, ...]:
    for item in getattr(member, "__metadata__", ()):
        if isinstance(item, Tag):
            return (item.tag,)
    return choices(member.model_fields["term"].annotation)


def is_section(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether an annotation is a section of the schema."""
    # Not issubclass: in Python 3.10, `dict[str, int]` passes for a type and then is none.
    return isinstance(annotation, type(BaseModel))


def _below(keys: Keys, annotation: Any, key: str) -> Spot:
    if is_section(annotation):
        field = fields(annotation).get(key)
        return Spot((*keys, key), annotation, field.annotation if field else Any)
    arguments = get_args(annotation)  # of a dict or a list
    return Spot((*keys, key), None, arguments[-1] if arguments else Any)
