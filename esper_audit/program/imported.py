"""Trace logs of others as a report: read side by side, folded into classes as they come.

Of each process little is kept (:class:`Process`). A recording is kept where few logs are read at
all; of many, that of each class alone is read, once more, when the classes are known. So memory
grows with what differs, not with the number or the size of the logs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.logs import Damage, DamageKind, RankClass
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program, Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.classes import Process, groups_of, process_of
from esper_audit.diagnosis.program import judge_program
from esper_audit.diagnosis.ranks import report_of
from esper_audit.errors import IncompleteError, UsageError
from esper_audit.program.damage import folded
from esper_audit.traces.pages import pages_of
from esper_audit.traces.places import Places
from esper_audit.traces.process_log import ProcessLog
from esper_audit.traces.reading import each_process
from esper_audit.traces.recordings import recording_of

_FEW = 8
"""Logs of which each recording is kept: reading one twice costs more than it."""

_NAMED = re.compile(r"dedicated_log_torch_trace_rank_(\d{1,9})(?!\d)[^/\\]*$")
"""Torch's own name of the log of a rank: what to call a process whose records name no rank."""

HINT = "Write logs with: TORCH_TRACE=DIR python ..."


@dataclass(slots=True)
class Look:
    """What was read of one log: its processes; of the first of each likeness, the recording."""

    place: str
    processes: list[Process] = field(default_factory=list)
    recordings: dict[str, Recording] = field(default_factory=dict)
    damage: list[Damage] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Reading:
    """Reads one log: what a process of a pool or a cluster runs. ``root``: see recording_of.

    ``keeps``: its recordings, too.
    """

    root: str
    keeps: bool = True

    def __call__(self, place: str) -> Look:
        look = Look(place)
        each_process(place, lambda log: self._take(look, log))
        look.damage = list(dict.fromkeys(look.damage))
        named = _NAMED.search(place)
        if named and len(look.processes) == 1 and look.processes[0].rank is None:
            look.processes = [replace(look.processes[0], rank=int(named[1]))]
        return look

    def lost(self, place: str, text: str) -> Look:
        """Of a log whose reader died."""
        damage = Damage(kind=DamageKind.UNREADABLE, file=place, text=text)
        return Look(place, damage=[damage])

    def _take(self, look: Look, log: ProcessLog) -> None:
        look.damage += log.damage
        if not log.records:  # where there is no process, only damage
            return
        recording = recording_of(log, self.root)
        process = process_of(recording)
        look.processes.append(process)
        if self.keeps:
            look.recordings.setdefault(process.like, recording)


Mapped = Callable[[Reading, Sequence[str]], Iterable[Look]]
"""Reads logs in the order given, one by one, side by side or on a cluster."""


@dataclass(frozen=True, kw_only=True)
class Import:
    """What is asked of an import: the budget, what to call the program, and where tlparse's are.

    ``place`` is what was given to read: it names a program whose script is unknown.
    """

    root: str
    place: str = "trace logs"
    budget: ProgramBudget = ProgramBudget()
    name: str = ""
    pages: Sequence[str] = ()


def imported(places: Places, asked: Import, mapped: Mapped) -> ProgramReport:
    """The report of these logs.

    Raises UsageError where none of them is a trace log, and IncompleteError where nothing in them
    can be read.
    """
    keeps = len(places.logs) <= _FEW
    looks = list(mapped(Reading(asked.root, keeps), places.logs))
    damage = [*places.damage, *(part for look in looks for part in look.damage)]
    processes = [(process, look) for look in looks for process in look.processes]
    _check_found(places, processes, damage)
    groups = groups_of([process for process, _ in processes])
    shown = [processes[group.places[0]] for group in groups]
    held = {look.place: look.recordings for look in looks if look.recordings}
    if not keeps:
        again = dict.fromkeys(look.place for _, look in shown)
        held = {look.place: look.recordings for look in mapped(Reading(asked.root), list(again))}
    parts = [
        (_audit(_held(held, look.place, process), process, asked), group.found)
        for (process, look), group in zip(shown, groups, strict=True)
    ]
    noted = list(_with_notes(parts, places))
    return report_of(noted, asked.root, folded(damage))


def _check_found(
    places: Places, processes: Sequence[tuple[Process, Look]], damage: Sequence[Damage]
) -> None:
    if processes:
        return
    read = [part for part in damage if part.kind is not DamageKind.NOT_A_RECORD]
    if read:
        first = read[0]
        raise IncompleteError(
            f"No record of {first.file} can be read: the log is damaged throughout"
            f" ({first.kind.value}{f', line {first.line}' if first.line else ''}).",
            "Copy it again from where it was written.",
        )
    if places.logs:
        raise UsageError(f"{places.logs[0]} is no trace log: it holds no record.", HINT)
    if places.others:
        raise UsageError(f"There is no trace log among the files of {places.others[0]}.", HINT)
    raise UsageError("There is no trace log: the folder is empty.", HINT)


def _held(held: Mapping[str, Mapping[str, Recording]], place: str, process: Process) -> Recording:
    recording = held.get(place, {}).get(process.like)
    if recording is None:
        raise IncompleteError(
            f"{place} has changed while it was read.", "Read it again when its program has ended."
        )
    return recording


def _audit(recording: Recording, process: Process, asked: Import) -> ProgramAudit:
    """The audit of one process, which stands for its class."""
    log = recording.trace_log
    program = recording.program or Program(argv=())
    if log is None or not log.files or set(program.argv) <= set(log.files):
        program = replace(program, argv=(asked.place,))  # no stack reaches down to its script
    program = replace(program, name=asked.name, rank=process.rank)
    if log is not None:
        log = replace(log, pages=pages_of(log, asked.pages, process.rank))
    audit = judge_program(replace(recording, program=program, trace_log=log), asked.budget)
    if log is not None and log.damage and not recording.compiles:
        why = Reason(why=Why.LOG_DAMAGED, count=sum(part.count for part in log.damage))
        return replace(audit, verdict=AuditVerdict.ERROR, reasons=(why,))
    return audit


def _with_notes(
    parts: Sequence[tuple[ProgramAudit, RankClass]], places: Places
) -> Iterator[tuple[ProgramAudit, RankClass]]:
    """With what was not read, in the notes of the first."""
    notes = tuple(
        Reason(why=why, count=len(files), names=tuple(files[:3]))
        for why, files in ((Why.NO_LOGS, places.others), (Why.COPIES, places.same))
        if files
    )
    for number, (audit, found) in enumerate(parts):
        recording = audit.recording
        if notes and not number:
            recording = replace(recording, notes=(*recording.notes, *notes))
        yield replace(audit, recording=recording), found


def whole(report: ProgramReport) -> ProgramReport | Recording:
    """What is saved of an import: of one process its recording, as of a program that was run."""
    is_one = len(report.audits) == 1 and not report.classes
    return report.audits[0].recording if is_one else report
