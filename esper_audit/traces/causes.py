"""All failing guards of all cache entries at a recompile, from guard trees and torch's reasons.

Torch's reason is the first guard of each entry that failed. What else failed follows from the
trees: the new entry's states the values that the guards of the others are held against.
Worked example, of an attention cache that grows, where torch only says ``0/1: tensor 'self.k' size
mismatch at index 1. expected 1, actual 2``::

    0/1  TENSOR_MATCH  self.k  size [1, 1, 8] -> [1, 2, 8]   as torch says
    0/1  TENSOR_MATCH  self.v  size [1, 1, 8] -> [1, 2, 8]   from the trees alone
    0/0  NONE_MATCH    self.k  None -> tensor(…)             as torch says, the value from the tree

An attempt that made no entry has no tree, so of that only torch's reasons are known, without new
values.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.data.places import Location
from esper_audit.torch_text.guard_kinds import Reading, reading_of
from esper_audit.torch_text.guard_text import (
    body_of,
    hint_in,
    location_in,
    presence_in,
    tensor_fields,
)
from esper_audit.torch_text.guard_values import GLOBAL_STATE, Values, of_fields, same_field
from esper_audit.torch_text.plain_sources import is_inside, key_of, one_way
from esper_audit.torch_text.recompile_reasons import RecompileReason
from esper_audit.torch_text.relations import split_expression
from esper_audit.torch_text.told_once import told_once
from esper_audit.traces.guard_trees import Guard, GuardTree
from esper_audit.traces.held import held
from esper_audit.traces.said import keys_of, said_by_torch
from esper_audit.traces.stated import StatedValues

_CODE = ".__code__"
_REPLACED = ("TYPE_MATCH", "ID_MATCH", "MAPPING_KEYS_MATCH")
"""Where one of these fails, what the value holds is another's."""

WholePath = Callable[[Location], Location]
"""Torch cuts paths in its comments; gives the whole one where it is known."""


@dataclass(slots=True)
class Entry:
    """A cache entry: its id, its tree, and what torch said of it at this recompile, if anything."""

    id: str
    tree: GuardTree
    reason: RecompileReason | None = None


@dataclass(slots=True)
class _Judged:
    """What became of one entry's guards. ``way``: sources by which way they are read."""

    entry: Entry
    failures: list[GuardFailure] = field(default_factory=list)
    gone: list[str] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)


def failures_of(
    entries: Sequence[Entry], values: StatedValues, whole_path: WholePath
) -> tuple[GuardFailure, ...]:
    """The failing guards of these entries, for the call that ``values`` are of.

    Torch's own reason is the first of each entry. Sources are in torch's terms.
    """
    judged = [_judge(entry, values) for entry in entries]
    found = [replace(one, failures=_in_order(one, values)) for one in judged]
    lines = dict(_user_lines(found))
    return tuple(
        replace(
            failure,
            accepted_by=tuple(_accepting(failure, found, values)),
            user_line=_placed(
                failure.user_line
                or lines.get(failure.torch_source)
                or _line_of(failure, one.entry.tree),
                whole_path,
            ),
        )
        for one in found
        for failure in one.failures
    )


def _line_of(failure: GuardFailure, tree: GuardTree) -> Location | None:
    """The user's line of another guard on the source, or of one on its keys."""
    if failure.kind == "INVALIDATED":
        return None  # no guard failed
    source = failure.torch_source
    own = (*tree.of(source), *tree.key_guards(source))
    return next((line for guard in own if (line := location_in(guard.text)) is not None), None)


def _placed(line: Location | None, whole_path: WholePath) -> Location | None:
    return whole_path(line) if line is not None else None


def _judge(entry: Entry, values: StatedValues) -> _Judged:
    judged = _Judged(entry)
    for guard in entry.tree.guards:
        if guard.line in values.tree.lines or _is_gone(guard.source, judged.gone):
            continue
        answer = held(guard, values)
        if isinstance(answer, Values) and not _follows(guard, judged.failures):
            _fail(judged, guard, answer, values)
    return judged


def _follows(guard: Guard, failures: Iterable[GuardFailure]) -> bool:
    """Whether a relation says no more than the failure of one of its sides."""
    if reading_of(guard.kind) is not Reading.RELATION:
        return False
    expression = split_expression(body_of(guard.text))
    sides = expression.sides or (expression.source,)
    return any(
        side == failure.torch_source or is_inside(side, failure.torch_source)
        for side in sides
        for failure in failures
    )


def _is_gone(source: str, gone: Iterable[str]) -> bool:
    return any(source == other or is_inside(source, other) for other in gone)


def _fail(judged: _Judged, guard: Guard, found: Values, values: StatedValues) -> None:
    key = key_of(guard.source)
    if key is not None:
        if key[0] not in judged.keys and not _is_gone(key[0], judged.gone):
            judged.keys.append(key[0])
            judged.failures += _of_keys(judged, key[0], guard, values)
        return
    if guard.kind in _REPLACED:
        judged.gone.append(guard.source)
    judged.failures.append(failure_of(judged.entry.id, guard, found))


def _of_keys(
    judged: _Judged, owner: str, guard: Guard, values: StatedValues
) -> Iterator[GuardFailure]:
    """Of a dictionary whose keys differ: told of the dictionary."""
    texts = keys_of(owner, judged.entry.tree, values.tree)
    found = Values(*texts, ValueKind.COLLECTION, ValueKind.COLLECTION)
    made = replace(guard, kind="DICT_KEYS_MATCH", source=owner)
    yield failure_of(judged.entry.id, made, found)


