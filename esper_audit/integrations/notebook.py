"""In a notebook: a recording that is shown while its cell runs, and the whole page of a report.

A cell that trains, with its recompiles under it as they come::

    with live() as recording:
        train()

And one that shows the page, or that of a saved file: ``page(recording)``.
"""

from __future__ import annotations

import html
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import esper_audit
from esper_audit.api import LiveRecording, folder
from esper_audit.data.audits import ProgramReport
from esper_audit.data.clean import clean
from esper_audit.data.recording import Recording
from esper_audit.data.storage import Document, load_any
from esper_audit.diagnosis import Totals, judge_program
from esper_audit.errors import MissingPackageError
from esper_audit.report.export import html_fragment
from esper_audit.report.formats import Format, render

_FRAME = (
    '<iframe title="esper-audit" sandbox="allow-scripts" srcdoc="{page}"'
    ' style="width:100%;height:{height}px;border:1px solid #8888"></iframe>'
)
"""Its script runs in an origin of its own: it reaches neither the notebook nor a network."""


class Shown:
    """What a cell shows: HTML, and a text for whatever shows none."""

    def __init__(self, as_html: str, text: str) -> None:
        self._html, self._text = as_html, text

    def _repr_mimebundle_(self, **_: Any) -> dict[str, str]:
        return {"text/html": self._html, "text/plain": self._text}

    def __repr__(self) -> str:
        return self._text


def page(source: LiveRecording | Document | str | Path, *, height: int = 640) -> Shown:
    """The page of a report in a frame of the cell, ``height`` pixels high.

    It is what ``esper-audit show --format html`` writes. It runs no script but its own, in an
    origin of its own, and loads nothing.

    Raises:
        UsageError: a file can't be read, or has no page.
    """
    document = _document(source)
    whole = html.escape(render(document, Format.HTML), quote=True)
    said = repr(source) if isinstance(source, LiveRecording) else type(document).__name__
    return Shown(_FRAME.format(page=whole, height=int(height)), clean(f"<page of {said}>"))


@contextmanager
def live(*, every: float = 1.0, provenance: bool = False) -> Iterator[LiveRecording]:
    """Record a block, and show its report under the cell while it runs.

    It is shown anew where something was compiled, at most once in so many seconds, and at the end.

    Args:
        every: seconds between two looks.
        provenance: as of :func:`esper_audit.record`.

    Raises:
        MissingPackageError: IPython is not installed.
    """
    view = _View(every)
    try:
        with esper_audit.record(provenance=provenance) as recording:
            view.begin(recording)
            try:
                yield recording
            finally:
                view.stop()
    finally:
        view.show()


class _View:
    """An output of a cell that a thread keeps up to date."""

    def __init__(self, every: float) -> None:
        if find_spec("IPython") is None:
            raise MissingPackageError("ipython")
        self._every = every
        self._recording: LiveRecording | None = None
        self._handle: Any = None
        self._last: Totals | None = None
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="esper-audit view", daemon=True)

    def begin(self, recording: LiveRecording) -> None:
        from IPython.display import display

        self._recording, self._last = recording, recording.totals
        show: Any = display  # without types
        self._handle = show(_report(recording), display_id=True)
        self._thread.start()

    def stop(self) -> None:
        """Look no longer; waits for a look that is being taken."""
        self._is_over.set()
        self._thread.join()

    def show(self) -> None:
        """Put what is known now in place of what was shown; a closed output costs nothing else."""
        if self._recording is not None and self._handle is not None:
            with suppress(Exception):
                self._handle.update(_report(self._recording))

    def _follow(self) -> None:
        while not self._is_over.wait(self._every):
            assert self._recording is not None
            now = self._recording.totals
            if now != self._last:
                self._last = now
                self.show()


def _report(recording: LiveRecording) -> Shown:
    return Shown(html_fragment(_document(recording)), repr(recording))


def _document(source: LiveRecording | Document | str | Path) -> Document:
    if isinstance(source, LiveRecording):
        return ProgramReport(audits=(source.audit,), root=folder())
    document = load_any(Path(source)) if isinstance(source, str | Path) else source
    if isinstance(document, Recording):
        return ProgramReport(audits=(judge_program(document),), root=folder())
    return document
