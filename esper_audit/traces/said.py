"""What torch's own reason for one cache entry says, as a failed guard of that entry's tree."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.torch_text.guard_kinds import Reading, kind_by, reading_of
from esper_audit.torch_text.guard_text import (
    body_of,
    freed_in,
    kind_of_type,
    presence_in,
    tensor_fields,
    wanted_length,
    wanted_tensor,
    wanted_value,
)
from esper_audit.torch_text.guard_values import Values, as_texts, of_fields
from esper_audit.torch_text.plain_sources import key_of, one_way
from esper_audit.torch_text.recompile_reasons import (
    RecompileReason,
    TensorReason,
    backends_in,
    changed_settings,
    is_unexpected,
    other_type,
    tensor_reason,
    unreadable_source,
)
from esper_audit.torch_text.relations import ONE_TENSOR, SEPARATE_TENSORS, split_expression
from esper_audit.torch_text.sources import guard_name
from esper_audit.traces.guard_trees import Guard, GuardTree
from esper_audit.traces.held import held, setting_of_keys
from esper_audit.traces.stated import (
    UNKNOWN_SIZE,
    StatedValues,
)
from esper_audit.traces.wanted import EXPRESSION, wanted_of

Make = Callable[[str, Guard, Values], GuardFailure]
"""Makes the failure of a guard of an entry."""

_INVALIDATED = "Cache line invalidated"
_DUPLICATE = "Duplicate tensor"
_NAMELESS = Guard("", "", "", "")


def said_by_torch(
    entry: str, reason: RecompileReason, tree: GuardTree, values: StatedValues, make: Make
) -> list[GuardFailure]:
    """The guards that torch names, most often one; their new values are empty where it has none."""
    made = [make(entry, guard, found) for guard, found in _said(reason, tree, values)]
    if reason.user_line is None:
        return made
    return [replace(failure, user_line=reason.user_line) for failure in made]


def _said(
    reason: RecompileReason, tree: GuardTree, values: StatedValues
) -> Iterator[tuple[Guard, Values]]:
    text = reason.text
    special = _special(text, tree)
    if special is not None:
        yield special
        return
    tensor = tensor_reason(text)
    if tensor is not None:
        guard, found = _tensor(tensor, text, tree)
        yield guard, found if found.fields or tensor.other_type else _keys_of(guard, text, values)
        return
    guards = [_guard(reason.bare, text, tree)]
    if guards == [None] and "; " in text:
        guards = [_guard(guard_name(body_of(part)), part, tree) for part in text.split("; ")]
    known = [guard for guard in guards if guard is not None] or [_from_text(text, tree)]
    for guard in known:
        key = key_of(guard.source)
        if key is not None:
            yield _keys(key[0], guard, tree, values)
        else:
            answer = held(guard, values)  # of an entry whose tree is in the log of a parent
            found = answer if isinstance(answer, Values) else _known(guard, values)
            found = _with_length(found, guard, tree, values)
            yield guard, _of_tensors(found, guard, tree)


def _known(guard: Guard, values: StatedValues) -> Values:
    """What the guard wanted, and what came where the new entry names no more than its class."""
    found = wanted_of(guard)
    now = values.of(guard.source) if guard.source else None
    plain = reading_of(guard.kind) in (Reading.VALUE, Reading.SWITCH)
    if now is None or found.actual or not plain or not (now.kind and now.text):
        return found
    return replace(found, actual=now.text, actual_kind=now.kind)


def _keys(owner: str, guard: Guard, tree: GuardTree, values: StatedValues) -> tuple[Guard, Values]:
    """Of a dictionary whose keys differ: told of the dictionary."""
    found = Values(*keys_of(owner, tree, values.tree), ValueKind.COLLECTION, ValueKind.COLLECTION)
    return replace(guard, kind="DICT_KEYS_MATCH", source=owner), found


def keys_of(owner: str, before: GuardTree, now: GuardTree) -> tuple[str, str]:
    """The keys of a dictionary as texts, in the trees of two entries."""
    return _keys_text(before.keys(owner)), _keys_text(now.keys(owner))


def _keys_text(texts: Mapping[int, str]) -> str:
    wanted = [wanted_value(texts[number]) for number in sorted(texts)]
    known = [text for text in wanted if text is not None]
    if len(known) != len(wanted):
        return f"{len(wanted)} keys"
    return f"[{', '.join(known)}]" if known else ""


def _with_length(found: Values, guard: Guard, tree: GuardTree, values: StatedValues) -> Values:
    """The new length of a dictionary, where each of its keys is guarded, before and now."""
    if guard.kind != "DICT_LENGTH" or tree.length(guard.source) != found.expected:
        return found
    now = values.tree.length(guard.source)
    return replace(found, actual=now) if now and now != found.expected else found


def _of_tensors(found: Values, guard: Guard, tree: GuardTree) -> Values:
    """Whether it is tensors that were one object, or that were two."""
    expression = split_expression(body_of(guard.text))
    kinds = {StatedValues(tree).of(side).kind for side in expression.sides}
    if not expression.compares_identity or ValueKind.TENSOR not in kinds:
        return found
    return replace(found, expected_kind=ValueKind.TENSOR, actual_kind=ValueKind.TENSOR)


def _special(text: str, tree: GuardTree) -> tuple[Guard, Values] | None:
    """A reason that is no guard's text."""
    if is_unexpected(text):
        said = text or "no guard of this cache entry fails on these values"
        return _named("NOTHING_FAILED", "<unknown>", said), Values("", "", recognized=False)
    if text.startswith(_INVALIDATED):
        return _named("INVALIDATED", freed_in(text), text), Values("alive", "freed")
    backends = backends_in(text)
    if backends is not None:
        return _named("BACKEND_MATCH", "<backend>", text), Values(*backends)
    settings = changed_settings(text)
    if settings:
        return _named("GLOBAL_STATE", "", text), of_fields(dict.fromkeys(settings, ("", "")))
    if text.startswith("TORCH_FUNCTION_MODE_STACK"):
        fields = {"torch_function_modes": ("", "")}
        return _named("TORCH_FUNCTION_MODE_STACK", "", text), of_fields(fields)
    if text.startswith(_DUPLICATE):
        found = Values(SEPARATE_TENSORS, ONE_TENSOR, ValueKind.TENSOR, ValueKind.TENSOR)
        return _named("NO_TENSOR_ALIASING", _duplicates(text, tree), text), found
    source, is_key = unreadable_source(text)
    if source:
        missing = ValueKind.NO_KEY if is_key else ValueKind.GONE
        found = Values("present", "absent", ValueKind.PRESENT, missing)
        return _named("SOURCE_GONE", _source_named(source, tree), text), found
    return None


