"""Record any code, and assert what torch.compile did in it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.clean import clean
from esper_audit.data.findings import Finding, FrameSummary
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase
from esper_audit.data.storage import save
from esper_audit.data.text import encodable
from esper_audit.diagnosis import Tally, Totals, count, judge_program, runs_eagerly
from esper_audit.report.blocks import blocks
from esper_audit.report.complaints import at_most
from esper_audit.report.words.numbers import several

if TYPE_CHECKING:
    from esper_audit.recording.recorder import Recorder

P = ParamSpec("P")
R = TypeVar("R")


class RecompileError(AssertionError):
    """Compiled code did something else than was asserted; the message says what, where and why."""


class RecompileWarning(UserWarning):
    """Compiled code did something else than was allowed, in a training that goes on."""


class LiveRecording:
    """What is recorded in a ``with record()`` block: readable inside it and after it."""

    def __init__(self, *, provenance: bool = False) -> None:
        self._provenance = provenance
        self._recorder: Recorder | None = None
        self._result: Recording | None = None
        self._tally = Tally()
        self._eager = (0, 0, 0)
        self._state = "not started"

    def __enter__(self) -> LiveRecording:
        from esper_audit.recording.usable_torch import import_torch

        import_torch()
        from esper_audit.recording.recorder import Recorder

        if self._recorder is not None:
            raise RuntimeError("A recording is made once: call record() again.")
        # A program says when warm-up is over; until it does, compiles are expected.
        self._recorder = Recorder(
            phase=Phase.WARM_UP,
            adding_up=True,
            watch=self._provenance,
            journal=self._tally.note,
        )
        self._recorder.__enter__()
        self._state = "recording"
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        assert self._recorder is not None
        try:
            self._result = self._recorder.recording()
        finally:
            self._recorder.__exit__(kind, error, trace)
            self._state = "ended" if kind is None else f"ended by {kind.__name__}"

    @property
    def result(self) -> Recording:
        """The recording up to now, as plain frozen data; raises RuntimeError before it begins."""
        if self._recorder is None:
            raise RuntimeError("Nothing is recorded yet: use it in a with statement.")
        return self._result or self._recorder.recording()

    @property
    def totals(self) -> Totals:
        """The counts up to now. They are kept as things happen: cheap to ask in every step."""
        return self._tally.totals

    @property
    def eager_frames(self) -> int:
        """How many frames torch runs eagerly now, for every value or for new ones.

        Cheap to ask in every step: it is judged again only where that may have changed.
        """
        turns, compiles, number = self._eager
        now = self._tally.turns, self.totals.compiles
        if now[0] != turns or (number and now[1] != compiles):
            number = sum(map(runs_eagerly, self.frames))
            self._eager = (*now, number)
        return number

    @property
    def audit(self) -> ProgramAudit:
        """The recording, judged: frames and findings."""
        return judge_program(self.result)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Causes of recompiles, eager execution, graph breaks; those that cost most first."""
        return self.audit.findings

    @property
    def frames(self) -> tuple[FrameSummary, ...]:
        """What became of each frame; those that cost most first."""
        return self.audit.frames

    @property
    def recompiles(self) -> int:
        """How often a frame was compiled again because no cache entry matched."""
        return count(self.result).recompiles

    @property
    def compiles(self) -> int:
        """How often a frame was compiled, first compiles included."""
        return count(self.result).compiles

    @property
    def hits(self) -> int:
        """Calls of frames that matched a cache entry: compiled code was reused."""
        return self.result.lookups.hits

    def report(self) -> str:
        """What happened in one sentence, and all findings, as text."""
        from esper_audit.report.program import summary

        return "\n".join(
            filter(None, [clean(summary(self.audit)), blocks(self.findings, folder())])
        )

    def save(self, path: str | Path) -> None:
        """Save the recording as JSON; raises UsageError where it can't be written."""
        save(self.result, Path(path))

    def __repr__(self) -> str:
        if self._recorder is None:
            return f"<LiveRecording: {self._state}>"
        causes = sum(finding.pattern is not None for finding in self.findings)
        found = ((self.compiles, "compile"), (self.recompiles, "recompile"), (causes, "cause"))
        counts = ", ".join(several(number, what) for number, what in found)
        return clean(f"<LiveRecording: {counts}, {self._state}>")

    def _repr_html_(self) -> str:
        """The whole report, for the output of a notebook cell."""
        from esper_audit.report.export import html_fragment

        shown = ProgramReport(audits=(self.audit,), root=folder()) if self._recorder else repr(self)
        return html_fragment(shown)

    def __dir__(self) -> list[str]:
        """The public names, for tab completion."""
        return [name for name in super().__dir__() if not name.startswith("_")]


def record(*, provenance: bool = False) -> LiveRecording:
    """Record what torch.compile does in a block of code, in all threads of the process.

    Args:
        provenance: look for the lines that write guarded state, too. Python code of yours
            between compiled calls runs many times slower meanwhile; what torch compiles stays the
            same. Not possible while a debugger or coverage traces.
    """
    return LiveRecording(provenance=provenance)


class assert_max_recompiles:  # noqa: N801  # it reads as a function, and is one to its users
    """Fail where a block, or each call of a function, recompiles more than ``n`` times.

    First compiles are free; a frame that hits the recompile limit fails always. Compiled code
    must run in it: a block in which none ran proves nothing, and fails too. The message names
    guard source, old and new value, and the line that wrote it.

    Args:
        n: recompiles allowed.
        provenance: look for the line that wrote guarded state, as of :func:`record`.

    Raises:
        RecompileError: an ``AssertionError``, at the end of the block.
    """

    def __init__(self, n: int, *, provenance: bool = True) -> None:
        self._allowed = n
        self._provenance = provenance
        self._open: list[Any] = []

    def __enter__(self) -> LiveRecording:
        block = record(provenance=self._provenance)
        live = block.__enter__()
        self._open.append((block, live))
        return live

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        __tracebackhide__ = True
        block, live = self._open.pop()
        block.__exit__(kind, error, trace)
        if error is None:  # the program's own error tells more
            check(at_most(live.result, self._allowed, root=folder()))

    def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
        """As a decorator."""

        @functools.wraps(function)
        def asserted(*args: P.args, **kwargs: P.kwargs) -> R:
            with assert_max_recompiles(self._allowed, provenance=self._provenance):
                return function(*args, **kwargs)

        return asserted


def folder() -> str:
    """From where reports shorten paths."""
    return encodable(str(Path.cwd()))


def check(complaint: str) -> None:
    """Raise RecompileError with this complaint, where there is one."""
    __tracebackhide__ = True
    if complaint:
        raise RecompileError(complaint)
