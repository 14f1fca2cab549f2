"""How far a run is, on stderr, while it lasts: a bar on a terminal, elsewhere a line at times."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Column

from esper_audit.cli.interrupts import INTERRUPTS
from esper_audit.data.audits import Audit
from esper_audit.data.clean import clean
from esper_audit.data.jobs import Job

EVERY = 20.0
"""Seconds between two lines where stderr is no terminal: none for a run that is short."""

_REST_OF_LINE = Column(no_wrap=True, overflow="ellipsis", ratio=1)


class LiveProgress:
    """What is done, and what runs now. ``every``: seconds from line to line off a terminal."""

    def __init__(self, console: Console, every: float = EVERY) -> None:
        self._console = console
        self._every = every
        self._progress = Progress(
            TextColumn("{task.description}", table_column=Column(no_wrap=True)),
            BarColumn(bar_width=20),
            MofNCompleteColumn(table_column=Column(no_wrap=True)),
            TimeElapsedColumn(table_column=Column(no_wrap=True)),
            TextColumn("{task.fields[now]}", style="dim", markup=False, table_column=_REST_OF_LINE),
            console=console,
            transient=True,
            expand=True,
            disable=not console.is_interactive,
        )
        self._task = self._progress.add_task("starting torch", total=None, now="")
        self._ended = threading.Event()
        self._started = time.monotonic()

    def __enter__(self) -> LiveProgress:
        self._started = time.monotonic()
        self._progress.start()
        if self._progress.disable:
            threading.Thread(target=self._lines, name="esper-audit progress", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._ended.set()
        with suppress(OSError):  # the terminal has gone; what was done is still to be saved
            self._progress.stop()

    def _lines(self) -> None:
        while not self._ended.wait(self._every):
            with suppress(OSError, ValueError):  # stderr is closed or full: the run goes on
                print(self._line(), file=self._console.file, flush=True)

    def _line(self) -> str:
        task = self._progress.tasks[self._task]
        done = "" if task.total is None else f" {task.completed:.0f} of {task.total:.0f}"
        now = f" ({task.fields['now']})" if task.fields["now"] else ""
        seconds = time.monotonic() - self._started
        return f"esper-audit: {seconds:.0f} s: {task.description}{done}{now}"

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

    def trying(self, jobs: Sequence[Job]) -> None:
        INTERRUPTS.go_on()
        self._progress.update(
            self._task, description="trying remedies", total=len(jobs), completed=0
        )

    def tried(self) -> None:
        self._progress.update(self._task, advance=1)

    def replayed(self) -> None:
        INTERRUPTS.hold()
