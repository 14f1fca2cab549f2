"""What a cache entry's guard tree states of the values that the entry was compiled for.

A tree is written right after its compile, so it states the values of the very call at which the
guards of all entries before it failed. Where a size or a number became symbolic, the tree leaves it
out; then torch's ``create_symbol`` record has it (torch/fx/experimental/symbolic_shapes.py, 2.8 to
2.14). What neither says is unknown, and stays so.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from esper_audit.data.compiles import ValueKind
from esper_audit.torch_text.guard_kinds import Reading, reading_of
from esper_audit.torch_text.guard_text import (
    body_of,
    device_of,
    fixed_value,
    kind_of,
    kind_of_type,
    object_id,
    presence_in,
    tensor_fields,
    type_id,
    wanted_length,
    wanted_type,
    wanted_value,
)
from esper_audit.torch_text.one_value import Seen
from esper_audit.torch_text.plain_sources import one_way, plain_source
from esper_audit.torch_text.relations import aliases
from esper_audit.torch_text.truth import solved_for
from esper_audit.traces.guard_trees import Guard, GuardTree

UNKNOWN_SIZE = "?"
"""Stands for a symbolic size of which no record has the value."""

_SIZE = re.compile(r"(?P<tensor>.+)\.(?P<field>size|stride)\(\)\[(?P<place>\d{1,3})\]")
_RELATIONS = ("SHAPE_EXPRESSION", "SYMBOLIC_SHAPE_GUARD")
_PLAIN_TYPES = ("int", "float", "bool", "str", "bytes", "complex", "NoneType")


@dataclass(slots=True)
class Stated:
    """Of one source: what is known of its value. Empty and None stand for what is not known."""

    value: str = ""
    type: str = ""
    type_id: int | None = None
    tensor: dict[str, str] = field(default_factory=dict)
    object_id: int | None = None
    length: str = ""

    @property
    def is_known(self) -> bool:
        """Whether anything at all is."""
        found = (self.value, self.type, self.tensor, self.length)
        return any(found) or self.object_id is not None or self.type_id is not None

    @property
    def kind(self) -> ValueKind | None:
        """What the value is, as far as known."""
        if self.value:
            return kind_of(self.value)
        if self.tensor:
            return ValueKind.TENSOR
        return kind_of_type(self.type) if self.type else None

    @property
    def short_type(self) -> str:
        """The class without its module."""
        return self.type.rpartition(".")[2]

    @property
    def text(self) -> str:
        """For readers, as a recording of the same value has it; empty where nothing is known."""
        if self.value:
            return self.value
        if self.tensor:
            return tensor_text(self.tensor)
        if self.short_type == "NoneType":
            return "None"
        if self.length and self.kind is ValueKind.COLLECTION:
            return f"{self.short_type} of {self.length}"
        if self.short_type in _PLAIN_TYPES:
            return ""
        return f"{self.short_type} object" if self.type else ""


def tensor_text(fields: Mapping[str, str]) -> str:
    """A tensor as a recording writes it."""
    return (
        f"tensor(size={fields['size']}, dtype={fields['dtype']},"
        f" device={device_of(fields['device'], fields['keys'])},"
        f" stride={fields['stride']}, requires_grad={fields['requires_grad']})"
    )


class StatedValues:
    """The values of the call that one entry was compiled for.

    ``symbols`` are torch's ``create_symbol`` records of the compile. Of an attempt that made no
    entry there is no tree, and they are all that is known.
    """

    def __init__(self, tree: GuardTree, symbols: Iterable[Mapping[str, Any]] = ()) -> None:
        self.tree = tree
        self._symbols = dict(_symbols(symbols))
        self._known: dict[str, Stated] = {}
        self._presence = dict(_presences(tree))
        self._equations = [guard for guard in tree.guards if guard.kind in _RELATIONS]
        self._solving: set[str] = set()
        self._aliased: set[str] = set()

    def of(self, source: str) -> Stated:
        """What is known of a source."""
        way = one_way(source)
        if way not in self._known:
            self._known[way] = self._read(way)
        return self._known[way]

    def is_there(self, source: str) -> bool | None:
        """Whether the attribute or the item exists; None where that is not known."""
        # As it is written: a module's buffers and its submodules are two dictionaries.
        return True if source in self.tree.written else self._presence.get(source)

    def has_items(self, source: str) -> bool:
        """Whether some item of a container is there, for sure."""
        held = any(item.startswith(f"{source}[") for item in self.tree.written)
        return held or any(
            is_there and item.startswith(f"{source}[") for item, is_there in self._presence.items()
        )

    def seen(self, node: ast.expr) -> Seen | None:
        """The value that an expression of a guard reads."""
        text = self.value_of(ast.unparse(node))
        return Seen(text, kind_of(text)) if text else None

    def value_of(self, source: str) -> str:
        """The constant that a source has, as Python writes it; empty where it is not known."""
        path = plain_source(source)
        size = _SIZE.fullmatch(path)
        direct = self._size(size) if size is not None else self.of(source).value
        return direct or self._symbols.get(one_way(path), "") or self._by_equations(source)

    def _by_equations(self, source: str) -> str:
        """By what the entry's own guards say, as that a stride is so many times a size."""
        if source in self._solving:
            return ""
        self._solving.add(source)
        texts = (body_of(guard.text) for guard in self._equations)
        found = (solved_for(text, source, self.value_of) for text in texts if source in text)
        answer = next(filter(None, found), "")
        self._solving.discard(source)
        return answer

    def _size(self, match: re.Match[str]) -> str:
        own = next((g for g in self.tree.guards if _is_tensor_of(g, match["tensor"])), None)
        fields = tensor_fields(own.text) if own is not None else {}
        sizes = _numbers(fields.get(match["field"], ""))
        place = int(match["place"])
        static = sizes[place] if place < len(sizes) else UNKNOWN_SIZE
        return "" if static == UNKNOWN_SIZE else static

    def _read(self, source: str) -> Stated:
        found = Stated(type=self.tree.type_of(source))
        for guard in self.tree.of(source):
            _add(found, guard)
        if not (found.value or found.tensor) and (other := self._same_as(source)):
            self._aliased.add(source)  # no way back, whatever a log says
            return self.of(other)
        found.length = found.length or self.tree.length(source)
        found.value = found.value or self._symbols.get(one_way(plain_source(source)), "")
        if found.tensor:
            found.tensor = self._with_sizes(source, found.tensor)
        return found

    def _same_as(self, source: str) -> str:
        """The source that this one is, as the entry was compiled for one object in two places.

        Torch guards the value of one alone.
        """
        named = [guard for guard in self.tree.guards if guard.kind == "OBJECT_ALIASING"]
        pairs = (aliases(body_of(guard.text)) for guard in (*self._equations, *named))
        others = (pair[0] for pair in pairs if pair and one_way(pair[1]) == source)
        return next((other for other in others if other not in self._aliased), "")

    def _with_sizes(self, source: str, fields: dict[str, str]) -> dict[str, str]:
        """The symbolic sizes and strides filled in."""
        filled = dict(fields)
        for name in ("size", "stride"):
            numbers = _numbers(fields[name])
            ways = (f"{source}.{name}()[{place}]" for place in range(len(numbers)))
            known = [
                (self.value_of(way) or UNKNOWN_SIZE) if number == UNKNOWN_SIZE else number
                for number, way in zip(numbers, ways, strict=True)
            ]
            filled[name] = f"[{', '.join(known)}]"
        return filled


