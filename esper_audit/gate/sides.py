"""Two sets of audits made comparable: what all of one side shares is its name, not its key."""

from __future__ import annotations

from dataclasses import dataclass, replace

import msgspec

from esper_audit.data.changes import Entry
from esper_audit.gate.measure import Measured


@dataclass(frozen=True)
class Side:
    """Audits of one commit, torch version or backend; ``name`` says of which."""

    name: str
    audits: tuple[Measured, ...]


def align(first: Side, second: Side) -> tuple[Side, Side]:
    """Both sides without their environments, and without their backends if each has one of its own.

    What differs goes into the names.
    """
    ways = [{audit.subject.way for audit in side.audits} for side in (first, second)]
    one_each = len(ways[0]) == len(ways[1]) == 1 and ways[0] != ways[1]
    places = [{audit.subject.environment for audit in side.audits} for side in (first, second)]
    aligned = []
    for number, side in enumerate((first, second)):
        told = sorted(places[number]) if places[0] != places[1] else []
        told += sorted(ways[number]) if one_each else []
        name = f"{side.name} ({', '.join(told)})" if told else side.name
        audits = tuple(_without_place(audit, one_each) for audit in side.audits)
        aligned.append(Side(name, audits))
    return aligned[0], aligned[1]


def _without_place(measured: Measured, way: bool) -> Measured:
    def bare(entry: Entry) -> Entry:
        entry = msgspec.structs.replace(entry, torch="", device="")
        return msgspec.structs.replace(entry, backend="", options={}) if way else entry

    causes = tuple(map(bare, measured.causes))
    return replace(measured, audit=bare(measured.audit), causes=causes)
