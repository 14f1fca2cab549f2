"""What torch.compile does in a training, by step: numbers to log, and a budget to keep.

The integrations of frameworks are made of this. It needs no framework, and serves a loop of your
own::

    with StepMetrics(warm_up_steps=2, max_recompiles_after_warm_up=0) as metrics:
        for number, batch in enumerate(batches):
            metrics.step(f"step {number}")
            train(batch)
            log(metrics.measure(), step=number)

It never raises into a training, but for a wrong argument, and for :class:`RecompileError` where
that is asked for.
"""

from __future__ import annotations

import sys
import traceback
import warnings
from collections.abc import Callable
from types import TracebackType
from typing import Any, Literal, TypeVar

import esper_audit
from esper_audit.api import LiveRecording, RecompileError, RecompileWarning, folder
from esper_audit.data.clean import clean_lines
from esper_audit.data.expectations import ProgramBudget
from esper_audit.diagnosis import Totals
from esper_audit.errors import UsageError
from esper_audit.report.complaints import Excess, excess
from esper_audit.report.words.numbers import several

PREFIX = "esper_audit/"
Method = TypeVar("Method", bound=Callable[..., Any])


def quiet(method: Method) -> Method:
    """A method of :class:`StepMetrics` after whose own error nothing is recorded any more."""

    def guarded(self: StepMetrics, *args: Any, **kwargs: Any) -> Any:
        try:
            return method(self, *args, **kwargs)
        except (RecompileError, RecompileWarning):
            raise
        except Exception as error:
            self._give_up(error)
            return {}

    guarded.__name__, guarded.__doc__ = method.__name__, method.__doc__
    return guarded  # type: ignore[return-value]


