"""A number held in an attribute that goes where Dynamo makes a constant of it."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import Class
from esper_audit.source.scan.context import Context
from esper_audit.source.scan.flow import Arrival, Flow
from esper_audit.source.scan.held import Held
from esper_audit.source.scan.order import is_read_first


def find(context: Context) -> Iterator[ScanFinding]:
    """Numbers that change after construction, and are read by code that forward reaches."""
    told: set[tuple[Class, str]] = set()
    for arrival in Flow(context).arrivals.values():
        made, name = arrival.origin.made, arrival.origin.attribute
        held = context.held(made, name)
        if held.is_float or arrival.makes_tensor:
            told.update((one, name) for one in _related(context, made))
            yield _arrived(context, arrival, held)
    yield from _ints(context, told)


def _related(context: Context, made: Class) -> list[Class]:
    return [*context.classes.line(made), *context.classes.subclasses(made)]


def _arrived(context: Context, arrival: Arrival, held: Held) -> ScanFinding:
    """At the operation; at the read where that stands in another function."""
    origin = arrival.origin
    is_here = origin.function is arrival.function
    node = arrival.node if is_here else origin.node
    function = origin.function
    return context.finding(
        Diagnosis.FLOAT_SPECIALIZED if held.is_float else Diagnosis.INT_COUNTER,
        Pattern.TENSOR_FROM_NUMBER if arrival.makes_tensor else Pattern.FLOAT_IN_OPERATION,
        function.file,
        node,
        function,
        made=function.owner or origin.made,
        subject=f"self.{origin.attribute}",
        operation=arrival.operation,
        later=held.later,
    )


def _ints(context: Context, told: set[tuple[Class, str]]) -> Iterator[ScanFinding]:
    """An int of a module that changes: each value is compiled anew, whatever reads it."""
    for made in context.modules:
        for name in _attributes(context, made):
            if (made, name) in told:
                continue
            held = context.held(made, name)
            is_int = held.is_number and not held.is_float
            if is_int and held.changes and _varies(context, made, held):
                told.update((one, name) for one in _related(context, made))
                yield from _int(context, made, name, held)


def _varies(context: Context, made: Class, held: Held) -> bool:
    """Whether a step may write another value: settings that are set once are none of ours."""
    return any(
        (site.function in context.functions and is_read_first(context, site, made))
        or site.kind is SiteKind.AUGMENTED
        or context.loops.is_fed(site)
        for site in held.later
        if not context.is_eager(site)
    )


def _attributes(context: Context, made: Class) -> list[str]:
    """Those that the class itself writes, and that a line after construction may write."""
    written = context.written(made).items()
    return sorted(name for name, sites in written if context.may_change(name, sites))


def _int(context: Context, made: Class, name: str, held: Held) -> Iterator[ScanFinding]:
    reads = context.reads(made, name)
    inside = [
        site
        for site in held.later
        if site.function in context.functions
        and not context.is_eager(site)
        and is_read_first(context, site, made)
    ]
    if not reads:
        return
    written: Site = (inside or reads)[0]
    yield context.finding(
        Diagnosis.INT_COUNTER,
        Pattern.INT_IN_FORWARD if inside else Pattern.INT_SET_OUTSIDE,
        written.file,
        written.node,  # type: ignore[arg-type]  # an expression, as of all sites
        written.function,
        made=made if written.receiver != "self" else written.owner or made,
        subject=f"{written.receiver or 'self'}.{name}",
        later=held.later,
    )