def _is_tensor_of(guard: Guard, source: str) -> bool:
    return guard.kind == "TENSOR_MATCH" and one_way(plain_source(guard.source)) == one_way(source)


def _numbers(text: str) -> list[str]:
    """``[2, None]`` as its numbers, with a question mark for None."""
    inside = text.strip("[]").strip()
    parts = [part.strip() for part in inside.split(",")] if inside else []
    return [UNKNOWN_SIZE if part == "None" else part for part in parts]


def _symbols(records: Iterable[Mapping[str, Any]]) -> Iterable[tuple[str, str]]:
    for record in records:
        source, value = record.get("source"), record.get("val")
        if isinstance(source, str) and value is not None:
            yield one_way(plain_source(source)), str(value)


def _presences(tree: GuardTree) -> Iterable[tuple[str, bool]]:
    for guard in tree.guards:
        if reading_of(guard.kind) is Reading.PRESENCE:
            found = presence_in(guard.text)
            if found is not None:
                yield found.source, found.expected is ValueKind.PRESENT


def _add(found: Stated, guard: Guard) -> None:
    """What one guard on a source says of it."""
    reading, text = reading_of(guard.kind), guard.text
    if reading is Reading.VALUE:
        found.value = wanted_value(text) or found.value
    elif reading is Reading.SWITCH:
        found.value = fixed_value(guard.kind)
    elif reading is Reading.NAN:
        found.value = "nan"
    elif reading is Reading.TENSOR:
        found.tensor = tensor_fields(text)
    elif reading in (Reading.TYPE, Reading.OBJECT):
        found.type = found.type or class_in(text)
        if reading is Reading.TYPE:
            found.type_id = type_id(text)
        else:
            found.object_id = object_id(text)
    elif reading in (Reading.LENGTH, Reading.ITEMS_LEFT):
        length = wanted_length(text) or ""
        found.length = length if length.isdecimal() else found.length


_HINT = re.compile(r"\(HINT: type (?P<type>\w+)\)\s*$")


_FUNCTIONS = ("function", "builtin_function_or_method", "code", "method", "method_descriptor")
_ENUM = re.compile(r"type=<(?:enum|flag) '")


def object_name(kind: str) -> str:
    """What an object of a class is called where no more is known: ``function``, ``Mode``."""
    name = kind.rpartition(".")[2]
    return "function" if name in _FUNCTIONS else name or "object"


def kind_of_object(guard: Guard) -> ValueKind:
    """What an object is that is guarded by its address."""
    is_enum = guard.of_enum or _ENUM.search(guard.text)
    return ValueKind.ENUM if is_enum else kind_of_type(class_in(guard.text))


def class_in(text: str) -> str:
    """The class that a guard names, in full or (2.8) by its last name alone."""
    hint = _HINT.search(text)
    return wanted_type(text) or (hint["type"] if hint else "")
