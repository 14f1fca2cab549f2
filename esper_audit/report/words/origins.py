"""What a guarded source is, in words: a default of which function, the result of which line."""

from __future__ import annotations

from collections.abc import Callable

from esper_audit.data.compiles import Held, Origin
from esper_audit.data.places import Location
from esper_audit.report.words.paths import short_line


def with_origin(source: str, origin: Origin | None) -> str:
    """``k`` as "k (default of helper)"."""
    return source if origin is None else _FORMS[origin.held](source, origin)


def _line(location: Location | None) -> str:
    return "" if location is None else f" at {short_line(location)}"


_FORMS: dict[Held, Callable[[str, Origin], str]] = {
    Held.CLOSURE: lambda source, origin: f"{source} (captured by {origin.owner})",
    Held.DEFAULT: lambda source, origin: f"{source} (default of {origin.owner})",
    Held.PARTIAL: lambda source, origin: f"{source} (bound by the partial {origin.owner})",
    Held.RESULT: lambda source, origin: f"{source} (result{_line(origin.location)})",
    Held.STACK: lambda _, origin: (
        f"<value kept over the graph break{_line(origin.location)}> (what made it is unknown)"
    ),
}
