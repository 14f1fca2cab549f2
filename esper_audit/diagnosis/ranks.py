"""Where the ranks of one distributed program differ."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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


def missing_ranks(audits: Sequence[ProgramAudit]) -> tuple[int, ...]:
    """Ranks that the program had, and that left no recording."""
    programs = [audit.recording.program for audit in audits]
    sizes = [program.world_size for program in programs if program and program.world_size]
    present = {_rank(audit) for audit in audits}
    return tuple(rank for rank in range(max(sizes, default=0)) if rank not in present)


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
