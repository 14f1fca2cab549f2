"""How far a run is, on stderr, while it lasts; silent where stderr is not a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from esper_audit.cli.interrupts import INTERRUPTS
from esper_audit.data.audits import Audit
from esper_audit.data.clean import clean
from esper_audit.data.jobs import Job


class LiveProgress:
    """A bar with what runs now and what is done."""

    def __init__(self, console: Console) -> None:
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(bar_width=20),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[now]}", style="dim", markup=False),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("starting torch", total=None, now="")

    def __enter__(self) -> LiveProgress:
        self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with suppress(OSError):  # the terminal has gone; what was done is still to be saved
            self._progress.stop()

    def planned(self, jobs: Sequence[Job]) -> None:
        INTERRUPTS.go_on()
        self._progress.update(self._task, description="replaying", total=len(jobs), completed=0)

    def running(self, titles: frozenset[str]) -> None:
        self._progress.update(self._task, now=clean(", ".join(sorted(titles))))

    def finished(self, audit: Audit) -> None:
        self._progress.update(self._task, advance=1)
        del audit

    def watching(self, jobs: Sequence[Job]) -> None:
        self._progress.update(
            self._task, description="finding writers", total=len(jobs), completed=0
        )

    def watched(self) -> None:
        self._progress.update(self._task, advance=1)

    def replayed(self) -> None:
        INTERRUPTS.hold()
