"""A watch on a terminal, which is drawn anew, and anywhere else, where each event is a line."""

from __future__ import annotations

import sys
from collections import defaultdict
from contextlib import suppress

from rich.console import Console
from rich.live import Live

from esper_audit.cli.output import stdout
from esper_audit.cli.stdout import stdout_that_may_end
from esper_audit.data.clean import clean
from esper_audit.errors import IncompleteError
from esper_audit.program.heard import Life, ProcessState
from esper_audit.program.watching import Watch, WatchState
from esper_audit.report.watch import WatchView, closing_lines, event_lines, plain_lines
from esper_audit.report.words.watch import name_words, news_words, waiting_words

_REFRESHES = 2
"""Draws a second: after a terminal was resized, the view soon has its new size."""

_ALL = 10_000
"""Lines of a view that is printed once: as many as it has."""


class Screen:
    """A terminal. The view takes all of it; the last state stays on it at the end."""

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or stdout()
        self._live = Live(
            console=self._console,
            screen=True,
            refresh_per_second=_REFRESHES,
            vertical_overflow="crop",
        )

    def __enter__(self) -> Screen:
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        with suppress(OSError):  # the terminal has gone
            self._live.stop()

    def show(self, watch: Watch) -> bool:
        """Draw what is known now."""
        self._live.update(WatchView(watch.state()), refresh=True)
        return True

    def close(self, watch: Watch) -> None:
        """Print the last state. Raises IncompleteError where a program died."""
        with stdout_that_may_end("The view", ""):
            self._console.print(WatchView(watch.state(), height=_ALL))
        _check(watch.state())


class Lines:
    """A file or a pipe: a line an event, written at once."""

    def __init__(self) -> None:
        self._seen: dict[str, tuple[Life, int]] = {}
        self._waits = ""

    def __enter__(self) -> Lines:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def show(self, watch: Watch) -> bool:
        """Write what is new; False where nobody reads it any more."""
        state = watch.state()
        if all(process.life is Life.WAITING for process in state.processes):
            self._wait(waiting_words(state))
        news = event_lines(watch.news())
        changed = [process for process in state.processes if self._has_changed(process)]
        began = [process for process in changed if process.life is Life.RUNNING]
        over = [process for process in changed if process.life is not Life.RUNNING]
        return _write([*_of_processes(began), *news, *_of_processes(over)])

    def _wait(self, words: str) -> None:
        if words != self._waits and sys.stderr is not None:
            print(f"esper-audit: {clean(words)}", file=sys.stderr, flush=True)
            self._waits = words

    def _has_changed(self, process: ProcessState) -> bool:
        now = process.life, process.runs
        before = self._seen.get(process.place, (Life.WAITING, 1))
        self._seen[process.place] = now
        return now != before

    def close(self, watch: Watch) -> None:
        """Write the last state. Raises IncompleteError where a program died."""
        _write(closing_lines(watch.state()))
        _check(watch.state())


def _of_processes(changed: list[ProcessState]) -> list[str]:
    """A line for all ranks that began, or ended alike."""
    alike: dict[str, list[ProcessState]] = defaultdict(list)
    for process in changed:
        alike[news_words(process)].append(process)
    return [clean(f"{name_words(group)}: {words}") for words, group in alike.items()]


def _write(lines: list[str]) -> bool:
    """Whether they were written: a reader may have gone. Raises IncompleteError on a full disk."""
    is_written = not lines
    with stdout_that_may_end("The watch", "Write it to a place with free space."):
        if lines and sys.stdout is not None:
            sys.stdout.write("".join(f"{line}\n" for line in lines))
            sys.stdout.flush()
            is_written = True
    return is_written


def print_once(watch: Watch) -> None:
    """Print what is known now. Raises IncompleteError where that is nothing, or a program died."""
    while watch.more:
        watch.poll()
    state = watch.state()
    if all(process.life is Life.WAITING for process in state.processes):
        raise IncompleteError(
            f"There is nothing to watch yet: {waiting_words(state)}.",
            "Without --once, watch waits for it.",
        )
    console = stdout()
    if console.is_terminal:
        with stdout_that_may_end("The view", ""):
            console.print(WatchView(state, height=_ALL))
    else:
        _write(plain_lines(state))
    _check(state)


def _check(state: WatchState) -> None:
    if state.has_died:
        dead = [process for process in state.processes if process.life is Life.DIED]
        raise IncompleteError(
            f"{name_words(dead)} died before it could save (crash or kill).",
            f"Print what it had written: `esper-audit show {dead[0].file}`.",
        )