class StepMetrics:
    """Records a training, and gives what torch.compile did by step.

    Args:
        max_recompiles: recompiles allowed in all. A recompile limit that is hit exceeds it, too:
            torch counts none from there on.
        max_recompiles_after_warm_up: recompiles allowed after warm-up.
        warm_up_steps: training steps that are warm-up. Without it, warm-up ends where the program
            calls ``esper_audit.steady_state()``.
        on_excess: ``"warn"`` warns once with the causes where a budget is exceeded, ``"raise"``
            raises RecompileError.
        provenance: look for the lines that write guarded state, too: slow, as of
            :func:`esper_audit.record`.

    Raises:
        UsageError: an argument is wrong.
    """

    def __init__(
        self,
        *,
        max_recompiles: int | None = None,
        max_recompiles_after_warm_up: int | None = None,
        warm_up_steps: int | None = None,
        on_excess: Literal["warn", "raise"] = "warn",
        provenance: bool = False,
    ) -> None:
        _check_number("max_recompiles", max_recompiles)
        _check_number("max_recompiles_after_warm_up", max_recompiles_after_warm_up)
        _check_number("warm_up_steps", warm_up_steps)
        if on_excess not in ("warn", "raise"):
            raise UsageError(f"on_excess takes warn or raise, not {on_excess!r}.", 'Give "warn".')
        self.budget = ProgramBudget(
            recompiles=max_recompiles, recompiles_after_warm_up=max_recompiles_after_warm_up
        )
        self.warm_up_steps, self.on_excess, self.provenance = warm_up_steps, on_excess, provenance
        self.rank: int | None = None
        """Named in warnings; None where there is one process."""
        self.recording: LiveRecording | None = None
        """Of the present or the last training; None before the first."""
        self.is_live = False
        """Whether it records now."""
        self._reset()

    def _reset(self) -> None:
        self._steps, self._place = 0, ""
        self._reported = 0
        self._over: tuple[bool, ...] = ()
        self._told: set[tuple[str, str]] = set()

    # --- while it records ---

    @quiet
    def begin(self) -> None:
        """Record from here on. A recording that was left open is ended first."""
        self.end(failed=True)
        self._reset()
        self.recording = esper_audit.record(provenance=self.provenance)
        self.recording.__enter__()
        self.is_live = True

    @quiet
    def step(self, label: str) -> None:
        """A training step of this name begins; warm-up ends before the first one after it."""
        if self.is_live and self._steps == self.warm_up_steps:
            esper_audit.steady_state()
        self._steps += 1
        self.mark(label)

    @quiet
    def mark(self, label: str) -> None:
        """Something else than a training step begins: what is compiled in it bears this name."""
        if self.is_live:
            self._place = label
            esper_audit.step(label)

    @quiet
    def measure(self) -> dict[str, float]:
        """The metrics up to now, by name; ``new_recompiles`` are those since the last call."""
        if self.recording is None:
            return {}
        totals = self.recording.totals
        new, self._reported = totals.recompiles - self._reported, totals.recompiles
        found = counted(totals) | {
            f"{PREFIX}new_recompiles": float(new),
            f"{PREFIX}eager_frames": float(self.recording.eager_frames),
        }
        return dict(sorted(found.items()))

    @quiet
    def check(self) -> None:
        """Warn, or raise RecompileError, where a budget is newly exceeded."""
        if not self.is_live or self.recording is None or not self.budget.is_set:
            return
        if self._may_be_over():
            found = excess(self.recording.result, self.budget, folder())
            if found is not None and found.is_proven:
                self._tell(found, self._place)

    def _may_be_over(self) -> bool:
        """Whether it is worth judging: counting is cheap, judging is not, and is told once."""
        assert self.recording is not None
        totals, budget = self.recording.totals, self.budget
        over = (
            _is_over(totals.recompiles + totals.refused, budget.recompiles),
            _is_over(totals.recompiles_after_warm_up, budget.recompiles_after_warm_up),
            totals.refused > 0,
            totals.failed > 0,
            totals.limits > 0,
        )
        before, self._over = self._over, over
        return any(over) and over != before

    @quiet
    def end(self, failed: bool = False) -> None:
        """Record no longer. ``failed``: the training raised; its own error tells more.

        Else a budget that is not proven to be kept is told, as of ``assert_max_recompiles``: where
        no compiled code ran, say.
        """
        if not self.is_live or self.recording is None:
            return
        self.is_live = False
        self.recording.__exit__(*(sys.exc_info() if failed else (None, None, None)))
        if not failed and self.budget.is_set:
            self._tell_at_end(excess(self.recording.result, self.budget, folder()))

    @quiet
    def hand(self, write: Callable[..., object], *args: Any, **kwargs: Any) -> None:
        """Hand metrics to a framework; what it raises does not reach the training."""
        write(*args, **kwargs)

    def __enter__(self) -> StepMetrics:
        self.begin()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.end(failed=kind is not None)

    # --- what it says ---

    def _tell_at_end(self, found: Excess | None) -> None:
        late = self.budget.recompiles_after_warm_up is not None
        is_short = late and self._steps <= (self.warm_up_steps or 0)
        if found is not None and not found.is_proven and is_short and self._steps:
            steps = several(self._steps, "step")
            self._warn(
                f"Not completed: all {steps} were warm-up (warm_up_steps={self.warm_up_steps}),"
                " so nothing is known of the time after it."
            )
        elif found is not None:
            self._tell(found, "")

    def _tell(self, found: Excess, place: str) -> None:
        """Once of each budget: its causes may be many, and each has a step of its own."""
        if found.kinds <= self._told:
            return
        self._told |= found.kinds
        rank = "" if self.rank is None else f"rank {self.rank}"
        where = ", ".join(filter(None, [rank, place]))
        text = f"{where}: {found.text}" if where else found.text
        if self.on_excess == "raise":
            self.end(failed=True)
            raise RecompileError(clean_lines(text))
        self._warn(text)

    def _warn(self, text: str) -> None:
        try:
            warnings.warn(clean_lines(text), RecompileWarning, stacklevel=_outside())
        except RecompileWarning:  # warnings are errors, as with python -W error
            self.end(failed=True)
            raise

    def _give_up(self, error: Exception) -> None:
        """Our own error ends the recording, not the training."""
        self.is_live, live = False, self.is_live
        try:
            if live and self.recording is not None:
                self.recording.__exit__(None, None, None)
        finally:
            last = traceback.format_exception_only(error)[-1].strip()
            print(clean_lines(f"esper-audit: no longer recording: {last}"), file=sys.stderr)


def counted(totals: Totals, prefix: str = PREFIX) -> dict[str, float]:
    """Totals as metrics, by name."""
    found = {
        "compiles": totals.compiles,
        "recompiles": totals.recompiles,
        "recompiles_after_warm_up": totals.recompiles_after_warm_up,
        "compile_seconds": totals.seconds,
        "recompile_seconds": totals.recompile_seconds,
        "limits_hit": totals.limits,
        "graph_breaks": totals.graph_breaks,
    }
    return {f"{prefix}{name}": float(value) for name, value in found.items()}


def _is_over(number: int, allowed: int | None) -> bool:
    return allowed is not None and number > allowed


def _check_number(name: str, value: object) -> None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return
    raise UsageError(f"{name} takes a whole number, not {value!r}.", "Give 0 or more, or None.")


_FRAMEWORKS = (
    "esper_audit",
    "lightning",
    "pytorch_lightning",
    "transformers",
    "accelerate",
    "torch",
)


def _outside() -> int:
    """How many frames up the user's own code is, as of the caller; filters may hide a library's."""
    frame, level = sys._getframe(1), 1
    while frame.f_back is not None and _is_of_framework(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    return level


def _is_of_framework(module: str) -> bool:
    return module.partition(".")[0] in _FRAMEWORKS
