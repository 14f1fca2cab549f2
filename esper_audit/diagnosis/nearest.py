"""The nearest cache entry of a compile: the one that the smallest change kept from matching.

Nearest is found by what changed, not by how many guards say so. Guards that fail for one reason are
one change: two tensors that grew together, a key and the length of one dict, a flag that
``train()`` sets in each module, an attribute of an object that was replaced.

Worked example, by ``_distance``, of a key/value cache that grows::

    entry 0/0  self.k: None -> tensor              (False, 0, TYPE, 1)
    entry 0/1  self.k: [1, 1, 8] -> [1, 2, 8]
               self.v: [1, 1, 8] -> [1, 2, 8]      (False, 0, SIZE, 1)  the nearest: one change

So the cause is that both tensors grew, though entry 0/0 has fewer failing guards.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from enum import IntEnum

from esper_audit.data.compiles import Compile, GuardFailure, ValueKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.diagnosis.identify import identify
from esper_audit.torch_text.guard_kinds import Reading, reading_of


class Extent(IntEnum):
    """How much changed, from little to much."""

    SIZE = 0
    VALUE = 1
    FREED = 2
    TYPE = 3
    """Another type, or None in place of something: neither is nearer than the other."""


_LENGTHS = (Reading.LENGTH, Reading.ITEMS_LEFT)
_PLAIN = (
    *(ValueKind.BOOL, ValueKind.INT, ValueKind.FLOAT, ValueKind.STR, ValueKind.ENUM),
    *(ValueKind.TORCH, ValueKind.COLLECTION),
)
_THERE = {ValueKind.PRESENT, ValueKind.ABSENT}
_KEY = re.compile(r"(?P<owner>.+)\[[^\[\]]+\]")
_LAST_NAME = re.compile(r"(\w+)\W*$")


def closest_failures(
    compile_: Compile, instances: Mapping[str, str] | None = None
) -> tuple[GuardFailure, ...]:
    """What kept the nearest cache entry from matching, each change once.

    A failure whose actual value another entry accepts is no cause by itself, so entries whose
    failures no entry accepts go first. Of the ticket's cache, this is the alpha value: other
    entries accept ``None`` for the cached tensor, none accepts the new alpha. ``instances`` names
    the object that each entry was compiled for: entries of the same object are nearer than others.
    """
    entries: dict[str, list[GuardFailure]] = defaultdict(list)
    for failure in compile_.guard_failures:
        entries[failure.cache_entry].append(failure)
    told = {entry: telling(failures) for entry, failures in entries.items()}
    if not told:
        return ()

    def distance(entry: str) -> tuple[bool, int, int, int, int]:
        is_foreign = (instances or {}).get(entry, compile_.instance) != compile_.instance
        return is_foreign, *_distance(told[entry])

    return tuple(told[min(told, key=distance)])


def _distance(failures: Sequence[GuardFailure]) -> tuple[int, int, int, int]:
    """Accepted elsewhere, the largest extent, the number of changes, the sum of all."""
    changes: dict[object, GuardFailure] = {}
    for failure in failures:
        changes.setdefault(_reason(failure), failure)
    accepted = sum(bool(failure.accepted_by) for failure in changes.values())
    largest = max(map(extent, failures))
    return accepted, largest, len(changes), sum(map(_weight, changes.values()))


def telling(failures: Sequence[GuardFailure]) -> list[GuardFailure]:
    """The failures of one entry, without those that only follow from another of them."""
    # Dispatch keys follow from what else changed; alone, they tell.
    shown = [failure for failure in failures if failure.fields.keys() != {"keys"}]
    kept = [failure for failure in shown if not any(_follows(failure, other) for other in shown)]
    return kept or shown or list(failures)


def _follows(failure: GuardFailure, other: GuardFailure) -> bool:
    """Whether a failure says no more than another one: of one dict, one tensor, one object."""
    if failure is other:
        return False
    source, wider = failure.torch_source, other.torch_source
    if _is_length(other):
        is_of = wider in (source, _owner(source))
        return is_of and is_key(failure) and not _is_length(failure)
    if other.kind == "TENSOR_MATCH" and of_shape(failure):
        return is_inside(source, wider) and "size" in other.fields
    return extent(other) is Extent.TYPE and is_inside(source, wider)


def is_key(failure: GuardFailure) -> bool:
    """Whether it is about the keys of a container: which are there, and in what order."""
    return reading_of(failure.kind) in (Reading.PRESENCE, Reading.KEYS)


def _is_length(failure: GuardFailure) -> bool:
    return reading_of(failure.kind) in _LENGTHS


def _owner(source: str) -> str:
    """``L['d']`` of ``L['d']['x']``."""
    match = _KEY.fullmatch(source)
    return match["owner"] if match is not None else ""


def is_inside(source: str, owner: str) -> bool:
    """Whether a source is read from another one: ``type(L['x']).a`` from ``L['x']``."""
    found = owner and re.search(rf"{re.escape(owner)}(?![\w])", source)
    return bool(found) and source != owner


def of_shape(failure: GuardFailure) -> bool:
    """Whether it is an expression over sizes, strides or offsets of tensors."""
    sizes = (Diagnosis.SIZE_CHANGED, Diagnosis.SIZE_ZERO_ONE)
    strides = failure.kind == "SHAPE_EXPRESSION" and identify(failure) is Diagnosis.LAYOUT_CHANGED
    return strides or (failure.kind != "TENSOR_MATCH" and identify(failure) in sizes)


def extent(failure: GuardFailure) -> Extent:
    """How much changed of one guarded value."""
    kinds = {failure.expected_kind, failure.actual_kind}
    if failure.kind in ("INVALIDATED", "WEAKREF_ALIVE"):
        return Extent.FREED
    if failure.fields.keys() & {"size", "stride"} or of_shape(failure):
        only = failure.fields.keys() <= {"size", "stride"}
        return Extent.SIZE if only else Extent.VALUE
    if failure.fields:
        return Extent.TYPE if "type" in failure.fields else Extent.VALUE
    if ValueKind.NONE in kinds:
        return Extent.TYPE
    if _is_length(failure) or (kinds == _THERE and is_item(failure.torch_source)):
        return Extent.VALUE
    is_plain = failure.actual_kind in _PLAIN and failure.kind != "TYPE_MATCH"
    return Extent.VALUE if is_plain else Extent.TYPE


def is_item(source: str) -> bool:
    """Whether a source is an item of a container, and no attribute."""
    return source.endswith("]") and not re.search(r"\.__dict__\['\w+'\]$", source)


def _weight(failure: GuardFailure) -> int:
    """Of one change: so many fields, one value or type, or a whole object."""
    if failure.fields:
        return len(failure.fields)
    return 1 if extent(failure) <= Extent.VALUE or failure.kind == "TYPE_MATCH" else 2


def _reason(failure: GuardFailure) -> object:
    """Equal for failures that one change made, as far as their values show."""
    if extent(failure) is Extent.SIZE:
        pairs = frozenset(_changed_numbers(failure))
        return ("size", pairs) if pairs else failure.torch_source
    name = _LAST_NAME.search(failure.torch_source)
    return name and name[1], failure.kind, failure.expected, failure.actual, *failure.fields.items()


def _changed_numbers(failure: GuardFailure) -> Iterator[tuple[str, str]]:
    """Each number of a size that changed, as (before, after)."""
    whole = failure.fields.get("size", (failure.expected, failure.actual))
    before, after = (re.findall(r"-?\w+", size) for size in whole)
    yield from (pair for pair in zip(before, after, strict=False) if pair[0] != pair[1])