def failure_of(entry: str, guard: Guard, found: Values) -> GuardFailure:
    """One failure as a recording has it, its source in torch's terms."""
    kind, source = _kind_and_source(guard, found)
    return GuardFailure(
        cache_entry=entry,
        kind=kind,
        source=source,
        expected=found.expected,
        actual=found.actual,
        text=guard.text,
        torch_source=source,
        user_line=location_in(guard.text),
        recognized=found.recognized,
        expected_kind=found.expected_kind,
        actual_kind=found.actual_kind,
        fields=found.fields,
        hint=hint_in(guard.text),
    )


def _kind_and_source(guard: Guard, found: Values) -> tuple[str, str]:
    reading = reading_of(guard.kind)
    if reading is Reading.SETTING:
        return guard.kind, GLOBAL_STATE
    if reading is Reading.TENSOR and found.fields and found == of_fields(found.fields):
        return "GLOBAL_STATE", GLOBAL_STATE  # its dispatch keys tell of a setting
    if reading is Reading.PRESENCE:
        presence = presence_in(guard.text)
        return guard.kind, presence.source if presence is not None else guard.source
    if reading is Reading.RELATION or not guard.source:
        return _relation(guard)
    if guard.kind == "ID_MATCH" and guard.source.endswith(_CODE):
        return guard.kind, guard.source.removesuffix(_CODE)  # a function: torch guards on its code
    return guard.kind, guard.source


def _relation(guard: Guard) -> tuple[str, str]:
    expression = split_expression(body_of(guard.text))
    if expression.compares_identity:
        return "OBJECT_ALIASING", " is ".join(expression.sides)
    is_named = guard.kind in ("NO_TENSOR_ALIASING", "STORAGE_OVERLAPPING", "OBJECT_ALIASING")
    if is_named:
        return guard.kind, guard.source or "<inputs>"
    return "SHAPE_EXPRESSION", expression.source


def _in_order(judged: _Judged, values: StatedValues) -> list[GuardFailure]:
    """Torch's own reason first, with what the trees know of it."""
    reason, failures = judged.entry.reason, judged.failures
    if reason is not None:
        said = said_by_torch(judged.entry.id, reason, judged.entry.tree, values, failure_of)
        failures = _with_said(said, failures)
    return told_once(failures)


def _with_said(said: list[GuardFailure], failures: list[GuardFailure]) -> list[GuardFailure]:
    first: list[GuardFailure] = []
    rest = list(failures)
    for known in said:
        same = next((failure for failure in rest if _is_one(failure, known)), None)
        if same is None:
            first.append(known)
            continue
        rest.remove(same)
        line = known.user_line if known.user_line is not None else same.user_line
        first.append(replace(same, user_line=line))
    is_replaced = any(known.kind in ("INVALIDATED", "BACKEND_MATCH") for known in first)
    return first if is_replaced else [*first, *rest]


def _is_one(failure: GuardFailure, known: GuardFailure) -> bool:
    """Whether the trees tell of the guard that torch names."""
    if one_way(failure.torch_source) != one_way(known.torch_source):
        return False
    if failure.kind == known.kind:
        return known.fields.keys() <= failure.fields.keys() or not failure.fields
    settings = (Reading.SETTING, Reading.TENSOR)
    return all(reading_of(one.kind) in settings for one in (failure, known)) or (
        reading_of(known.kind) is Reading.LENGTH and failure.kind == "DICT_KEYS_MATCH"
    )


def _accepting(
    failure: GuardFailure, judged: Sequence[_Judged], values: StatedValues
) -> Iterator[str]:
    """The entries that guard this source as well, and found its value acceptable."""
    way = one_way(failure.torch_source)
    for one in judged:
        entry = one.entry
        if any(one_way(other.torch_source) == way for other in one.failures):
            continue
        guards = _about(failure, entry.tree)
        if not values.tree.guards:
            guards = [guard for guard in guards if guard.kind == failure.kind == "TENSOR_MATCH"]
            accepts = all(_agrees(failure, guard) for guard in guards)
        else:
            accepts = all(held(guard, values) is True for guard in guards)
        if guards and accepts:
            yield entry.id


def _agrees(failure: GuardFailure, guard: Guard) -> bool:
    """Of an attempt without a tree: whether a guard takes what torch told of the tensor."""
    wanted = tensor_fields(guard.text)
    fields = failure.fields.items()
    return bool(wanted) and all(
        same_field(name, wanted.get(name, ""), now) for name, (_, now) in fields
    )


def _about(failure: GuardFailure, tree: GuardTree) -> list[Guard]:
    """The guards of a tree that are about what failed."""
    if failure.torch_source == GLOBAL_STATE:
        return [guard for guard in tree.of("") if guard.kind == failure.kind]
    kinds = (Reading.PRESENCE, Reading.MARKS)
    own = tree.of(failure.torch_source)
    return [guard for guard in own if reading_of(guard.kind) not in kinds]


def _user_lines(found: Iterable[_Judged]) -> Iterator[tuple[str, Location]]:
    for one in found:
        for failure in one.failures:
            if failure.user_line is not None:
                yield failure.torch_source, failure.user_line
