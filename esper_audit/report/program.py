"""The report on a recorded program: frames, causes, eager execution; one rank or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich import box
from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import Finding, FrameState, FrameSummary
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import EAGER, Counts, count
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.report.blocks import details, head
from esper_audit.report.words.numbers import several

MOST_FRAMES = 12
MOST_CAUSES = 8
MOST_BREAKS = 8
_STYLES = {AuditVerdict.PASSED: "bold green", AuditVerdict.FAILED: "bold red"}
_STATE_STYLES = {
    FrameState.COMPILED: "green",
    FrameState.CACHED_ONLY: "red",
    FrameState.EAGER: "red",
    FrameState.FAILED: "red",
}


def print_program(report: ProgramReport, console: Console, verbosity: int = 0) -> None:
    """Print the whole report; ``verbosity`` -1 leaves the first sentences, 1 shows every frame."""
    for audit in report.audits:
        style = _STYLES.get(audit.verdict, "bold yellow") if audit.verdict else "bold"
        console.print(Text(summary(audit), style=style))
        for reason in audit.reasons:
            console.print(Padding(Text(reason), (0, 0, 0, 2), expand=False))
    if verbosity < 0:
        return
    for title, body in _sections(report, verbosity):
        console.print()
        console.print(Text(title, style="bold"))
        console.print(body)
    console.print()
    console.print(Text(_footer(report), style="dim"))


def summary(audit: ProgramAudit) -> str:
    """What a program did, in one sentence."""
    name = audit.title
    if audit.recording.environment.torch == "not imported" or not (
        audit.frames or audit.recording.lookups.hits
    ):
        return f"{name}: nothing was compiled"
    counts = count(audit.recording, audit.budget.warm_up_calls)
    eager = [frame for frame in _shown(audit.frames) if frame.state is not FrameState.COMPILED]
    parts = [
        f"{several(counts.compiles, 'compile')}, {several(counts.recompiles, 'recompile')}"
        f" in {_seconds(audit)}",
        f"compiled code was reused {_reused(audit)}",
    ]
    if eager:
        parts.append(f"{several(len(eager), 'frame')} run{'s' * (len(eager) == 1)} eagerly")
    verdict = f"{audit.verdict.value}: " if audit.verdict is not None else ""
    return f"{verdict}{name}: {'; '.join(parts)}"


def reused(audit: ProgramAudit) -> int:
    """Runs of compiled graphs past the first of each."""
    return sum(frame.reused or 0 for frame in audit.frames)


def _reused(audit: ProgramAudit) -> str:
    """Of an unfinished recording only lookups are known: a call may make several."""
    if not audit.recording.complete:
        return f"in {several(audit.recording.lookups.hits, 'lookup')}"
    return several(reused(audit), "time")


def _seconds(audit: ProgramAudit) -> str:
    return f"{sum(frame.seconds for frame in audit.frames):.1f} s"


def _shown(frames: Sequence[FrameSummary]) -> list[FrameSummary]:
    """Not the helpers that Dynamo was asked for and that hold no tensor operation."""
    return [frame for frame in frames if frame.compiles or frame.direct]


def _sections(report: ProgramReport, verbosity: int) -> Iterator[tuple[str, RenderableType]]:
    audits = report.audits
    frames = [frame for audit in audits for frame in audit.frames]
    if frames and len(audits) == 1:
        yield "Frames", _frames(frames if verbosity > 0 else _shown(frames), verbosity)
    elif frames:
        yield "Frames by rank: compiles, of these recompiles, reused", _by_rank(audits, verbosity)
    if report.differences:
        yield "Ranks differ", _findings(report.differences, report.root, MOST_CAUSES)
    found = _distinct(audits)
    causes = [each for each in found if each.pattern is not None]
    eager = [each for each in found if each.id in EAGER or each.attempts]
    breaks = [each for each in found if each.pattern is None and each not in eager]
    for title, group, most in (
        ("Causes of recompiles", causes, MOST_CAUSES),
        ("Eager execution and failed compiles", eager, MOST_CAUSES),
        ("Graph breaks", breaks, MOST_BREAKS),
    ):
        if group:
            yield title, _findings(group, report.root, len(group) if verbosity > 0 else most)
    notes = list(dict.fromkeys(_notes(audits)))
    if notes:
        yield "Notes", Group(*(Text(f"- {note}") for note in notes))


def _distinct(audits: Sequence[ProgramAudit]) -> list[Finding]:
    """The findings of all ranks, those that ranks share once."""
    found: dict[tuple[str, ...], Finding] = {}
    for audit in audits:
        for each in audit.findings:
            line = str(each.user_line) if each.pattern is None else ""
            found.setdefault((each.id, each.frame.key, each.source, line), each)
    return list(found.values())


def _frames(frames: Sequence[FrameSummary], verbosity: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), header_style="bold")
    table.add_column("frame", overflow="fold", ratio=3)
    for name in ("compiles", "recompiles", "reused", "seconds", "left"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("now", overflow="fold", ratio=4)
    shown = frames if verbosity > 0 else _telling(frames)
    for frame in shown:
        table.add_row(
            Text(frame.frame.name),
            str(frame.compiles),
            str(frame.recompiles),
            "-" if frame.reused is None else f"{frame.reused:,}",
            f"{frame.seconds:.1f}",
            "-" if frame.recompiles_left is None else str(frame.recompiles_left),
            Text(_now(frame), style=_STATE_STYLES[frame.state]),
        )
    legend = "left: compiles until the recompile limit"
    if len(shown) < len(frames):
        legend += f"; {len(frames) - len(shown)} more frames that cost less: see them with -v"
    return Group(table, Text(legend, style="dim"))


def _telling(frames: Sequence[FrameSummary]) -> list[FrameSummary]:
    """The costliest, and every one that runs eagerly."""
    return [
        frame
        for place, frame in enumerate(frames)
        if place < MOST_FRAMES or frame.state is not FrameState.COMPILED
    ]


def _now(frame: FrameSummary) -> str:
    if frame.state is FrameState.COMPILED:
        several = f", {frame.instances} instances" if frame.instances > 1 else ""
        return f"compiled{several}"
    if frame.state is FrameState.FAILED:
        return f"failed to compile: {frame.reason}"
    what = "eager" if frame.state is FrameState.EAGER else "eager for new values"
    return f"{what} since {frame.since}: {frame.reason}"


def _by_rank(audits: Sequence[ProgramAudit], verbosity: int) -> RenderableType:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1), header_style="bold")
    table.add_column("frame", overflow="fold")
    by_rank = [{frame.frame.key: frame for frame in _shown(audit.frames)} for audit in audits]
    for place, audit in enumerate(audits):
        rank = audit.rank
        table.add_column(f"rank {place if rank is None else rank}", justify="right")
    keys = list(dict.fromkeys(key for frames in by_rank for key in frames))
    for key in keys if verbosity > 0 else keys[:MOST_FRAMES]:
        cells = [frames.get(key) for frames in by_rank]
        name = next(cell.frame.name for cell in cells if cell is not None)
        table.add_row(Text(name), *map(_cell, cells), style=_row_style(cells))
    return table


def _cell(frame: FrameSummary | None) -> str:
    if frame is None:
        return "-"
    state = "" if frame.state is FrameState.COMPILED else f", {frame.state.value}"
    return f"{frame.compiles}, {frame.recompiles}, {frame.reused or 0:,}{state}"


def _row_style(cells: Sequence[FrameSummary | None]) -> str:
    counts = {(cell.compiles, cell.recompiles) if cell is not None else None for cell in cells}
    return "red" if len(counts) > 1 else ""


def _findings(findings: Sequence[Finding], root: str, most: int) -> RenderableType:
    parts: list[RenderableType] = []
    for finding in findings[:most]:
        name, _, rest = head(finding, root).partition(": ")
        parts.append(Text.assemble((name, "bold"), ": ", rest))
        parts += [
            Padding(Text(line), (0, 0, 0, 4), expand=False) for line in details(finding, root)
        ]
    if len(findings) > most:
        parts.append(Text(f"and {len(findings) - most} more: see them with -v", style="dim"))
    return Group(*parts)


def _notes(audits: Sequence[ProgramAudit]) -> Iterator[str]:
    for rank in missing_ranks(audits):
        yield f"rank {rank} left no recording"
    for audit in audits:
        if not audit.recording.complete:
            yield (
                "The process died before it could save (crash or kill); this is what it had"
                " written until then."
            )
        yield from audit.recording.notes
        counts = count(audit.recording, audit.budget.warm_up_calls)
        yield from _first_compiles(audit, counts)
        counted = sum(each.compiles for each in audit.findings if each.pattern is not None)
        if counted > counts.recompiles:
            yield "A recompile with several causes counts, with its seconds, in each of them."
        for each in audit.recording.lost:
            yield f"torch {each.torch_version} has no {each.name}. Lost: {each.lost}."
        for error in audit.recording.hook_errors:
            last = error.gist
            yield f"The recorder's hook {error.hook} failed {error.count} times: {last}"
        for unknown in audit.recording.unrecognized:
            yield f"Unrecognized in {unknown.where}: {unknown.text}"


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


def _footer(report: ProgramReport) -> str:
    audit = report.audits[0]
    environment = audit.recording.environment
    program = audit.recording.program
    ended = f"; ended with {program.ended}" if program is not None and program.ended else ""
    return (
        f"{audit.recording.seconds:.1f} s recorded{ended}; torch {environment.torch},"
        f" Python {environment.python}{', ' + environment.device if environment.device else ''}"
    )
