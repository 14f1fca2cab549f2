"""All failing guards of all cache entries of a frame, each with its expected and actual value.

Torch states one reason an entry, the first guard that failed. Here each leaf guard is called on
its own: ``GuardManager.check`` would also count failures and reorder children, and so change
what torch does next (torch/csrc/dynamo/guards.cpp, 2.13).

Worked example: ``forward`` fills ``self._cached`` from ``self.alpha`` where it is None. Entry 0/0
was compiled with None and alpha 0.5, entry 0/1 with the tensor, where alpha is not read. Now alpha
is 0.7 and ``_cached`` None again. ``walk`` visits the guard managers of both entries, and each leaf
guard is called with its value::

    0/1  TENSOR_MATCH  self._cached  expected tensor(size=[], …)  actual None  accepted_by 0/0
    0/0  EQUALS_MATCH  self.alpha    expected 0.5                 actual 0.7   accepted_by nothing

``_with_acceptance`` adds the last column: None passes the guard of 0/0 on the same source.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from types import CodeType
from typing import Any
from weakref import ref

import torch

from esper_audit._dynamo import names, values
from esper_audit._dynamo.guarded_values import Values, held_to, of_presence, of_tensor, of_value
from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.data.places import Location
from esper_audit.torch_text.global_state import changed_state
from esper_audit.torch_text.guard_text import (
    body_of,
    expected_value,
    location_in,
    presence_in,
    split_expression,
)

UserLines = dict[str, Location]


class LinesOf:
    """The user line of each guarded source, by guard manager, and no longer than that lives.

    Torch frees those of dropped entries, inside the program. A WeakKeyDictionary would run Python
    code there, which Dynamo tries to compile where it runs inside a compiled call (2.13).
    """

    def __init__(self) -> None:
        self._lines: dict[ref[Any], UserLines] = {}

    def keep(self, manager: Any, lines: UserLines) -> None:
        """Of a new one; forgets those that are gone."""
        self._lines = {weak: kept for weak, kept in self._lines.items() if weak() is not None}
        self._lines[ref(manager)] = lines

    def get(self, manager: Any) -> UserLines:
        """Empty for one that was made before."""
        return self._lines.get(ref(manager), {})


# Relational guards compare several values and can't be called with one (torch 2.8 to 2.14).
_RELATIONAL = "RELATIONAL"
_FREED = re.compile(r"because (?P<what>.+) got deallocated")
# Torch writes what is the case: ``!= 2`` where 2 was wanted.
_LENGTH = re.compile(r"len\((?P<source>.+)\) (?:!= |== )?(?P<wanted>(?:> |>= )?\d+)")


@lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, "<guard source>", "eval")


class EntryGuards:
    """The guards of one cache entry, held against the values that a frame was called with."""

    def __init__(
        self, entry: Any, f_locals: dict[str, Any], user_lines: UserLines, file: str = ""
    ) -> None:
        self.entry_id = str(entry.compile_id)
        self.failures: list[GuardFailure] = []
        self.passed: set[str] = set()
        self._manager = entry.guard_manager
        self._f_locals = f_locals
        self._user_lines = user_lines
        self._file = file
        self._gone: list[str] = []

    def evaluate(self) -> None:
        """Fill ``failures`` and ``passed``."""
        deleted = names.find("deleted_guards")
        if deleted is not None and isinstance(self._manager, deleted):
            reason = str(self._manager.invalidation_reason)
            freed = _FREED.search(reason)
            what = freed["what"] if freed else ""
            self._fail("INVALIDATED", what, Values("alive", "freed"), reason)
            return
        self._globals = dict(self._manager.global_scope)
        self._scope = {
            "L": self._f_locals,
            "G": self._manager.global_scope["G"],
            **self._manager.closure_vars,
        }
        for manager in walk(self._manager.root):
            self._check_leaves(manager)
        self._check_epilogue()
        if not self.failures:
            self._check_relational()

    def _check_leaves(self, manager: Any) -> None:
        leaves = manager.get_leaf_guards()
        source = manager.get_source()
        if not leaves or any(_is_inside(source, gone) for gone in self._gone):
            return
        try:
            value = eval(_compiled(source), self._globals, self._scope)
        except Exception as error:
            self._gone.append(source)
            text = leaves[0].verbose_code_parts()[0]
            gone = f"gone: {type(error).__name__}"
            found = Values("there", gone, ValueKind.PRESENT, values.kind_of(error))
            self._fail("SOURCE_GONE", source, found, text)
            return
        for leaf in leaves:
            self._check_leaf(leaf, source, value)

    def _check_leaf(self, leaf: Any, source: str, value: Any) -> None:
        if not callable(leaf):
            return
        if _holds(leaf, value):
            self.passed.add(source)
            return
        kind = type(leaf).__name__
        if kind == "TYPE_MATCH":
            self._gone.append(source)
        text = str(leaf.verbose_code_parts()[0])
        presence = presence_in(text)
        if presence is not None:
            self._fail(kind, presence.source, of_presence(presence), text)
        elif kind == "GLOBAL_STATE":
            self._fail(kind, "<global state>", self._changed_state(), text)
        elif kind == "TENSOR_MATCH" and isinstance(value, torch.Tensor):
            self._fail(kind, source, of_tensor(text, value), text)
        else:
            recognized = expected_value(kind, text)[1]
            self._fail(kind, source, of_value(kind, text, value), text, recognized)

    def _changed_state(self) -> Values:
        check = self._manager.closure_vars.get("___check_global_state")
        guard = check.__self__ if check is not None else None
        reason = guard.reason().strip() if guard is not None else ""
        actual = f"changed: {reason}" if reason else "changed"
        return Values("unchanged", actual, fields=_state_fields(guard, reason.split()))

    def _check_epilogue(self) -> None:
        for guard in self._manager.root.get_epilogue_lambda_guards():
            if not callable(guard) and type(guard).__name__ == "RELATIONAL_GUARD":
                continue
            for text in guard.verbose_code_parts():
                self._check_expression(str(text))

    def _check_expression(self, text: str) -> None:
        whole = body_of(text)
        if self._value_of(whole) is True:
            return
        expression = split_expression(whole)
        found = held_to(expression.expected, self._value_of(expression.source))
        self._fail("SHAPE_EXPRESSION", expression.source, found, text)

    def _value_of(self, expression: str) -> Any:
        try:
            return eval(_compiled(expression), self._globals, self._scope)
        except Exception as error:
            return error

    def _check_relational(self) -> None:
        """Only where nothing else failed: this call has the side effects that leaves lack."""
        info = self._manager.root.check_verbose(self._f_locals)
        if not info.result:
            for text in map(str, info.verbose_code_parts):
                length = _LENGTH.fullmatch(body_of(text))
                if length is None:
                    self._fail(_RELATIONAL, "<inputs>", Values("as compiled", body_of(text)), text)
                else:
                    size = self._value_of(f"len({length['source']})")
                    self._fail(
                        "LENGTH_CHECK", length["source"], held_to(length["wanted"], size), text
                    )

    def _whole_path(self, cut: Location | None) -> Location | None:
        """Torch cuts paths in its comments; the frame or another guard may know the whole one."""
        if cut is None:
            return None
        known = (self._file, *(line.file for line in self._user_lines.values()))
        whole = (file for file in known if file.endswith(cut.file))
        return replace(cut, file=next(whole, cut.file))

    def _fail(
        self,
        kind: str,
        source: str,
        found: Values,
        text: str,
        recognized: bool = True,
    ) -> None:
        failure = GuardFailure(
            cache_entry=self.entry_id,
            kind=kind,
            source=source,
            expected=found.expected,
            actual=found.actual,
            text=text,
            torch_source=source,
            user_line=self._user_lines.get(source) or self._whole_path(location_in(text)),
            recognized=recognized,
            expected_kind=found.expected_kind,
            actual_kind=found.actual_kind,
            fields=found.fields,
        )
        if failure not in self.failures:  # torch repeats some shape expressions
            self.failures.append(failure)


def _state_fields(guard: Any, names: list[str]) -> dict[str, tuple[str, str]]:
    """What changed of the global state; without values where this torch does not tell them."""
    try:
        return changed_state(names, guard.__getstate__(), type(guard)().__getstate__())
    except Exception:  # a guard of another version
        return dict.fromkeys(names, ("", ""))


def walk(root: Any) -> Iterator[Any]:
    """A guard manager and all below it."""
    dict_guards = names.find("dict_guards")
    waiting = [root]
    while waiting:
        manager = waiting.pop()
        if manager is None:
            continue
        yield manager
        below: list[Any] = []
        if dict_guards is not None and isinstance(manager, dict_guards):
            below += [child for pair in manager.get_key_value_managers().values() for child in pair]
        waiting += reversed([*below, *manager.get_child_managers()])


def _is_inside(source: str, gone: str) -> bool:
    """``self.a.b`` and ``self.a[0]`` are inside ``self.a``; ``self.ab`` is not."""
    return source.startswith(gone) and source[len(gone) : len(gone) + 1] in (".", "[", "(", ")")


def _holds(leaf: Any, value: Any) -> bool:
    try:
        return bool(leaf(value))
    except Exception:  # a guard that can't be evaluated on this value does not match it
        return False


@dataclass(frozen=True, slots=True)
class Lookup:
    """The call whose guards failed, as far as a failure's words need it.

    ``captured`` are the frame's variables of enclosing functions; ``forced``: the lookup matched
    on this rank, and not on another.
    """

    backend: Any
    forced: bool = False
    captured: tuple[str, ...] = ()
    file: str = ""


def failing_guards(
    entries: list[Any],
    f_locals: dict[str, Any],
    lookup: Lookup,
    user_lines: LinesOf,
) -> tuple[GuardFailure, ...]:
    """Every failing guard of every entry.

    An entry in which nothing failed gets one failure of kind BACKEND_MATCH where it was compiled
    for another backend, FORCED where it matched and another rank's did not, else NOTHING_FAILED.
    """
    judged: list[EntryGuards] = []
    for entry in entries:
        lines = user_lines.get(entry.guard_manager)
        guards = EntryGuards(entry, f_locals, lines, lookup.file)
        guards.evaluate()
        if not guards.failures:
            _explain_nothing(guards, entry, lookup)
        judged.append(guards)
    cells = {f"L['{name}']" for name in lookup.captured}
    return tuple(
        replace(failure, captured=failure.torch_source in cells)
        for failure in _with_acceptance(judged)
    )


def _explain_nothing(guards: EntryGuards, entry: Any, lookup: Lookup) -> None:
    backend = lookup.backend
    expected, actual = (_backend_name(used) for used in (getattr(entry, "backend", None), backend))
    if backend is not None and getattr(entry, "backend", backend) is not backend:
        text = "compiled for another backend"
        guards._fail("BACKEND_MATCH", "<backend>", Values(expected, actual), text)
    elif lookup.forced:
        text = "every guard holds here; the guard collective found that one failed on another rank"
        found = Values("a match on every rank", "a miss on one")
        guards._fail("FORCED", "<another rank>", found, text)
    else:
        text = "no guard of this cache entry fails on these values"
        guards._fail("NOTHING_FAILED", "<none>", Values("a failing guard", "none"), text, False)


def _backend_name(backend: Any) -> str:
    # torch.compile wraps its backend (_TorchCompileWrapper, torch/__init__.py, 2.8 to 2.14).
    for attribute in ("compiler_name", "__name__"):
        if isinstance(name := getattr(backend, attribute, None), str):
            return name
    return type(backend).__qualname__


def _with_acceptance(judged: list[EntryGuards]) -> Iterator[GuardFailure]:
    """Complete each failure with what only the other entries tell."""
    lines: UserLines = {}
    for guards in judged:
        for failure in guards.failures:
            guards.passed.discard(failure.torch_source)
            if failure.user_line is not None:
                lines.setdefault(failure.torch_source, failure.user_line)
    for guards in judged:
        for failure in guards.failures:
            source = failure.torch_source
            accepting = tuple(other.entry_id for other in judged if source in other.passed)
            line = failure.user_line or lines.get(source)
            yield replace(failure, accepted_by=accepting, user_line=line)
