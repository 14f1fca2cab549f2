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

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from esper_audit._dynamo.entry_guards import EntryGuards
from esper_audit._dynamo.made_guards import MadeGuards, UserLines
from esper_audit.data.compiles import GuardFailure
from esper_audit.torch_text.guard_values import Values
from esper_audit.torch_text.plain_sources import one_way


@dataclass(frozen=True, slots=True)
class Lookup:
    """The call whose guards failed, as far as a failure's words need it.

    ``captured`` are the frame's variables of enclosing functions; ``forced``: the lookup matched
    on this rank, and not on another. ``missed`` are the guard managers of entries that were made
    after the lookup, while its thread waited for another one's compile.
    """

    backend: Any
    forced: bool = False
    missed: tuple[Any, ...] = ()
    captured: tuple[str, ...] = ()
    file: str = ""


def failing_guards(
    entries: list[Any],
    f_locals: dict[str, Any],
    lookup: Lookup,
    made: MadeGuards,
) -> tuple[GuardFailure, ...]:
    """Every failing guard of every entry.

    An entry in which nothing failed gets one failure of kind BACKEND_MATCH where it was compiled
    for another backend, FORCED where it matched and another rank's did not, CONCURRENT where it was
    made after the lookup, else NOTHING_FAILED. A concurrent compile has no other cause.
    """
    judged: list[EntryGuards] = []
    for entry in entries:
        guards = EntryGuards(entry, f_locals, made.get(entry.guard_manager), lookup.file)
        guards.evaluate()
        if not guards.failures:
            _explain_nothing(guards, entry, lookup)
        judged.append(guards)
    concurrent = [guards for guards in judged if guards.is_concurrent]
    judged = concurrent or judged
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
        guards.fail("BACKEND_MATCH", "<backend>", Values(expected, actual), text)
    elif lookup.forced:
        text = "every guard holds here; the guard collective found that one failed on another rank"
        found = Values("a match on every rank", "a miss on one")
        guards.fail("FORCED", "<another rank>", found, text)
    elif any(entry.guard_manager is manager for manager in lookup.missed):
        text = "another thread made this cache entry while this call waited for its turn to compile"
        guards.is_concurrent = True
        guards.fail("CONCURRENT", "<another thread>", Values("", ""), text)
    else:
        text = "no guard of this cache entry fails on these values"
        guards.fail("NOTHING_FAILED", "<unknown>", Values("", "", recognized=False), text)


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
        guards.passed = set(map(one_way, guards.passed))
        for failure in guards.failures:
            guards.passed.discard(one_way(failure.torch_source))
            if failure.user_line is not None:
                lines.setdefault(failure.torch_source, failure.user_line)
    for guards in judged:
        for failure in guards.failures:
            source = failure.torch_source
            way = one_way(source)
            accepting = tuple(other.entry_id for other in judged if way in other.passed)
            line = failure.user_line or lines.get(source)
            yield replace(failure, accepted_by=accepting, user_line=line)
