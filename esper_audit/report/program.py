"""The report on a recorded program: frames, causes, eager execution; one rank or several."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import Finding, FrameState, FrameSummary
from esper_audit.data.places import Frame
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import EAGER, Counts, count
from esper_audit.diagnosis.frames import is_telling
from esper_audit.diagnosis.ranks import is_readable
from esper_audit.report import blame
from esper_audit.report.blocks import NO_REASON, NOT_RECORDED, details, is_not_recorded, subject
from esper_audit.report.closings import program_closing
from esper_audit.report.ranks import (
    MOST_CLASSES,
    MOST_FRAMES,
    by_class,
    class_sections,
    log_facts,
    log_notes,
    part_names,
    rank_notes,
)
from esper_audit.report.sections import (
    Item,
    Line,
    Page,
    Part,
    Section,
    Style,
    Table,
    bullets,
    item,
    line,
    words,
)
from esper_audit.report.tlparse import tlparse_sections
from esper_audit.report.words.commands import NOTHING_TYPED, Typed
from esper_audit.report.words.findings import left_words, limit_words, since_words
from esper_audit.report.words.marks import FRAME_STYLES, answer_style
from esper_audit.report.words.numbers import several
from esper_audit.report.words.programs import first_line, frame_names, program_name
from esper_audit.report.words.reasons import in_words

MOST_CAUSES = 8
MOST_BREAKS = 8
_NOT_EAGER = (FrameState.COMPILED, FrameState.NO_GRAPH)
_NO_CHILDREN = (
    "Nothing was compiled in the program's own process. Processes that it starts are not recorded."
)
_NUMBERS = ("compiles", "recompiles", "reused", "seconds", "left")


def program_page(report: ProgramReport, verbosity: int = 0, typed: Typed = NOTHING_TYPED) -> Page:
    """The whole report; ``verbosity`` -1 leaves the first sentences, 1 shows every frame."""
    names = part_names(report, verbosity)
    shown = list(zip(report.audits, names, strict=True))[:MOST_CLASSES]
    headline = tuple(_headline(audit, name) for audit, name in shown)
    if len(names) > MOST_CLASSES:
        headline += (item(f"and {several(len(names) - MOST_CLASSES, 'more class')} of ranks"),)
    if verbosity < 0:
        return Page(headline)
    closing = program_closing(report, line(_facts(report, verbosity)))
    return Page(headline, tuple(_sections(report, verbosity, typed.way_to_all)), closing)


def _headline(audit: ProgramAudit, name: str) -> Item:
    return item(
        line(summary(audit, name), style=answer_style(audit.verdict)), *map(in_words, audit.reasons)
    )


def summary(audit: ProgramAudit, name: str = "") -> str:
    """What a program did, in one sentence; ``name`` is what to call it instead of by its script."""
    verdict = f"{_VERDICTS[audit.verdict]}: " if audit.verdict is not None else ""
    return f"{verdict}{_did(audit, name or program_name(audit.recording.program))}"


_VERDICTS = {
    AuditVerdict.PASSED: "Passed",
    AuditVerdict.FAILED: "Failed",
    AuditVerdict.ERROR: "Not judged",
    AuditVerdict.SKIPPED: "Skipped",
}


def _did(audit: ProgramAudit, name: str) -> str:
    if not is_readable(audit):
        return f"{name}: its recording can't be read"
    if compiled_nothing(audit):
        return f"{name}: nothing was compiled"
    counts = count(audit.recording, audit.budget.warm_up_calls)
    troubled = [frame for frame in shown_frames(audit.frames) if frame.state not in _NOT_EAGER]
    failed = sum(frame.state is FrameState.FAILED for frame in troubled)
    parts = [
        f"{several(counts.compiles, 'compile')} ({several(counts.recompiles, 'recompile')})"
        f" in {_seconds(audit)}",
        *_reused(audit),
    ]
    if len(troubled) > failed:
        parts.append(f"{several(len(troubled) - failed, 'frame')} now eager")
    if failed:
        parts.append(f"{several(failed, 'frame')} failed to compile")
    return f"{name}: {'; '.join(parts)}"


def compiled_nothing(audit: ProgramAudit) -> bool:
    return not (audit.frames or audit.recording.lookups.hits)


def reused(audit: ProgramAudit) -> int:
    """Runs of compiled graphs past the first of each."""
    return sum(frame.reused or 0 for frame in audit.frames)


def _reused(audit: ProgramAudit) -> Iterator[str]:
    """Of an unfinished recording only lookups are known: a call may make several."""
    if audit.recording.trace_log is not None:
        return  # a note says that nobody knows
    if not audit.recording.complete:
        told = f"in {several(audit.recording.lookups.hits, 'lookup')}"
    else:
        told = several(reused(audit), "time")
    yield f"compiled code was reused {told}"


def _seconds(audit: ProgramAudit) -> str:
    return f"{sum(frame.seconds for frame in audit.frames):.1f} s"


def shown_frames(frames: Sequence[FrameSummary]) -> list[FrameSummary]:
    """Not the helpers that Dynamo was asked for and that hold no tensor operation."""
    return [frame for frame in frames if is_telling(frame)]


def _sections(report: ProgramReport, verbosity: int, way: str) -> Iterator[Section]:
    """``way`` is how to see what is left out."""
    audits = report.audits
    yield from class_sections(report, verbosity, way)
    frames = [frame for audit in audits for frame in audit.frames]
    if frames and len(audits) == 1:
        yield _frames(frames if verbosity > 0 else shown_frames(frames), verbosity, way)
    elif frames:
        yield by_class(report, [shown_frames(audit.frames) for audit in audits], verbosity)
    if report.differences:
        yield _findings("Ranks differ", report.differences, report.root, MOST_CAUSES, way)
    found = distinct_findings(audits)
    causes = [finding for finding in found if finding.pattern is not None]
    eager = [finding for finding in found if finding.id in EAGER or finding.attempts]
    breaks = [finding for finding in found if finding.pattern is None and finding not in eager]
    for title, group, most, anchor in (
        ("Causes of recompiles", causes, MOST_CAUSES, Part.CAUSES),
        ("Eager execution and failed compiles", eager, MOST_CAUSES, Part.EAGER),
        ("Graph breaks", breaks, MOST_BREAKS, ""),
    ):
        if group:
            shown = len(group) if verbosity > 0 else most
            yield replace(_findings(title, group, report.root, shown, way), anchor=anchor)
    writers = blame.of_program(report) if verbosity > 0 else None
    if writers is not None:
        yield writers
    yield from tlparse_sections(report, verbosity)
    if notes := dict.fromkeys(_notes(report)):
        yield Section("Notes", bullets(*notes), anchor=Part.NOTES)


def distinct_findings(audits: Sequence[ProgramAudit]) -> list[Finding]:
    """The findings of all ranks, those that ranks share once."""
    found: dict[tuple[str, ...], Finding] = {}
    for audit in audits:
        for finding in audit.findings:
            places = (finding.user_line, finding.written_by)
            where = str(places) if finding.pattern is None else ""
            found.setdefault((finding.id, finding.frame.key, *finding.subject, where), finding)
    return list(found.values())


def _frames(frames: Sequence[FrameSummary], verbosity: int, way: str) -> Section:
    shown = frames if verbosity > 0 else _telling(frames)
    names = frame_names([frame.frame for frame in frames])
    rows = frame_rows(shown, names)
    numbers = frozenset(range(1, 1 + len(_NUMBERS)))
    legend = "left: compiles until the recompile limit"
    if len(shown) < len(frames):
        legend += f"; {len(frames) - len(shown)} more frames that cost less: see them with {way}"
    table = Table(rows, ("frame", *_NUMBERS, "now"), numbers)
    return Section("Frames", (table,), (line(legend),), anchor=Part.FRAMES)


def frame_rows(
    frames: Sequence[FrameSummary], names: Mapping[Frame, str]
) -> tuple[tuple[Line, ...], ...]:
    """A row for each frame: its name, the numbers, and what it does now."""
    return tuple(_frame(frame, names[frame.frame]) for frame in frames)


def _frame(frame: FrameSummary, name: str) -> tuple[Line, ...]:
    cells = (
        str(frame.compiles),
        str(frame.recompiles),
        "-" if frame.reused is None else f"{frame.reused:,}",
        f"{frame.seconds:.1f}",
        left_words(frame.recompiles_left),
    )
    now = line(words(_now(frame), FRAME_STYLES[frame.state]))
    return line(name), *map(line, cells), now


def _telling(frames: Sequence[FrameSummary]) -> list[FrameSummary]:
    """The costliest, and every one that runs eagerly."""
    return [
        frame
        for place, frame in enumerate(frames)
        if place < MOST_FRAMES or frame.state not in _NOT_EAGER
    ]


def _now(frame: FrameSummary) -> str:
    if frame.state is FrameState.COMPILED:
        several = f", {frame.instances} instances" if frame.instances > 1 else ""
        return f"compiled{several}"
    if frame.state is FrameState.NO_GRAPH:
        return "holds no graph"
    if frame.state is FrameState.FAILED:
        return f"failed to compile: {_why(frame)}"
    what = "eager" if frame.state is FrameState.EAGER else "eager for new values"
    return f"{what} since {since_words(frame.since)}: {_why(frame)}"


def _why(frame: FrameSummary) -> str:
    """Torch's reason, or the limit that was hit."""
    if frame.limit:
        return limit_words(frame.limit)
    return frame.reason or in_words(frame.why) or "torch skipped the frame"


