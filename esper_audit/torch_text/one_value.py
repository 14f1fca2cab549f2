"""Guards on an expression over one value: told of that value, not of the expression. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.torch_text import guard_trees as trees
from esper_audit.torch_text.guard_text import body_of, kind_of
from esper_audit.torch_text.plain_sources import plain_source
from esper_audit.torch_text.solving import solved

_KIND = "SHAPE_EXPRESSION"
_ARGUMENT = re.compile(r"L\['\w+'\](?:\.(?:size|stride|storage_offset)\(\)(?:\[\d+\])?)?")


@dataclass(frozen=True, slots=True)
class Seen:
    """A value that a source has: as a text, and what it is."""

    text: str
    kind: ValueKind


def of_one_value(failure: GuardFailure, read: Callable[[ast.expr], Seen | None]) -> GuardFailure:
    """The failure, with the value that its expression reads for source; as it is for any other.

    A condition that is not linear holds the value to itself: ``… % 4 == 0``. One over several
    values keeps its source; that of its writer is the first that is no argument. ``read`` gives the
    value of a source, None where nobody knows it.
    """
    condition = trees.tree_of(body_of(failure.text)) if failure.kind == _KIND else None
    if condition is None:
        return failure
    found = {ast.unparse(node): node for node in trees.sources_in(condition)}
    paths = list(dict.fromkeys(map(plain_source, found)))
    if len(paths) != 1:
        state = (path for path in paths if not _ARGUMENT.fullmatch(path))
        return replace(failure, torch_source=next(state, (paths or [failure.torch_source])[0]))
    text, node = next(iter(found.items()))
    value = read(node)
    is_expression = plain_source(failure.source) != paths[0]
    if value is None or not is_expression:
        return replace(failure, torch_source=paths[0])
    return _of(replace(failure, source=text, torch_source=paths[0]), condition, value)


def _of(failure: GuardFailure, condition: ast.expr, value: Seen) -> GuardFailure:
    source = failure.source
    is_whole = value.kind in (ValueKind.INT, ValueKind.BOOL)
    solution = solved(ast.unparse(condition), source, whole=is_whole)
    expected = str(solution) if solution is not None else _around(condition, source)
    return replace(
        failure,
        expected=expected,
        actual=value.text,
        expected_kind=kind_of(expected),
        actual_kind=value.kind,
    )


def _around(condition: ast.expr, source: str) -> str:
    """The condition, with ``…`` in place of its value."""
    return ast.unparse(condition).replace(source, "…")
