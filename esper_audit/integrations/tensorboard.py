"""TensorBoard: recompiles by step as scalars, and their causes as text.

While a loop of your own trains::

    with RecompileScalars(SummaryWriter("runs/1"), warm_up_steps=5) as scalars:
        for number, batch in enumerate(batches):
            scalars.step(number)
            train(batch)

Or of what was recorded before: ``write("recording.json", SummaryWriter("runs/1"))``.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

from esper_audit.api import LiveRecording, folder
from esper_audit.data.audits import Audit, ProgramAudit, ProgramReport, Report
from esper_audit.data.clean import clean, clean_lines
from esper_audit.data.findings import Finding
from esper_audit.data.recording import Recording
from esper_audit.data.storage import Document, load_any
from esper_audit.diagnosis import Totals, judge_program
from esper_audit.diagnosis.tally import totals_of
from esper_audit.errors import UsageError
from esper_audit.integrations.metrics import PREFIX, StepMetrics, counted
from esper_audit.report.blocks import blocks

CAUSES = f"{PREFIX}causes"
"""The tag of the text."""

Point = tuple[int, float | None, Totals]


class Writer(Protocol):
    """What is used of a ``SummaryWriter``: torch's, tensorboardX's, or another with its methods."""

    def add_scalar(
        self, tag: str, scalar_value: float, global_step: int, walltime: float | None = None
    ) -> Any: ...
    def add_text(self, tag: str, text_string: str, global_step: int) -> Any: ...


class RecompileScalars:
    """Writes what torch.compile did in each step of a loop; the causes at its end.

    Options are as of :class:`esper_audit.integrations.metrics.StepMetrics`. The writer stays open.
    """

    def __init__(self, writer: Writer, **options: Any) -> None:
        self._writer = writer
        self._metrics = StepMetrics(**options)
        self._number: int | None = None
        self._last: dict[str, float] = {}

    @property
    def recording(self) -> LiveRecording | None:
        """Of the present or the last loop; None before the first."""
        return self._metrics.recording

    def step(self, number: int) -> None:
        """A training step begins; what the one before it has changed is written."""
        self._write()
        self._number = number
        self._metrics.step(f"step {number}")

    def __enter__(self) -> RecompileScalars:
        self._number, self._last = None, {}
        self._metrics.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            if kind is None:
                self._write(is_last=True)
            if self.recording is not None:
                self._metrics.hand(self._tell, self.recording)
        finally:
            self._metrics.end(failed=kind is not None)

    def _write(self, is_last: bool = False) -> None:
        if self._number is None:
            return
        found = self._metrics.measure()
        if found != self._last or is_last:
            self._metrics.hand(_scalars, self._writer, found, self._number, None)
        self._last = found
        self._metrics.check()

    def _tell(self, recording: LiveRecording) -> None:
        _text(self._writer, CAUSES, recording.findings, folder(), self._number or 0)


def write(source: LiveRecording | Document | str | Path, writer: Writer) -> None:
    """Write a recording, a report or a saved file of either: a point where something was compiled.

    The steps are those that the program marked, or that were replayed; without any, compiles are
    numbered. Points have the time at which they happened, where the recording tells. Where a report
    holds several ranks or scenarios, each has its name in its tags.

    Raises:
        UsageError: the file can't be read, or is of something that holds no recording.
    """
    audits, root = _audits(source)
    for audit in audits:
        name = f"{clean(_name(audit))}/" if len(audits) > 1 else ""
        last = 0
        for last, at, totals in points(audit.recording):
            _scalars(writer, counted(totals, f"{PREFIX}{name}"), last, at)
        _text(writer, f"{PREFIX}{name}causes", audit.findings, root, last)


def points(recording: Recording) -> Iterator[Point]:
    """The totals after each step in which something was compiled: (step, time, totals)."""
    marked = any(made.step is not None for made in recording.compiles)
    totals, latest = Totals(), None
    for number, made in enumerate(sorted(recording.compiles, key=lambda made: made.sequence)):
        step = (made.step or 0) if marked else number
        if latest is not None and latest[0] != step:
            yield latest
        totals += totals_of(made)
        began = recording.began_at
        latest = step, None if began is None else began + made.at, totals
    if latest is not None:
        yield latest


def _audits(
    source: LiveRecording | Document | str | Path,
) -> tuple[tuple[ProgramAudit | Audit, ...], str]:
    if isinstance(source, LiveRecording):
        return (source.audit,), folder()
    document = load_any(Path(source)) if isinstance(source, str | Path) else source
    if isinstance(document, Recording):
        return (judge_program(document),), folder()
    if isinstance(document, ProgramReport | Report):
        return tuple(document.audits), document.root
    raise UsageError(
        f"A {type(document).__name__} holds no recording to write to TensorBoard.",
        "Give a file of `exec --save` or of `run --save`.",
    )


def _name(audit: ProgramAudit | Audit) -> str:
    if isinstance(audit, ProgramAudit) and audit.rank is not None:
        return f"rank {audit.rank}"
    return audit.title


def _scalars(writer: Writer, found: dict[str, float], step: int, at: float | None) -> None:
    for name, value in found.items():
        writer.add_scalar(name, value, step, walltime=at)


def _text(writer: Writer, tag: str, findings: tuple[Finding, ...], root: str, step: int) -> None:
    """As a block of code: TensorBoard takes text for Markdown."""
    lines = clean_lines(blocks(findings, root) or "No findings.").splitlines()
    writer.add_text(tag, "\n".join(f"    {line}" for line in lines), step)