def _findings(title: str, findings: Sequence[Finding], root: str, most: int, way: str) -> Section:
    more = f"and {len(findings) - most} more: see them with {way}"
    notes = [line(more)] if len(findings) > most else []
    if any(map(is_not_recorded, findings)):
        notes.append(line(f"{NOT_RECORDED}; rerun with --provenance"))
    return Section(title, tuple(finding_item(f, root) for f in findings[:most]), tuple(notes))


def finding_item(finding: Finding, root: str) -> Item:
    """One finding: what it is about, and all that is known of it."""
    head = line(words(finding.id.value, Style.STRONG), f": {subject(finding, root)}")
    return item(head, *details(finding, root))


def _notes(report: ProgramReport) -> Iterator[str]:
    yield from rank_notes(report)
    yield from log_notes(report)
    for audit in report.audits:
        is_log = audit.recording.trace_log is not None
        program = audit.recording.program
        has_ended = program is not None and bool(program.ended)
        if not audit.recording.complete and not is_log and not has_ended:
            yield (
                "The process still runs, or died before it could save (crash or kill); this is what"
                " it had written until then."
            )
        is_recorded = program is not None and is_readable(audit) and not is_log
        if is_recorded and compiled_nothing(audit):
            yield _NO_CHILDREN
        yield from map(in_words, audit.recording.notes)
        yield from _of_limit(audit)
        counts = count(audit.recording, audit.budget.warm_up_calls)
        yield from _first_compiles(audit, counts)
        counted = sum(finding.compiles for finding in audit.findings if finding.pattern is not None)
        if counted > counts.recompiles:
            yield "A recompile with several causes counts, with its seconds, in each of them."
        for notice in audit.recording.lost if not is_log else ():
            yield f"torch {notice.torch_version} has no {notice.name}. Lost: {notice.lost}."
        for error in audit.recording.hook_errors:
            last = error.gist
            yield f"The recorder's hook {error.hook} failed {error.count} times: {last}"
        for unknown in audit.recording.unrecognized:
            yield f"Unrecognized in {unknown.where}: {unknown.text or NO_REASON}"


