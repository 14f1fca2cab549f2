"""Many ranks of one distributed program in one report: what they share, and where they differ."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, FrameState, FrameSummary, RankState
from esper_audit.data.logs import Damage, RankClass
from esper_audit.data.reasons import Reason, Why
from esper_audit.diagnosis.classes import Process, groups_of, process_of
from esper_audit.diagnosis.likeness import parting

Part = tuple[ProgramAudit, RankClass]
"""An audit, and the class that it stands for."""


def merge(audits: Sequence[ProgramAudit], root: str = "") -> ProgramReport:
    """One report of all recordings of a program: one audit of each class of its ranks."""
    processes = [_process(audit, place) for place, audit in enumerate(audits)]
    parts = [(audits[group.places[0]], group.found) for group in groups_of(processes)]
    return report_of(parts, root)


def _process(audit: ProgramAudit, place: int) -> Process:
    """Of what could not be read, and of what nobody can name, each stands for itself."""
    process = process_of(audit.recording)
    is_alone = process.rank is None and process.pid is None
    if is_alone or not is_readable(audit):
        return replace(process, like=str(place))
    return process


def report_of(
    parts: Sequence[Part], root: str = "", damage: Sequence[Damage] = ()
) -> ProgramReport:
    """The report of these classes, the largest of each run first; of one process, without any."""
    runs: dict[int, list[Part]] = defaultdict(list)
    for part in parts:
        runs[part[1].run].append(part)
    parted = [part for own in runs.values() for part in _parted(own)]
    is_one = len(parted) == 1 and parted[0][1].size == 1
    return ProgramReport(
        root=root,
        audits=tuple(audit for audit, _ in parted),
        differences=tuple(found for own in runs.values() for found in _differences(own)),
        classes=() if is_one else tuple(found for _, found in parted),
        damage=tuple(damage),
    )


def _parted(parts: Sequence[Part]) -> Iterator[Part]:
    """With the frame in which each class of ranks parts from the largest."""
    largest = next((audit for audit, found in parts if found.ranks and is_readable(audit)), None)
    for audit, found in parts:
        is_of_ranks = found.ranks and largest is not None and is_readable(audit)
        at = parting(audit.recording, largest.recording) if is_of_ranks and largest else ""
        yield audit, replace(found, parts_at=at)


def is_readable(audit: ProgramAudit) -> bool:
    """Whether the recording could be read, and is not only known by its file's name."""
    return all(reason.why is not Why.FILE_UNREADABLE for reason in audit.reasons)


def missing_ranks(report: ProgramReport, run: int | None = None) -> tuple[str, ...]:
    """Ranks of the program that left nothing here: ``3``, or ``5 to 8`` of several.

    Where nobody knows how many ranks there are, those below the highest that is here. Of one
    ``run``: those that left nothing of it.
    """
    programs = [audit.recording.program for audit in report.audits]
    size = max((program.world_size or 0 for program in programs if program), default=0)
    ranks = {rank for _, found in report.parts for rank in found.ranks}
    size = size or max(ranks, default=-1) + 1
    if run is not None:
        ranks = {rank for _, found in report.parts if found.run == run for rank in found.ranks}
    present = sorted(rank for rank in ranks if 0 <= rank < size)
    # As gaps: a file may claim any number of ranks.
    gaps = ((last + 1, following - 1) for last, following in pairwise([-1, *present, size]))
    return tuple(span(first, last) for first, last in gaps if first <= last)


def span(first: int, last: int) -> str:
    """``3``, or ``5 to 8``."""
    return str(first) if first == last else f"{first} to {last}"


def spans(ranks: Iterable[int]) -> list[str]:
    """``0 to 63`` and ``65`` of these ranks in order, each once."""
    ordered = sorted(set(ranks))
    if not ordered:
        return []
    apart = [place for place in range(1, len(ordered)) if ordered[place] != ordered[place - 1] + 1]
    edges = pairwise([0, *apart, len(ordered)])
    return [span(ordered[start], ordered[stop - 1]) for start, stop in edges]


def _differences(parts: Sequence[Part]) -> Iterator[Finding]:
    """One finding for each frame that ranks compiled differently often, or gave up differently."""
    parts = [(audit, found) for audit, found in parts if found.ranks and is_readable(audit)]
    if len(parts) < 2:
        return
    by_class = [{frame.frame.key: frame for frame in audit.frames} for audit, _ in parts]
    for key in dict.fromkeys(key for frames in by_class for key in frames):
        frames = [own.get(key) for own in by_class]
        states = _states(parts, frames, key)
        if len(states) > 1:
            yield _difference(states, [frame for frame in frames if frame is not None])


@dataclass(frozen=True)
class _Did:
    """What ranks did with a frame; ``compiles`` is 0 of one that they did not compile."""

    compiles: int = 0
    recompiles: int | None = None
    state: FrameState | None = None
    causes: tuple[tuple[Diagnosis, str], ...] = ()


def _states(
    parts: Sequence[Part], frames: Sequence[FrameSummary | None], key: str
) -> tuple[RankState, ...]:
    """What ranks did with a frame, each once, by the lowest rank."""
    ranks: dict[_Did, set[int]] = defaultdict(set)
    for (audit, found), frame in zip(parts, frames, strict=True):
        ranks[_did(audit, frame, key)].update(found.ranks)
    return tuple(
        RankState(
            rank=min(own),
            recompiles=did.recompiles,
            state=did.state,
            causes=did.causes,
            ranks=tuple(sorted(own)) if len(own) > 1 else (),
        )
        for did, own in sorted(ranks.items(), key=lambda found: min(found[1]))
    )


def _did(audit: ProgramAudit, frame: FrameSummary | None, key: str) -> _Did:
    causes = _causes(audit, key)
    if frame is None:
        return _Did(causes=causes)
    return _Did(frame.compiles, frame.recompiles, frame.state, causes)


def _causes(audit: ProgramAudit, key: str) -> tuple[tuple[Diagnosis, str], ...]:
    return tuple(
        (finding.id, finding.source)
        for finding in audit.findings
        if finding.pattern is not None and finding.frame.key == key
    )


def _difference(states: tuple[RankState, ...], known: Sequence[FrameSummary]) -> Finding:
    seconds = [summary.seconds for summary in known]
    return Finding(
        id=Diagnosis.RANKS_DIFFER,
        frame=known[0].frame,
        ranks=states,
        seconds=max(seconds) - min(seconds),
        no_writer=Reason(why=Why.BETWEEN_RANKS),
    )
