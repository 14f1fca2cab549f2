"""What is wrong in a table that people write, key by key, in words of our own: not msgspec's."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import inspect

from esper_audit.data.allowed import Numbers, but, one_of
from esper_audit.errors import did_you_mean


@dataclass(frozen=True)
class Wrong:
    """A value that can't be taken: the keys that lead to it, and what is wrong with it."""

    place: tuple[str, ...]
    said: str


def wrong_in(value: object, kind: inspect.Type, place: tuple[str, ...] = ()) -> Iterator[Wrong]:
    """What in a value from a file does not fit a type that msgspec converts it to."""
    match kind:
        case inspect.Metadata():
            yield from wrong_in(value, kind.type, place)
        case inspect.UnionType():
            yield from wrong_in(value, _besides_none(kind), place)
        case inspect.StructType() if isinstance(value, dict):
            yield from _wrong_in_table(value, kind, place)
        case inspect.DictType() if isinstance(value, dict) and len(value) >= (kind.min_length or 0):
            for key, inner in value.items():
                yield from wrong_in(key, kind.key_type, (*place, key))
                yield from wrong_in(inner, kind.value_type, (*place, key))
        case _:
            if not _fits(value, kind):
                yield Wrong(place, but(value, allowed(kind, value)))


def _wrong_in_table(
    table: dict[str, Any], kind: inspect.StructType, place: tuple[str, ...]
) -> Iterator[Wrong]:
    fields = {field.encode_name: field for field in kind.fields}
    for key, value in table.items():
        if key in fields:
            yield from wrong_in(value, fields[key].type, (*place, key))
        else:
            known = f"; the keys are {', '.join(fields)}"
            yield Wrong((*place, key), f"is not known{did_you_mean(key, fields) or known}")
    for key, field in fields.items():
        if field.required and key not in table:
            yield Wrong((*place, key), "is missing")


def _besides_none(kind: inspect.UnionType) -> inspect.Type:
    return next(inner for inner in kind.types if not isinstance(inner, inspect.NoneType))


def _fits(value: object, kind: inspect.Type) -> bool:
    match kind:
        case inspect.StrType():
            return isinstance(value, str) and len(value) >= (kind.min_length or 0)
        case inspect.IntType() | inspect.FloatType():
            return value in _numbers(kind)
        case inspect.EnumType():
            return value in [member.value for member in kind.cls]
        case inspect.ListType() | inspect.VarTupleType():
            is_long = isinstance(value, list) and len(value) >= (kind.min_length or 0)
            return is_long and all(_fits(item, kind.item_type) for item in value)  # type: ignore[attr-defined]  # a list
        case inspect.TupleType():
            is_alike = isinstance(value, list) and len(value) == len(kind.item_types)
            return is_alike and all(map(_fits, value, kind.item_types))  # type: ignore[call-overload]  # a list
        case _:
            return False


def allowed(kind: inspect.Type, value: object = None) -> str:
    """What a type takes."""
    match kind:
        case inspect.StrType():
            return "a text that is not empty" if kind.min_length else "a text"
        case inspect.IntType() | inspect.FloatType():
            return _numbers(kind).words(value)
        case inspect.EnumType():
            return one_of([str(member.value) for member in kind.cls])
        case inspect.ListType() | inspect.VarTupleType():
            number = "one or more " if kind.min_length else ""
            return f"a list of {number}{_many(kind.item_type)}"
        case inspect.TupleType():
            return f"a list of {len(kind.item_types)} {_many(kind.item_types[0])}"
        case inspect.DictType():
            return "a table that is not empty" if kind.min_length else "a table"
        case _:
            return "a table"


def _numbers(kind: inspect.IntType | inspect.FloatType) -> Numbers:
    return Numbers(isinstance(kind, inspect.IntType), kind.ge, kind.le)


def _many(kind: inspect.Type) -> str:
    """``a whole number, 0 or more``, of several."""
    words = allowed(kind).removeprefix("a ")
    for one in ("text", "number"):
        words = words.replace(one, f"{one}s", 1)
    return words.replace("that is not empty", "that are not empty")


def type_of(cls: type[msgspec.Struct]) -> inspect.Type:
    """What a table must be, to be converted to this class."""
    return inspect.type_info(cls)
