"""Many ranks, or processes, in one report: classes side by side, never a column for each rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import FrameState, FrameSummary
from esper_audit.data.logs import RankClass
from esper_audit.data.places import Frame
from esper_audit.data.recording import UNKNOWN
from esper_audit.diagnosis import count
from esper_audit.diagnosis.ranks import missing_ranks
from esper_audit.report.sections import Line, Part, Section, Style, Table, line
from esper_audit.report.words.logs import UNTOLD, damage_words, objects_words
from esper_audit.report.words.numbers import several
from esper_audit.report.words.programs import frame_names, program_name
from esper_audit.report.words.ranks import one_name, process_names, run_name

MOST_FRAMES = 12
MOST_CLASSES = 8
"""Classes that have a sentence and a column; the others have a row, at most."""

_MOST_ROWS = 12
_NUMBERS = frozenset((1, 2, 3))
_HEADS = ("compiles", "recompiles", "seconds", "slowest", "parts at")


def part_names(report: ProgramReport, verbosity: int = 0) -> list[str]:
    """What each audit of a report is called: the program, and the ranks that it stands for."""
    several_runs = len({found.run for _, found in report.parts}) > 1
    return [_part_name(report, part, verbosity, several_runs) for part in report.parts]


def _part_name(
    report: ProgramReport,
    part: tuple[ProgramAudit, RankClass],
    verbosity: int,
    several_runs: bool,
) -> str:
    audit, found = part
    program = audit.recording.program
    is_only = found.size == 1 and audit.rank is not None
    if verbosity > 0 and is_only and not several_runs:
        return audit.title
    whole = program_name(program, with_rank=False)
    if verbosity > 0 and program is not None:
        whole = program.name or " ".join(program.argv) or whole
    is_named = found.ranks or (_are_logs(report) and (len(report.parts) > 1 or found.size > 1))
    who = process_names(found) if is_named or (verbosity > 0 and found.pids) else ""
    when = run_name(found) if several_runs else ""
    told = ", ".join(filter(None, (when, who)))
    return f"{whole} ({told})" if told else whole


def short_names(report: ProgramReport) -> list[str]:
    """What each audit is called where its program is known: ``rank 3``, ``ranks 0 to 2``."""
    several_runs = len({found.run for _, found in report.parts}) > 1
    return [_head(place, part, several_runs) for place, part in enumerate(report.parts)]


def class_sections(report: ProgramReport, verbosity: int, way: str) -> Iterator[Section]:
    """A row for each class, where any stands for more than one rank, or there are many."""
    parts = report.parts
    if len(parts) < 2 and all(found.size == 1 for _, found in parts):
        return
    if all(found.size == 1 for _, found in parts) and not _are_logs(report):
        return
    names = _frames_by_key(report)
    most = len(parts) if verbosity > 0 else _MOST_ROWS
    several_runs = len({found.run for _, found in parts}) > 1
    rows = tuple(_row(audit, found, names, several_runs) for audit, found in parts[:most])
    left = len(parts) - len(rows)
    notes = (line(f"and {several(left, 'more class')}: see them with {way}"),) if left else ()
    noun = _noun(report)
    table = Table(rows, (f"{noun}es" if noun == "process" else f"{noun}s", *_HEADS), _NUMBERS)
    yield Section(f"{table.heads[0].capitalize()} that did the same", (table,), notes)


def _noun(report: ProgramReport) -> str:
    is_of_ranks = any(found.ranks for _, found in report.parts)
    return "rank" if is_of_ranks or not _are_logs(report) else "process"


def _are_logs(report: ProgramReport) -> bool:
    return any(audit.recording.trace_log is not None for audit in report.audits)


def _row(
    audit: ProgramAudit, found: RankClass, names: Mapping[str, str], several_runs: bool
) -> tuple[Line, ...]:
    counts = count(audit.recording, audit.budget.warm_up_calls)
    who = process_names(found) or program_name(audit.recording.program)
    cells = (
        ", ".join(filter(None, (run_name(found) if several_runs else "", who))),
        f"{counts.compiles:,}",
        f"{counts.recompiles:,}",
        _seconds(found),
        one_name(found, found.slowest) if found.size > 1 else "",
        names.get(found.parts_at, ""),
    )
    return tuple(map(line, cells))


def _seconds(found: RankClass) -> str:
    """``8.1 to 12.3``, the quickest and the slowest."""
    least, most = f"{found.least_seconds:.1f}", f"{found.most_seconds:.1f}"
    return most if least == most else f"{least} to {most}"


def _frames_by_key(report: ProgramReport) -> dict[str, str]:
    frames = [frame.frame for audit in report.audits for frame in audit.frames]
    return {frame.key: name for frame, name in frame_names(frames).items()}


def by_class(
    report: ProgramReport, frames: Sequence[Sequence[FrameSummary]], verbosity: int
) -> Section:
    """What each class did with each frame; ``frames`` are those to show of each."""
    parts = report.parts[:MOST_CLASSES]
    found = [{frame.frame.key: frame for frame in own} for own in frames[:MOST_CLASSES]]
    keys = list(dict.fromkeys(key for own in found for key in own))
    shown = keys if verbosity > 0 else keys[:MOST_FRAMES]
    names = frame_names([frame.frame for own in found for frame in own.values()])
    rows = tuple(_over_classes([own.get(key) for own in found], names) for key in shown)
    several_runs = len({of_class.run for _, of_class in parts}) > 1
    heads = ("frame", *(_head(place, part, several_runs) for place, part in enumerate(parts)))
    table = Table(rows, heads, frozenset(range(1, len(heads))), breaks=True)
    tells_reuse = not _are_logs(report)
    title = f"Frames by {_noun(report)}: compiles, recompiles among them"
    left = len(report.parts) - len(parts)
    notes = (line(f"the {several(left, 'class')} with the fewest ranks have no column"),)
    title = f"{title}{', reuses' if tells_reuse else ''}"
    return Section(title, (table,), notes if left else (), anchor=Part.FRAMES)


def _head(place: int, part: tuple[ProgramAudit, RankClass], several_runs: bool) -> str:
    audit, found = part
    is_named = found.ranks or audit.recording.trace_log is not None
    who = (process_names(found) if is_named else "") or f"rank {place}"
    return f"{run_name(found)}, {who}" if several_runs else who


def _over_classes(
    frames: Sequence[FrameSummary | None], names: Mapping[Frame, str]
) -> tuple[Line, ...]:
    """One frame in each class; in red where they differ."""
    known = [frame for frame in frames if frame is not None]
    counts = {(frame.compiles, frame.recompiles) for frame in known}
    style = Style.PLAIN if len(counts) == 1 and len(known) == len(frames) else Style.BAD
    return tuple(line(text, style=style) for text in (names[known[0].frame], *map(_cell, frames)))


def _cell(frame: FrameSummary | None) -> str:
    if frame is None:
        return "-"
    state = "" if frame.state is FrameState.COMPILED else f", {frame.state.value}"
    reuses = f", {frame.reused:,}" if frame.reused is not None else ""
    return f"{frame.compiles}, {frame.recompiles}{reuses}{state}"


def rank_notes(report: ProgramReport) -> Iterator[str]:
    """A report of one rank knows nothing of the others, which may have files of their own."""
    missing, program = missing_ranks(report), report.audits[0].recording.program
    is_one = len(report.parts) == 1 and report.parts[0][1].size == 1
    what = "log" if _are_logs(report) else "recording"
    if missing and is_one and program is not None and program.rank is not None:
        of_all = f", of {program.world_size} ranks" if program.world_size else ""
        if what == "log":
            yield f"This report is of rank {program.rank} alone{of_all}."
            return
        yield (
            f"This report is of rank {program.rank} alone{of_all}."
            " `esper-audit show FOLDER` merges what they save with --save FOLDER/."
        )
        return
    runs = {found.run: run_name(found) for _, found in report.parts}
    for run, name in runs.items() if len(runs) > 1 else [(None, "")]:
        yield from _not_given(missing_ranks(report, run), what, f" of the {name}" if name else "")
    present = [rank for _, found in report.parts for rank in found.ranks]
    if what == "log" and len(present) > 1:
        yield f"The logs don't say how many ranks there were; the highest here is {max(present)}."


def _not_given(missing: Sequence[str], what: str, run: str) -> Iterator[str]:
    for ranks in missing[:MOST_FRAMES]:
        yield f"No {what} of {'ranks' if ' ' in ranks else 'rank'} {ranks}{run} was given."
    if len(missing) > MOST_FRAMES:
        left = len(missing) - MOST_FRAMES
        yield f"No {what} of ranks in {left:,} more gaps{run} was given."


def log_notes(report: ProgramReport) -> Iterator[str]:
    """What trace logs don't tell, and what of them was damaged."""
    if not _are_logs(report):
        return
    yield UNTOLD
    names = dict.fromkeys(name for audit in report.audits for name in _of_objects(audit))
    if names:
        yield objects_words(list(names))
    logs = [audit.recording.trace_log for audit in report.audits]
    own = [damage for log in logs if log is not None for damage in log.damage]
    yield from damage_words(report.damage or own)


def _of_objects(audit: ProgramAudit) -> Iterator[str]:
    """Causes in the state of an object or a closure, of which a log does not tell which it was."""
    own = {
        (made.frame.key, failure.source)
        for made in audit.recording.compiles
        for failure in made.guard_failures
        if failure.own and not made.instance
    }
    for found in audit.findings:
        is_own = any((found.frame.key, source) in own for source in found.sources)
        if found.pattern is not None and is_own:
            yield f"{found.source} in {found.frame.name}"


def log_facts(report: ProgramReport, audit: ProgramAudit) -> str:
    """How much was read, and the torch that wrote it."""
    environment = audit.recording.environment
    read = several(sum(found.size for _, found in report.parts), "trace log")
    known = [
        f"{name} {version}"
        for name, version in (("torch", environment.torch), ("Python", environment.python))
        if version not in ("", UNKNOWN.torch)
    ]
    return f"{read}; {', '.join(known) or 'the version of torch is not logged'}"