def _of_limit(audit: ProgramAudit) -> Iterator[str]:
    """What a limit hides, and what was set for this run."""
    program = audit.recording.program
    limit = program.recompile_limit if program is not None else None
    if limit is not None:
        yield f"recompile_limit was set to {limit} for this run, by --recompile-limit."
    if any(attempt.limit_hit for attempt in audit.recording.compiles):
        yield (
            "After the recompile limit nothing compiles, so what changed later is no cause here:"
            " a run with --recompile-limit shows it."
        )


def _first_compiles(audit: ProgramAudit, counts: Counts) -> Iterator[str]:
    """A bound of recompiles does not bound these; whoever set one may think so."""
    first = counts.compiles_after_warm_up - counts.recompiles_after_warm_up
    budget = audit.budget
    if first and budget.recompiles_after_warm_up is not None and not budget.compiles_after_warm_up:
        yield (
            f"{several(first, 'compile')} after warm-up {'was' if first == 1 else 'were'} not a"
            " recompile: a first call, or one after torch._dynamo.reset()."
            " --max-compiles-after-warm-up bounds these too."
        )


def _facts(report: ProgramReport, verbosity: int) -> str:
    audit = next(filter(is_readable, report.audits), report.audits[0])
    environment = audit.recording.environment
    if audit.recording.trace_log is not None:
        return log_facts(report, audit)
    program = audit.recording.program
    how = program.ended if program is not None else ""
    ended = f"; ended with {how if verbosity > 0 else first_line(how)}" if how else ""
    torch = environment.torch or "not imported by this process"
    return (
        f"{audit.recording.seconds:.1f} s recorded{ended}; torch {torch},"
        f" Python {environment.python}{', ' + environment.device if environment.device else ''}"
    )
