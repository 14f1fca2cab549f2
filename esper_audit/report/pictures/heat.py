"""Heat maps: where compiles were made after warm-up, and what they cost."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from esper_audit.data.audits import Audit, Report
from esper_audit.data.findings import FrameSummary
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import is_control
from esper_audit.diagnosis.counts import count, seconds_after_warm_up
from esper_audit.report.cells import Cell
from esper_audit.report.figures import HeatCell, HeatMap
from esper_audit.report.matrix import matrix
from esper_audit.report.pictures.anchors import Anchors
from esper_audit.report.sections import Line, Style, Table, line, words
from esper_audit.report.words.marks import FRAME_STYLES
from esper_audit.report.words.numbers import agree, several

MOST_ROWS = 200
_HEADS = ("compiles", "recompiles", "reused", "seconds", "left", "now")


def of_audits(report: Report, anchors: Anchors) -> HeatMap | None:
    """Scenarios against strategies or backends; hotter, the more compiles after warm-up."""
    laid_out = matrix(report.audits, report.columns)
    if not laid_out.rows:
        return None
    most = max(map(_late, report.audits), default=0)
    rows = tuple(
        (line(label), tuple(_of_audit(cell, most, anchors) for cell in cells))
        for label, cells in laid_out.rows[:MOST_ROWS]
    )
    return HeatMap(_told(report, most, len(laid_out.rows)), laid_out.corner, laid_out.heads, rows)


def _late(audit: Audit) -> int:
    return count(audit.recording).compiles_after_warm_up


def _told(report: Report, most: int, rows: int) -> Line:
    """What the closing says, too: a control that fails as it is meant to is no failure."""
    told = [audit for audit in report.audits if not is_control(audit, report.control)]
    failed = sum(audit.verdict is AuditVerdict.FAILED for audit in told)
    said = f"{failed:,} of {len(told):,} audits {agree(failed, 'fails', 'fail')}"
    controls = len(report.audits) - len(told)
    said += f" (beside {several(controls, 'negative control')})." if controls else "."
    if most:
        said += (
            f" The darker a cell, the more compiles after warm-up it had; the darkest had {most:,}."
        )
    else:
        said += " None compiled after warm-up."
    return line(f"{said}{_left_out(rows)}")


def _left_out(rows: int) -> str:
    return f" {several(rows - MOST_ROWS, 'more row')} left out." if rows > MOST_ROWS else ""


def _of_audit(cell: Cell, most: int, anchors: Anchors) -> HeatCell:
    if cell.audit is None:
        return HeatCell(line(words(cell.text, cell.style)), cell.style)
    heat = _late(cell.audit) / most if most else 0.0
    seconds = seconds_after_warm_up(cell.audit.recording)
    cost = (words(f", {seconds:.1f}\N{NO-BREAK SPACE}s", Style.MUTED),) if seconds else ()
    said = line(words(cell.text, cell.style), *cost)
    return HeatCell(said, cell.style, heat, anchors.of_audit(cell.audit))


def of_frames(
    frames: Sequence[FrameSummary], rows: Sequence[tuple[Line, ...]], anchors: Anchors
) -> HeatMap | None:
    """Frames against what they cost. ``rows`` are their cells, as the terminal tells them."""
    if not frames:
        return None
    recompiles = max(frame.recompiles for frame in frames)
    seconds = max(frame.seconds for frame in frames)
    shown = tuple(
        (cells[0], tuple(_cells(frame, cells, recompiles, seconds, anchors)))
        for frame, cells in zip(frames[:MOST_ROWS], rows, strict=False)
    )
    total = sum(frame.recompiles for frame in frames)
    said = f"{several(total, 'recompile')} of {several(len(frames), 'frame')}."
    if total:
        longest = max(frames, key=lambda frame: frame.seconds).frame.name
        said += f" The darker a cell, the higher its share; {longest} took longest."
    return HeatMap(line(f"{said}{_left_out(len(frames))}"), "frame", _HEADS, shown)


def _cells(
    frame: FrameSummary, cells: Sequence[Line], recompiles: int, seconds: float, anchors: Anchors
) -> list[HeatCell]:
    left = frame.recompiles_left
    heats = (
        0.0,
        frame.recompiles / recompiles if recompiles else 0.0,
        0.0,
        frame.seconds / seconds if seconds else 0.0,
        # Hot from the last two entries on: nothing else tells how near the limit is.
        1 / (1 + left) if left is not None and left <= _FEW_LEFT else 0.0,
    )
    to = anchors.of_frame(frame.frame.key)
    numbers = [
        HeatCell(cell, Style.SLOW if heat else Style.PLAIN, heat, to if heat else "")
        for cell, heat in zip(cells[1:], heats, strict=False)
    ]
    return [*numbers, HeatCell(cells[-1], FRAME_STYLES[frame.state])]


_FEW_LEFT = 2


def of_ranks(found: Table, by_class: Sequence[Mapping[str, FrameSummary]]) -> HeatMap | None:
    """Frames against classes of ranks, whose cells are told as the terminal tells them.

    ``by_class`` are the frames of each column, by frame key; the rows are in the order of keys.
    """
    keys = list(dict.fromkeys(key for own in by_class for key in own))
    most = max((frame.recompiles for own in by_class for frame in own.values()), default=0)
    if not keys or len(found.rows) != len(keys):
        return None
    rows = tuple(
        (cells[0], tuple(_of_rank(cell, own.get(key), most) for cell, own in columns))
        for key, cells in list(zip(keys, found.rows, strict=True))[:MOST_ROWS]
        for columns in [list(zip(cells[1:], by_class, strict=True))]
    )
    said = f"{several(len(keys), 'frame')}, a column for ranks that did the same."
    if most:
        said += f" The darker a cell, the more recompiles; the darkest had {most:,}."
    return HeatMap(line(f"{said}{_left_out(len(keys))}"), "frame", found.heads[1:], rows)


def _of_rank(cell: Line, frame: FrameSummary | None, most: int) -> HeatCell:
    heat = frame.recompiles / most if frame is not None and most else 0.0
    return HeatCell(cell, Style.SLOW if heat else Style.PLAIN, heat)
