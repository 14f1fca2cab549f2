"""What is known of running programs, in as many lines as a terminal has; or a line an event."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console, ConsoleOptions, RenderResult
from rich.text import Text

from esper_audit.data.clean import clean
from esper_audit.data.compiles import Outcome
from esper_audit.data.findings import FrameState, FrameSummary
from esper_audit.program.heard import Happened, Life, ProcessState
from esper_audit.program.watching import WatchState
from esper_audit.report.blocks import head, who_wrote
from esper_audit.report.sections import Line, Span, Style, line, words
from esper_audit.report.text.fitting import cut, wrapped
from esper_audit.report.text.terminal import STYLES
from esper_audit.report.watch_tables import tables_of
from esper_audit.report.words.findings import forecast_words
from esper_audit.report.words.numbers import several
from esper_audit.report.words.programs import program_name
from esper_audit.report.words.ranks import rank_names
from esper_audit.report.words.watch import happened_words, life_words, waiting_words

_LIFE_STYLES = {
    Life.WAITING: Style.MUTED,
    Life.RUNNING: Style.GOOD,
    Life.SILENT: Style.DOUBTFUL,
    Life.UNSEEN: Style.DOUBTFUL,
    Life.ENDED: Style.STRONG,
    Life.DIED: Style.BAD,
}
_OUTCOME_STYLES = {
    Outcome.COMPILED: Style.NEW,
    Outcome.RECOMPILED: Style.BAD,
    Outcome.LIMIT: Style.WRONG,
    Outcome.REFUSED: Style.BAD,
    Outcome.FAILED: Style.BAD,
    Outcome.SKIPPED: Style.MUTED,
}


_MOST_LATEST = 20
"""Lines of the latest compiles, however much room there is."""

News = tuple[ProcessState, Happened]


@dataclass(frozen=True)
class WatchView:
    """A state as rich draws it: at the size that the terminal has just then."""

    state: WatchState
    root: str = ""
    height: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        height = self.height or options.height or console.size.height
        for row in rows(self.state, options.max_width, height, self.root):
            yield Text.assemble(
                *((span.text, STYLES[span.style]) for span in row.spans),
                no_wrap=True,
                overflow="ellipsis",
            )


def rows(state: WatchState, width: int, height: int, root: str = "") -> list[Line]:
    """The view: no more than ``height`` lines, each at most ``width`` columns wide."""
    parts = _parts(state, width, height, root)
    made = [row for part in parts for row in part]
    if len(made) + len(parts) - 1 <= height:  # there is room between them
        made = [row for part in parts for row in (*part, line(""))][:-1]
    return [cut(row, width) for row in made[:height]]


def _parts(state: WatchState, width: int, height: int, root: str) -> list[list[Line]]:
    shown = [process for process in state.processes if process.life is not Life.WAITING]
    if not shown:
        return [[*wrapped(line(waiting_words(state), style=Style.MUTED), width)]]
    top = [[*_headline(state, shown, width), *_totals(shown, width)], [*_cause(shown, width, root)]]
    left = height - sum(map(len, top))
    tables = tables_of(shown, width)
    happened = _latest(shown, left)
    # Half of what is left belongs to each; what one doesn't need is the other's.
    of_tables = min(sum(map(len, tables)), max(left - len(happened), (left + 1) // 2))
    tables = _fitted(tables, of_tables)
    latest = _fitted([happened], left - sum(map(len, tables)))
    return [part for part in (*top, *tables, *latest) if part]


def _fitted(parts: Sequence[list[Line]], most: int) -> list[list[Line]]:
    """The parts in so many lines: the last ones of the longest are left out; no title alone."""
    kept = [list(part) for part in parts]
    while kept and sum(map(len, kept)) > most:
        longest = max(kept, key=len)
        del longest[-1:]
        if len(longest) <= 1:
            kept.remove(longest)
    return kept


# --- what runs ---


def _headline(state: WatchState, shown: Sequence[ProcessState], width: int) -> Iterator[Line]:
    if len(shown) == 1:
        process = shown[0]
        name = program_name(process.audit.recording.program)
        again = f", run {process.runs}" if process.runs > 1 else ""
        text = line(
            words(name, Style.STRONG),
            f" ({_pid(process)}torch {process.audit.recording.environment.torch}{again}): ",
            words(life_words(process), _LIFE_STYLES[process.life]),
        )
    else:
        text = line(words(several(len(shown), "process"), Style.STRONG), ": ", *_lives(shown))
    yield from wrapped(text, width)
    if state.missing:
        ranks = ", ".join(state.missing)
        yield line(f"nothing was seen of rank {ranks}", style=Style.DOUBTFUL)
    if lost := sum(process.lost for process in shown):
        yield line(f"{several(lost, 'line')} can't be read", style=Style.DOUBTFUL)
    if not all(process.read for process in shown):
        yield line("still reading what was written before", style=Style.MUTED)


def _pid(process: ProcessState) -> str:
    return f"process {process.pid}, " if process.pid is not None else ""


def _lives(shown: Sequence[ProcessState]) -> Iterator[Span]:
    for life, name in (
        (Life.RUNNING, "running"),
        (Life.ENDED, "ended"),
        (Life.DIED, "died"),
        (Life.SILENT, "written by no process here"),
        (Life.UNSEEN, "running unseen: the file was removed"),
    ):
        of_life = [process for process in shown if process.life is life]
        if of_life:
            yield words(f"{len(of_life)} {name}{_which(of_life, len(shown))} ", _LIFE_STYLES[life])


def _which(some: Sequence[ProcessState], of: int) -> str:
    ranks = [process.rank for process in some if process.rank is not None]
    return f" ({rank_names(ranks)})" if ranks and len(some) < of else ""


def _totals(shown: Sequence[ProcessState], width: int) -> Iterator[Line]:
    tallies = [process.tally for process in shown]
    lost = max(tally.seconds for tally in tallies)
    again = max(tally.again_seconds for tally in tallies)
    compiles = sum(tally.compiles for tally in tallies)
    recompiles = sum(tally.recompiles for tally in tallies)
    on_one = " on the slowest rank" if len(shown) > 1 else ""
    parts = [
        f"{several(compiles, 'compile')} ({several(recompiles, 'recompile')})",
        f"{lost:.1f} s spent compiling{on_one} ({again:.1f} s in recompiles)",
    ]
    eager = {f.frame.key for p in shown for f in p.audit.frames if _is_eager(f)}
    known = [found for process in shown if (found := process.audit.recording).trace_log is None]
    if known:  # no trace log has them
        hits = sum(recording.lookups.hits for recording in known)
        parts.append(f"compiled code was reused in {several(hits, 'lookup')}")
    parts += [f"{several(len(eager), 'frame')} now eager"] if eager else []
    yield from wrapped(line("; ".join(parts)), width)


def _is_eager(frame: FrameSummary) -> bool:
    return frame.state not in (FrameState.COMPILED, FrameState.NO_GRAPH) and (
        bool(frame.compiles) or frame.direct
    )


# --- causes and events ---


def _last(shown: Sequence[ProcessState]) -> ProcessState | None:
    """The process whose last recompile is the latest."""
    known = [process for process in shown if process.cause is not None]
    return max(known, key=_latest_recompile, default=None)


def _latest_recompile(process: ProcessState) -> float:
    return max((h.compile.at for h in process.happened if h.failure is not None), default=0.0)


def _cause(shown: Sequence[ProcessState], width: int, root: str) -> Iterator[Line]:
    last = _last(shown)
    if last is None or last.cause is None:
        return
    of_rank = f" (rank {last.rank})" if len(shown) > 1 and last.rank is not None else ""
    root = root or (last.audit.recording.program.folder if last.audit.recording.program else "")
    yield line(f"Last cause{of_rank}", style=Style.STRONG)
    yield from wrapped(line(head(last.cause, root), style=Style.BAD), width)
    for told in (who_wrote(last.cause, root), forecast_words(last.cause.forecast)):
        if told:
            yield from wrapped(line(told), width)


def _latest(shown: Sequence[ProcessState], most: int) -> list[Line]:
    """The newest first; what ranks did alike is one line."""
    most = max(1, min(most, _MOST_LATEST))
    found = [(process, one) for process in shown for one in process.happened[-most:]]
    groups = sorted(_alike(found), key=_newest, reverse=True)
    made = [
        line(
            words(f"{_newest(group):8.1f} s  ", Style.MUTED),
            f"{rank_names(_ranks(group))}  " if _ranks(group) else "",
            words(happened_words(_slowest(group)), _OUTCOME_STYLES[group[0][1].compile.outcome]),
        )
        for group in groups[:most]
    ]
    return [line("Latest compiles", style=Style.STRONG), *made] if made else []


# --- a line an event ---


def event_lines(news: Sequence[News]) -> list[str]:
    """A line for each attempt; those that several ranks made alike share one."""
    return [_event(group) for group in _alike(news)]


def _event(group: Sequence[News]) -> str:
    ranks = _ranks(group)
    where = f"  {rank_names(ranks)}" if ranks else ""
    slowest = _slowest(group)
    return clean(f"{slowest.compile.at:.1f} s{where}  {happened_words(slowest)}")


def _alike(news: Sequence[News]) -> list[list[News]]:
    """Of ranks, the attempts on one frame with one outcome and one cause are one."""
    found: dict[object, list[News]] = {}
    for process, happened in news:
        compile_, failure = happened.compile, happened.failure
        source = failure.source if failure is not None else ""
        key = (compile_.frame.key, compile_.id, compile_.outcome, happened.diagnosis, source)
        own = key if process.rank is not None else id(happened)
        found.setdefault(own, []).append((process, happened))
    return list(found.values())


def _ranks(group: Sequence[News]) -> list[int]:
    return sorted({process.rank for process, _ in group if process.rank is not None})


def _slowest(group: Sequence[News]) -> Happened:
    return max((happened for _, happened in group), key=lambda one: one.compile.seconds.total)


def _newest(group: Sequence[News]) -> float:
    return max(happened.compile.at for _, happened in group)


def plain_lines(state: WatchState) -> list[str]:
    """The view without a terminal."""
    return [row.text for row in rows(state, _NO_END, _NO_END)]


def closing_lines(state: WatchState) -> list[str]:
    """The last state, where each event was told: what ran, and what it did."""
    shown = [process for process in state.processes if process.life is not Life.WAITING]
    if not shown:
        return [clean(waiting_words(state))]
    about = [] if len(shown) == 1 else [*_headline(state, shown, _NO_END)]
    return [row.text for row in (*about, *_totals(shown, _NO_END))]


_NO_END = 1_000_000
"""Columns and lines of what is no terminal."""
