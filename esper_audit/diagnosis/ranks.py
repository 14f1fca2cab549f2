"""Where the ranks of one distributed program differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, FrameSummary, RankState
from esper_audit.data.reasons import Reason, Why


def merge(audits: Sequence[ProgramAudit], root: str = "") -> ProgramReport:
    """One report of all recordings of a program, in the order of their ranks."""
    ordered = tuple(sorted(audits, key=lambda audit: _rank(audit)))
    readable = [audit for audit in ordered if is_readable(audit)]
    return ProgramReport(root=root, audits=ordered, differences=tuple(_differences(readable)))


def is_readable(audit: ProgramAudit) -> bool:
    """Whether the recording could be read, and is not only known by its file's name."""
    return all(reason.why is not Why.FILE_UNREADABLE for reason in audit.reasons)


def _rank(audit: ProgramAudit) -> int:
    rank = audit.rank
    return -1 if rank is None else rank


def missing_ranks(audits: Sequence[ProgramAudit]) -> tuple[str, ...]:
    """Ranks of the program whose recording is not among these: ``3``, or ``5 to 8`` of several."""
    programs = [audit.recording.program for audit in audits]
    size = max((program.world_size or 0 for program in programs if program), default=0)
    present = sorted({rank for audit in audits if 0 <= (rank := _rank(audit)) < size})
    # As gaps: a file may claim any number of ranks.
    gaps = ((last + 1, following - 1) for last, following in pairwise([-1, *present, size]))
    return tuple(_named(first, last) for first, last in gaps if first <= last)


def _named(first: int, last: int) -> str:
    return str(first) if first == last else f"{first} to {last}"


def _differences(audits: Sequence[ProgramAudit]) -> Iterator[Finding]:
    """One finding for each frame that ranks compiled differently often, or gave up differently."""
    if len(audits) < 2:
        return
    by_rank = [{frame.frame.key: frame for frame in audit.frames} for audit in audits]
    for key in dict.fromkeys(key for frames in by_rank for key in frames):
        found = [frames.get(key) for frames in by_rank]
        if len({_of(frame) for frame in found}) > 1:
            yield _difference(audits, found)


def _of(frame: FrameSummary | None) -> tuple[int, int, str]:
    if frame is None:
        return 0, 0, ""
    return frame.compiles, frame.recompiles, frame.state.value


def _difference(audits: Sequence[ProgramAudit], found: Sequence[FrameSummary | None]) -> Finding:
    known = [summary for summary in found if summary is not None]
    key, seconds = known[0].frame.key, [summary.seconds for summary in known]
    return Finding(
        id=Diagnosis.RANKS_DIFFER,
        frame=known[0].frame,
        ranks=tuple(_state(audit, frame, key) for audit, frame in zip(audits, found, strict=True)),
        seconds=max(seconds) - min(seconds),
        no_writer=Reason(why=Why.BETWEEN_RANKS),
    )


def _state(audit: ProgramAudit, frame: FrameSummary | None, key: str) -> RankState:
    causes = tuple(
        (finding.id, finding.source)
        for finding in audit.findings
        if finding.pattern is not None and finding.frame.key == key
    )
    return RankState(
        rank=_rank(audit),
        recompiles=frame.recompiles if frame is not None else None,
        state=frame.state if frame is not None else None,
        causes=causes,
    )
