"""All failing guards of all cache entries of a frame, each with its expected and actual value.

Torch states one reason an entry, the first guard that failed. Here each leaf guard is called on
its own: ``GuardManager.check`` would also count failures and reorder children, and so change
what torch does next (torch/csrc/dynamo/guards.cpp, 2.13).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sized
from dataclasses import replace
from enum import Enum
from functools import lru_cache
from types import CodeType
from typing import Any

import torch

from esper_audit._dynamo import describe, names
from esper_audit._dynamo.guard_text import (
    body_of,
    expected_value,
    location_in,
    split_expression,
    tensor_difference,
)
from esper_audit.events import GuardFailure, Location

UserLines = dict[str, Location]

# Relational guards compare several values and can't be called with one (torch 2.8 to 2.14).
_RELATIONAL = "RELATIONAL"


@lru_cache(maxsize=4096)
def _compiled(source: str) -> CodeType:
    return compile(source, "<guard source>", "eval")


class EntryGuards:
    """The guards of one cache entry, held against the values that a frame was called with."""

    def __init__(self, entry: Any, f_locals: dict[str, Any], user_lines: UserLines) -> None:
        self.entry_id = str(entry.compile_id)
        self.failures: list[GuardFailure] = []
        self.passed: set[str] = set()
        self._manager = entry.guard_manager
        self._f_locals = f_locals
        self._user_lines = user_lines
        self._gone: list[str] = []
        self._dict_guards = names.find("dict_guards")

    def evaluate(self) -> None:
        """Fill ``failures`` and ``passed``."""
        deleted = names.find("deleted_guards")
        if deleted is not None and isinstance(self._manager, deleted):
            reason = str(self._manager.invalidation_reason)
            self._fail("INVALIDATED", "", "a valid cache entry", "invalidated", reason)
            return
        self._globals = dict(self._manager.global_scope)
        self._scope = {
            "L": self._f_locals,
            "G": self._manager.global_scope["G"],
            **self._manager.closure_vars,
        }
        for manager in self._walk(self._manager.root):
            self._check_leaves(manager)
        self._check_epilogue()
        if not self.failures:
            self._check_relational()

    def _walk(self, manager: Any) -> Iterator[Any]:
        if manager is None:
            return
        yield manager
        if self._dict_guards is not None and isinstance(manager, self._dict_guards):
            for pair in manager.get_key_value_managers().values():
                for child in pair:
                    yield from self._walk(child)
        for child in manager.get_child_managers():
            yield from self._walk(child)

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
            self._fail("SOURCE_GONE", source, "there", f"gone: {describe.value(error)}", text)
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
        if kind == "GLOBAL_STATE":
            self._fail(kind, "<global state>", "unchanged", self._changed_state(), text)
        elif kind == "TENSOR_MATCH" and isinstance(value, torch.Tensor):
            expected, actual = tensor_difference(text, value)
            self._fail(kind, source, expected, actual, text)
        else:
            shown = type(value) if kind == "TYPE_MATCH" and value is not None else value
            if kind in ("LENGTH_CHECK", "DICT_LENGTH") and isinstance(value, Sized):
                shown = len(value)
            expected, recognized = expected_value(kind, text)
            if kind == "ID_MATCH" and isinstance(value, Enum):
                expected = _member_of(type(value), text) or expected
            self._fail(kind, source, expected, describe.value(shown), text, recognized)

    def _changed_state(self) -> str:
        check = self._manager.closure_vars.get("___check_global_state")
        reason = check.__self__.reason().strip() if check is not None else ""
        return f"changed: {reason}" if reason else "changed"

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
        actual = describe.value(self._value_of(expression.source))
        self._fail("SHAPE_EXPRESSION", expression.source, expression.expected, actual, text)

    def _value_of(self, expression: str) -> Any:
        try:
            return eval(_compiled(expression), self._globals, self._scope)
        except Exception as error:
            return error

    def _check_relational(self) -> None:
        """Only where nothing else failed: this call has the side effects that leaves lack."""
        info = self._manager.root.check_verbose(self._f_locals)
        if not info.result:
            for text in info.verbose_code_parts:
                self._fail(_RELATIONAL, body_of(str(text)), "as compiled", "changed", str(text))

    def _fail(
        self,
        kind: str,
        source: str,
        expected: str,
        actual: str,
        text: str,
        recognized: bool = True,
    ) -> None:
        failure = GuardFailure(
            cache_entry=self.entry_id,
            kind=kind,
            source=source,
            expected=expected,
            actual=actual,
            text=text,
            torch_source=source,
            user_line=self._user_lines.get(source) or location_in(text),
            recognized=recognized,
        )
        if failure not in self.failures:  # torch repeats some shape expressions
            self.failures.append(failure)


def _is_inside(source: str, gone: str) -> bool:
    """``self.a.b`` and ``self.a[0]`` are inside ``self.a``; ``self.ab`` is not."""
    return source.startswith(gone) and source[len(gone) : len(gone) + 1] in (".", "[", "(", ")")


def _member_of(enumeration: type[Enum], text: str) -> str:
    """The member that an identity guard wants: Dynamo guards on its id (2.13)."""
    return next((describe.value(each) for each in enumeration if f" {id(each)})" in text), "")


def _holds(leaf: Any, value: Any) -> bool:
    try:
        return bool(leaf(value))
    except Exception:  # a guard that can't be evaluated on this value does not match it
        return False


def failing_guards(
    entries: list[Any],
    f_locals: dict[str, Any],
    backend: Any,
    user_lines: Mapping[Any, UserLines],
) -> tuple[GuardFailure, ...]:
    """Every failing guard of every entry.

    ``user_lines`` maps an entry's guard manager to the user line of each source.
    An entry in which nothing failed gets one failure of kind BACKEND_MATCH where it was compiled
    for another backend, else of kind NOTHING_FAILED (a guard collective forces such recompiles).
    """
    judged: list[EntryGuards] = []
    for entry in entries:
        guards = EntryGuards(entry, f_locals, user_lines.get(entry.guard_manager, {}))
        guards.evaluate()
        if not guards.failures:
            _explain_nothing(guards, entry, backend)
        judged.append(guards)
    return tuple(_with_acceptance(judged))


def _explain_nothing(guards: EntryGuards, entry: Any, backend: Any) -> None:
    expected, actual = (_backend_name(each) for each in (getattr(entry, "backend", None), backend))
    if backend is not None and getattr(entry, "backend", backend) is not backend:
        guards._fail("BACKEND_MATCH", "<backend>", expected, actual, "compiled for another backend")
    else:
        text = "no guard of this cache entry fails on these values"
        guards._fail("NOTHING_FAILED", "<none>", "a failing guard", "none", text, False)


def _backend_name(backend: Any) -> str:
    return str(getattr(backend, "__name__", None) or type(backend).__qualname__)


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