def _named(kind: str, source: str, text: str) -> Guard:
    return Guard(kind, source, text, text)


def _duplicates(text: str, tree: GuardTree) -> str:
    """``Duplicate tensors found: ["L['a']", "L['b']"]`` as ``L['a'] is L['b']``."""
    try:
        found = ast.literal_eval(text.partition(": ")[2].partition("]")[0] + "]")
    except (ValueError, SyntaxError, MemoryError, RecursionError):
        return "<inputs>"
    if not isinstance(found, list) or not found:
        return "<inputs>"
    return " is ".join(_source_named(str(name), tree) for name in found[:2])


def _source_named(name: str, tree: GuardTree) -> str:
    """The source that torch writes without ``L[…]``."""
    bare = guard_name(name)
    known = (source for source in (g.source for g in tree.guards) if guard_name(source) == bare)
    found = next(known, "")
    if not found:
        found = next((source for source in sorted(tree.sources) if guard_name(source) == bare), "")
    return found or name


def _tensor(reason: TensorReason, text: str, tree: GuardTree) -> tuple[Guard, Values]:
    bare = guard_name(reason.name)
    guard = next(
        (g for g in tree.guards if g.kind == "TENSOR_MATCH" and guard_name(g.source) == bare), None
    )
    wanted = tensor_fields(guard.text) if guard is not None else {}
    made = guard or _named("TENSOR_MATCH", _source_named(reason.name, tree), text)
    if reason.other_type:
        kind = kind_of_type(reason.other_type)
        shown = "None" if kind is ValueKind.NONE else reason.other_type
        expected = wanted_tensor(made.text) if guard is not None else "a tensor"
        return made, Values(expected, shown, ValueKind.TENSOR, kind)
    fields = _fields(reason, wanted)
    return made, Values(*as_texts(fields), ValueKind.TENSOR, ValueKind.TENSOR, fields)


