"""The lines of a problem: the one to change, and those beside it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from esper_audit.data.clean import clean
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.report.blocks import is_argument
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import is_own


@dataclass(frozen=True, slots=True)
class Related:
    """A line that has to do with a problem, and what it did."""

    location: Location
    role: str

    def __post_init__(self) -> None:
        place = self.location
        cleaned = Location(clean(place.file), place.line, clean(place.function))
        object.__setattr__(self, "location", cleaned)


def line_of(finding: Finding, root: str) -> Location | None:
    """The line to change: of the writer, of the call that passed an argument, or of the guard.

    Lines of the project go before those of libraries.
    """
    known = [
        finding.written_by,
        finding.called_from if is_argument(finding) else None,
        finding.user_line,
        finding.called_from,
        _compiled(finding),
    ]
    places = [place for place in known if place is not None and _is_in_a_file(place)]
    return next((place for place in places if is_own(place.file, root)), next(iter(places), None))


def related_to(finding: Finding, primary: Location | None) -> tuple[Related, ...]:
    """Every other line that the finding names, each once."""
    seen = {(primary.file, primary.line)} if primary is not None else set()
    found = []
    for related in _all(finding):
        place = related.location
        if _is_in_a_file(place) and (place.file, place.line) not in seen:
            seen.add((place.file, place.line))
            found.append(related)
    return tuple(found)


def _all(finding: Finding) -> Iterator[Related]:
    calls = "passes the value" if is_argument(finding) else "calls it"
    named = (
        (finding.user_line, "makes the guard" if finding.pattern is not None else "is where it is"),
        (finding.written_by, "writes the guarded state"),
        (finding.assigned_at, "assigns the variable"),
        (finding.called_from, calls),
        (finding.stopped_at, "is where the compile stopped"),
    )
    yield from (Related(place, role) for place, role in named if place is not None)
    for writer in finding.writers:
        yield Related(writer.location, f"writes it: {several(writer.recompiles, 'recompile')}")
        if writer.called_from is not None:
            yield Related(writer.called_from, "calls what writes it")
    for caller in finding.callers:
        yield Related(caller.location, f"{calls}: {several(caller.recompiles, 'recompile')}")
    if finding.breaks is not None:
        yield from (Related(place, "breaks the graph") for place in finding.breaks.places)
    yield Related(_compiled(finding), "is compiled")


def _compiled(finding: Finding) -> Location:
    return Location(finding.frame.file, finding.frame.line, finding.frame.name)


def _is_in_a_file(place: Location) -> bool:
    """Code that was made at run time is in none: ``<string>``, ``<eval_with_key>``."""
    return bool(place.file) and not place.file.startswith("<")
