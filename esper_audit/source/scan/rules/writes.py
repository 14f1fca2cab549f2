"""An attribute of a module that forward writes and reads: the next call finds another value."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import Site, SiteKind, sites_in
from esper_audit.source.definitions import Class, Function
from esper_audit.source.scan.context import Context
from esper_audit.source.scan.held import Held
from esper_audit.source.scan.order import is_read_first
from esper_audit.source.values import NUMBERS, ValueKind, kinds_of

_INT = frozenset((ValueKind.INT,))
_GROWING = frozenset(("append", "extend", "insert", "add", "update", "pop", "clear", "remove"))


def find(context: Context) -> Iterator[ScanFinding]:
    """Writes on self in reached methods of modules, of values that Dynamo guards."""
    told: set[tuple[Class, str]] = set()
    for function in context.functions:
        made = function.owner
        if made is None or not context.classes.is_module(made):
            continue
        for site in sites_in(function.file, context.classes):
            if site.function is not function or site.receiver != "self" or context.is_eager(site):
                continue
            id_ = _id_of(context, site, made)
            if id_ is not None and (made, site.attribute) not in told:
                told.add((made, site.attribute))
                yield _finding(context, site, made, function, id_)


def _finding(
    context: Context, site: Site, made: Class, function: Function, id_: Diagnosis
) -> ScanFinding:
    return context.finding(
        id_,
        Pattern.WRITE_IN_FORWARD,
        function.file,
        site.node,  # type: ignore[arg-type]  # an expression, as of all sites
        function,
        made=made,
        subject=f"self.{site.attribute}",
        later=context.held(made, site.attribute).later,
    )


def _id_of(context: Context, site: Site, made: Class) -> Diagnosis | None:
    """What a write does to the next call; None where it does nothing, or that isn't known."""
    held = context.held(made, site.attribute)
    if site.kind is SiteKind.READ:
        return _of_growing(site, held)
    if site.kind is SiteKind.IN_PLACE:  # tensors are, too; of a dict, caches.py knows more
        known = held.kinds - {ValueKind.UNKNOWN, ValueKind.NONE}
        counts = site.via == "[]=" and known == {ValueKind.CONTAINER}
        return Diagnosis.INT_COUNTER if counts and kinds_of(site.value, None) == _INT else None
    if site.kind not in (SiteKind.WRITE, SiteKind.AUGMENTED):
        return None
    if not is_read_first(context, site, made):
        return None
    return _of_value(site, held)


def _of_growing(site: Site, held: Held) -> Diagnosis | None:
    """``self.losses.append(x)`` on a list or set."""
    grows = site.called in _GROWING
    known = held.kinds - {ValueKind.UNKNOWN, ValueKind.NONE}
    return Diagnosis.CONTAINER_CHANGED if grows and known == {ValueKind.CONTAINER} else None


def _of_value(site: Site, held: Held) -> Diagnosis | None:
    known = held.kinds - {ValueKind.UNKNOWN}
    new = kinds_of(site.value, site.function)
    if held.is_number and known <= NUMBERS:
        if site.kind is SiteKind.AUGMENTED or not isinstance(site.value, ast.Constant):
            return Diagnosis.FLOAT_SPECIALIZED if held.is_float else Diagnosis.INT_COUNTER
        return Diagnosis.INT_COUNTER if held.changes and not held.is_float else None
    if (
        known
        and known <= {ValueKind.BOOL, ValueKind.TEXT, ValueKind.NONE}
        and ValueKind.NONE not in known
    ):
        return Diagnosis.FLAG_CHANGED if held.changes else None
    was_empty = any(
        isinstance(one.value, ast.Constant) and one.value.value is None for one in held.sites
    )
    is_moved = isinstance(site.value, ast.IfExp) and ValueKind.NONE in new  # None stays None
    if was_empty and ValueKind.TENSOR in new and not is_moved:
        return Diagnosis.LAZY_CACHE
    return None
