"""What compiling has cost, as tables: by stage, by frame and by cause."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from esper_audit.data.compiles import Compile
from esper_audit.data.findings import Finding
from esper_audit.data.recording import Recording
from esper_audit.diagnosis.costs import frame_costs, seconds_of_causes, stage_costs
from esper_audit.report.pictures.anchors import Anchors
from esper_audit.report.sections import (
    Block,
    Line,
    Part,
    Section,
    Span,
    Style,
    Table,
    item,
    line,
    words,
)
from esper_audit.report.words.changes import sources
from esper_audit.report.words.guards import shortened
from esper_audit.report.words.numbers import several
from esper_audit.report.words.programs import frame_names

MOST_ROWS = 20
_NUMBERS = frozenset({1, 2})


def costs(
    recordings: Sequence[Recording],
    causes: Sequence[tuple[Finding, float]],
    anchors: Anchors,
    whole: float | None,
    note: str = "",
) -> Section | None:
    """None where nothing was compiled. ``causes`` with their seconds; ``whole`` is wall time."""
    compiles = [attempt for recording in recordings for attempt in recording.compiles]
    if not compiles:
        return None
    total = stage_costs(compiles).total
    blocks: list[Block] = [item(_total(total, whole, len(recordings))), _stages(compiles)]
    blocks += [_frames(compiles)]
    if causes:
        again = sum(seconds_of_causes(recording.compiles) for recording in recordings)
        blocks.append(_causes(causes, again, total, anchors))
    blocks += [*_caches(recordings), *_graph_skips(recordings)]
    shared = sum(seconds for _, seconds in causes) > again + 1e-6 if causes else False
    notes = [line(text) for text in (note, _SHARED if shared else "") if text]
    return Section("Costs", tuple(blocks), tuple(notes), anchor=Part.COSTS)


_SHARED = (
    "a recompile with several causes counts, with its seconds, in each of them,"
    " and once in the rows of all"
)


def _total(total: float, whole: float | None, recordings: int) -> str:
    """A share only where there is one: threads may compile at once."""
    over = f" over {several(recordings, 'recording')}" if recordings > 1 else ""
    said = f"{total:.1f} s of compiling{over}"
    return f"{said}, {total / whole:.0%} of {whole:.1f} s" if whole and total <= whole else said


def _stages(compiles: Sequence[Compile]) -> Table:
    found = stage_costs(compiles)
    rows = (
        ("dynamo", found.dynamo),
        ("aot_autograd", found.aot_autograd),
        ("backend", found.backend),
        ("rest: in no stage, or not told", found.rest),
    )
    made = [_row(line(name), seconds, found.total) for name, seconds in rows if seconds]
    return _table("stage", made, found.total)


def _frames(compiles: Sequence[Compile]) -> Table:
    found = frame_costs(compiles)
    total = sum(costs.seconds for costs in found)
    names = frame_names([costs.frame for costs in found])
    made = [_row(line(names[c.frame]), c.seconds, total) for c in found[:MOST_ROWS]]
    rest = found[MOST_ROWS:]
    if rest:
        left = line(several(len(rest), "more frame"), style=Style.MUTED)
        made.append(_row(left, sum(costs.seconds for costs in rest), total))
    return _table("frame", made, total)


def _causes(
    causes: Sequence[tuple[Finding, float]], again: float, total: float, anchors: Anchors
) -> Table:
    """Causes share seconds; what they cost together is counted by attempt."""
    made = [_row(_cause(found, anchors), seconds, total) for found, seconds in causes[:MOST_ROWS]]
    left = len(causes) - MOST_ROWS
    if left > 0:
        made.append((line(several(left, "more cause"), style=Style.MUTED), line(), line()))
    made.append(_row(line("all recompiles"), again, total))
    made.append(_row(line("all other compiles"), max(0.0, total - again), total))
    return _table("cause", made, total)


def _cause(finding: Finding, anchors: Anchors) -> Line:
    name = Span(finding.id.value, Style.STRONG, anchors.of_cause(finding))
    return line(name, f" {shortened(sources(finding))} in {finding.frame.name}")


def _row(name: Line, seconds: float, total: float) -> tuple[Line, ...]:
    share = f"{seconds / total:.0%}" if total else ""
    return name, line(f"{seconds:.1f}"), line(share)


def _table(head: str, rows: Sequence[tuple[Line, ...]], total: float) -> Table:
    last = tuple(line(words(text, Style.STRONG)) for text in ("all", f"{total:.1f}", "100%"))
    return Table((*rows, last), (head, "seconds", "share"), _NUMBERS)


def _caches(recordings: Sequence[Recording]) -> Iterator[Block]:
    found: dict[str, list[int]] = {}
    for use in (use for recording in recordings for use in recording.caches):
        sums = found.setdefault(use.cache, [0, 0, 0])
        for place, number in enumerate((use.hits, use.misses, use.bypasses)):
            sums[place] += number
    if found:
        rows = [(line(n), *(line(f"{x:,}") for x in s)) for n, s in list(found.items())[:MOST_ROWS]]
        yield Table(
            tuple(rows), ("compile cache", "hits", "misses", "bypasses"), frozenset({1, 2, 3})
        )


def _graph_skips(recordings: Sequence[Recording]) -> Iterator[Block]:
    found: dict[str, int] = {}
    for skip in (skip for recording in recordings for skip in recording.graph_skips):
        found[skip.reason] = found.get(skip.reason, 0) + skip.count
    if found:
        ordered = sorted(found.items(), key=lambda one: -one[1])[:MOST_ROWS]
        rows = tuple((line(shortened(why)), line(f"{number:,}")) for why, number in ordered)
        yield Table(rows, ("compiles without a CUDA graph: why", "times"), frozenset({1}))