_KEYS = re.compile(r"expected (DispatchKeySet\(.*?\)), actual (DispatchKeySet\(.*?\))")


def _keys_of(guard: Guard, text: str, values: StatedValues) -> Values:
    """Of a tensor whose dispatch keys differ: what that comes from."""
    answer = held(guard, values)
    if isinstance(answer, Values):
        return answer
    match = _KEYS.search(text)
    setting = setting_of_keys(*match.groups()) if match is not None else {}
    if setting:
        return of_fields(setting)
    return Values(*as_texts({}), ValueKind.TENSOR, ValueKind.TENSOR, recognized=False)


def _fields(reason: TensorReason, wanted: dict[str, str]) -> dict[str, tuple[str, str]]:
    if not reason.field:
        return {}
    if reason.field == "rank":
        size = wanted.get("size", _unknown_size(reason.expected))
        return {"size": (size, _unknown_size(reason.actual))}
    if reason.place is None:
        return {reason.field: (reason.expected, reason.actual)}
    before = wanted.get(reason.field, "").strip("[]").split(", ")
    if reason.place >= len(before) or not before[0]:
        before = [UNKNOWN_SIZE] * reason.place + [reason.expected]
    # Torch compares the sizes in their order: those before held, those after are not known.
    after = [*before[: reason.place], reason.actual]
    after += [UNKNOWN_SIZE] * (len(before) - len(after))
    return {reason.field: (f"[{', '.join(before)}]", f"[{', '.join(after)}]")}


def _unknown_size(rank: str) -> str:
    count = min(int(rank), 16) if rank.isdecimal() and len(rank) < 3 else 0
    return f"[{', '.join([UNKNOWN_SIZE] * count)}]"


def _guard(bare: str, text: str, tree: GuardTree) -> Guard | None:
    """The guard of the tree that a reason quotes."""
    for guard in tree.guards:
        if guard_name(body_of(guard.text)) == bare:
            return guard
    of_type = other_type(bare)
    if of_type:
        source = _source_named(of_type, tree)
        known = (guard for guard in tree.of(source) if guard.kind == "TYPE_MATCH")
        return next(known, _named("TYPE_MATCH", source, text))
    length = wanted_length(text)
    if length is None:
        return None
    for owner in tree.dicts.values():
        name = one_way(guard_name(owner))
        if one_way(bare) in (f"len({name}) != {length}", f"len({name}) == {length}", f"not {name}"):
            return Guard("DICT_LENGTH", owner, text, text)
    return None


def _from_text(text: str, tree: GuardTree) -> Guard:
    """A guard that no tree tells of, by its text alone."""
    body = body_of(text)
    if body.startswith("___check_obj_id("):
        return _named("ID_MATCH", _argument(body), text)
    if body.startswith(("___check_type_id(", "___check_fake_script_type_id(")):
        return _named("TYPE_MATCH", _argument(body), text)
    if body.startswith("check_tensor("):
        return _named("TENSOR_MATCH", _argument(body), text)
    if presence_in(text) is not None:
        kind = "DICT_CONTAINS" if "___dict_contains" in body else "HASATTR"
        return _named("SET_CONTAINS" if "set.__contains__" in body else kind, "", text)
    known = kind_by("LAMBDA_GUARD", text)
    if known != "LAMBDA_GUARD":
        return _named(known, "", text)
    if wanted_length(text) is not None:
        source = body.removeprefix("not ").removeprefix("len(").partition(")")[0]
        return _named("LENGTH_CHECK", _source_named(source, tree), text)
    expression = split_expression(_with_locals(body))
    if expression.sides or expression.source == body or ".size()" in body:
        return _named(EXPRESSION, "", _with_locals(text))
    return _named("EQUALS_MATCH", expression.source, _with_locals(text))


def _with_locals(text: str) -> str:
    """``k == 2`` as ``L['k'] == 2``, where the text names no source in torch's terms."""
    name, operator, value = text.partition(" == ")
    is_path = name.replace(".", "").replace("_", "").isalnum() and not name[:1].isdigit()
    if not is_path or not operator or "L[" in text or "G[" in text:
        return text
    first, dot, rest = name.partition(".")
    return f"L['{first}']{dot}{rest} == {value}"


def _argument(body: str) -> str:
    inside = body.partition("(")[2]
    return inside.rpartition(", ")[0] if inside.count(", ") == 1 else inside.partition(", ")[0]
