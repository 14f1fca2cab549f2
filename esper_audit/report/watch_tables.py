"""The tables of a watch: frames, those near their limit first; and ranks that did the same."""

from __future__ import annotations

from collections.abc import Sequence

from rich.cells import cell_len

from esper_audit.data.clean import clean
from esper_audit.data.findings import FrameState
from esper_audit.program.fleet import FleetFrame, ProcessClass, classes, frames_of
from esper_audit.program.heard import ProcessState
from esper_audit.report.sections import Line, Style, line
from esper_audit.report.text.fitting import fit
from esper_audit.report.words.findings import left_words, limit_words
from esper_audit.report.words.numbers import several
from esper_audit.report.words.programs import frame_names
from esper_audit.report.words.ranks import rank_names

_NARROW = 72
"""Columns from which on a table has room for all of its numbers."""

_NEAR = 2
"""Compiles that a frame has left until its limit, from which on it stands out."""


def tables_of(shown: Sequence[ProcessState], width: int) -> list[list[Line]]:
    """What ranks did alike, where there are several; and the frames of all."""
    tables = [_frames(frames_of(shown), width)]
    if len(shown) > 1:
        tables.insert(0, _classes(classes(shown), width))
    return [table for table in tables if len(table) > 1]


def _frames(frames: Sequence[FleetFrame], width: int) -> list[Line]:
    """Those near their limit first."""
    ordered = sorted(frames, key=lambda frame: (not _is_near(frame), -frame.seconds))
    names = frame_names([frame.frame for frame in frames])
    heads = ("frame", "compiles", "recompiles", "seconds", "left", "")
    cells = [
        (
            clean(names[frame.frame]),
            _span(frame.compiles),
            _span(frame.recompiles),
            f"{frame.seconds:.1f}",
            left_words(frame.left),
            _outlook(frame),
        )
        for frame in ordered
    ]
    styles = [_frame_style(frame) for frame in ordered]
    return _columns(heads, cells, styles, width, dropped=(1, 3))


def _span(of_ranks: tuple[int, int]) -> str:
    least, most = of_ranks
    return str(most) if least == most else f"{least}-{most}"


def _is_near(frame: FleetFrame) -> bool:
    few = frame.left is not None and frame.left <= _NEAR
    return few or frame.forecast is not None or frame.state in _GIVEN_UP


_GIVEN_UP = (FrameState.EAGER, FrameState.CACHED_ONLY, FrameState.FAILED)


def _frame_style(frame: FleetFrame) -> Style:
    if frame.state in _GIVEN_UP:
        return Style.BAD
    return Style.DOUBTFUL if _is_near(frame) else Style.PLAIN


def _outlook(frame: FleetFrame) -> str:
    """What comes next: the forecast, or what the frame does now."""
    if frame.limit:
        return f"{limit_words(frame.limit)}: now {frame.state.value}"
    if frame.state is not FrameState.COMPILED:
        return f"now {frame.state.value}"
    forecast = frame.forecast
    if forecast is None:
        return ""
    if forecast.limit_hit:
        return "each further value runs eagerly"
    return f"limit in {several(forecast.left, 'value')}"


def _classes(found: Sequence[ProcessClass], width: int) -> list[Line]:
    names = frame_names([one.parts_at for one in found if one.parts_at is not None])
    cells = [
        (
            rank_names(one.ranks) if one.ranks else several(len(one.processes), "process"),
            str(one.processes[0].tally.compiles),
            str(one.processes[0].tally.recompiles),
            _seconds(*one.seconds),
            clean(f"differs in {names[one.parts_at]}") if one.parts_at is not None else "",
        )
        for one in found
    ]
    styles = [Style.PLAIN if one.parts_at is None else Style.BAD for one in found]
    heads = ("ranks that did the same", "compiles", "recompiles", "seconds", "")
    return _columns(heads, cells, styles, width, dropped=(1, 3))


def _seconds(least: float, most: float) -> str:
    return f"{most:.1f}" if f"{least:.1f}" == f"{most:.1f}" else f"{least:.1f}-{most:.1f}"


def _columns(
    heads: tuple[str, ...],
    cells: Sequence[tuple[str, ...]],
    styles: Sequence[Style],
    width: int,
    dropped: tuple[int, ...],
) -> list[Line]:
    """Names from the left, numbers from the right, the last column as long as there is room."""
    kept = [n for n in range(len(heads)) if width >= _NARROW or n not in dropped]
    table = [[row[n] for n in kept] for row in (heads, *cells)]
    numbers = [max(cell_len(row[n]) for row in table) for n in range(1, len(kept) - 1)]
    rest = max(width - sum(numbers) - 2 * len(numbers), 8)
    last = max(cell_len(row[-1]) for row in table)
    name = max(cell_len(row[0]) for row in table)
    if name + last + 2 > rest:
        name = min(name, max(rest // 2, rest - last - 2, 8))
    made = []
    for row, style in zip(table, (Style.STRONG, *styles), strict=True):
        first = fit(row[0], name)
        middle = "".join(f"  {cell:>{size}}" for cell, size in zip(row[1:-1], numbers, strict=True))
        made.append(line(f"{first}{middle}  {row[-1]}".rstrip(), style=style))
    return made
