"""The eager twin of a step: what it should give, and how far it is from what it gave.

Where it can be had, the twin is a fork of this process: it may fill caches, count and write as it
likes, and the step never sees it. Elsewhere it runs here, on copies of the step's state.
"""

from __future__ import annotations

import io
import os
import pickle
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch

from esper_audit import _dynamo
from esper_audit.data.comparisons import Comparison
from esper_audit.data.differences import Difference, DifferenceKind
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why, said
from esper_audit.replay.compare import (
    CannotCompare,
    StepResult,
    Tolerances,
    difference,
    root_mean_square,
)
from esper_audit.replay.forked import Forked, Lost
from esper_audit.replay.snapshot import CannotCopy, Snapshot, modules_of, same_randomness
from esper_audit.replay.state import changed_sum, gradients, marks, state_of, sums, written
from esper_audit.replay.values import plain


@dataclass(frozen=True)
class Call:
    """A call of the step's own callable, before it was compiled; ``reference`` in its place.

    ``locate``: find the user's lines that run tensor operations.
    """

    target: Callable[..., Any]
    reference: Callable[..., Any] | None
    loss: Callable[..., Any] | None
    args: tuple[Any, ...]
    kwargs: dict[str, Any]
    locate: bool = False


@dataclass(frozen=True)
class Twin:
    """The expected result, or why there is none.

    ``written`` names the tensors that the twin wrote in place; ``operations`` are the user's
    lines that ran a tensor operation, where they were asked for. ``shared``: it ran in this
    process, where it may have changed what the step reads.
    """

    result: StepResult | None = None
    failure: Reason | None = None
    written: tuple[str, ...] = ()
    operations: Mapping[Location, None] = field(default_factory=dict)
    shared: bool = False


PATIENT_SECONDS = 20.0
IMPATIENT_SECONDS = 2.0
"""How long a twin may take once the step itself has ended; less after one that never came."""

_patience = PATIENT_SECONDS
_ACCELERATORS = ("cuda", "xpu", "npu", "hpu", "mtia")


def can_fork() -> bool:
    """Whether this process may be forked: not on macOS, nor once an accelerator is in use.

    Nor with several threads for one operation: the child would wait for threads that it has not,
    and with fewer it would add up in another order.
    """
    in_use = any(
        getattr(getattr(torch, name, None), "is_initialized", bool)() for name in _ACCELERATORS
    )
    known = sys.platform.startswith("linux") and hasattr(os, "fork")
    return known and not in_use and torch.get_num_threads() == 1


class Twins:
    """The twins of one step, by what it is held against: ``eager``, and ``reference``."""

    def __init__(self) -> None:
        self._child: Forked | None = None
        self._known: dict[str, Twin] = {}

    def begin(self, calls: Mapping[str, Call]) -> None:
        """Start the twins of a call that is about to be made: all in one fork."""
        if not calls:
            return
        if not can_fork():
            self._known = {name: _run_on_copies(call) for name, call in calls.items()}
            return
        try:
            self._child = Forked(partial(_run_all, calls))
        except OSError as error:
            why = Reason(why=Why.NO_PROCESS, text=str(error.strerror or error))
            self._known = dict.fromkeys(calls, Twin(failure=why))
        except Lost as lost:
            self._known = dict.fromkeys(calls, Twin(failure=lost.reason))

    def wait(self, names: Iterable[str]) -> dict[str, Twin]:
        """Those of these names; if they don't come within a time, they are given up."""
        global _patience
        if self._child is not None:
            try:
                sent = pickle.loads(self._child.answer(_patience))
                self._known = {name: _read(data) for name, data in sent.items()}
            except Lost as lost:
                _patience = IMPATIENT_SECONDS
                self._known = dict.fromkeys(names, Twin(failure=lost.reason))
        return self._known

    @property
    def operations(self) -> Mapping[Location, None]:
        """The user's lines that ran tensor operations, once :meth:`wait` has returned."""
        return self._known["eager"].operations if "eager" in self._known else {}

    @property
    def shares(self) -> bool:
        """Whether one of them ran in this process."""
        return any(twin.shared for twin in self._known.values())

    def end(self) -> None:
        """Let no process stay."""
        if self._child is not None:
            self._child.end()


def _run_all(calls: Mapping[str, Call]) -> bytes:
    """All twins of a step, each from the same state: all but the first in a fork of this fork."""
    (name, first), *rest = calls.items()
    others = {other: Forked(partial(_run_and_send, call)) for other, call in rest}
    sent = {name: _run_and_send(first)}
    for other, child in others.items():
        try:
            sent[other] = child.answer(_patience / 2)
        except Lost as lost:
            sent[other] = _sent(Twin(failure=lost.reason))
    return pickle.dumps(sent)


def _run_and_send(call: Call) -> bytes:
    return _sent(_run(call))


def _sent(twin: Twin) -> bytes:
    buffer = io.BytesIO()
    try:
        torch.save(twin, buffer)
    except Exception as error:
        buffer = io.BytesIO()
        torch.save(Twin(failure=Reason(why=Why.NOT_SENT, text=said(error))), buffer)
    return buffer.getvalue()


def _read(data: bytes) -> Twin:
    try:
        twin: Twin = torch.load(io.BytesIO(data), weights_only=False)
        return twin
    except Exception as error:
        return Twin(failure=Reason(why=Why.NOT_READ, text=said(error)))


def _run_on_copies(call: Call) -> Twin:
    try:
        copy = Snapshot.take(call.target, call.args, call.kwargs, call.loss)
    except CannotCopy as error:
        return Twin(failure=error.reason)
    copied = Call(copy.target, call.reference, copy.loss, copy.args, copy.kwargs, call.locate)
    with same_randomness():
        twin = _run(copied)
    return Twin(twin.result, twin.failure, twin.written, twin.operations, shared=True)


def _run(call: Call) -> Twin:
    """Whatever goes wrong is told, not raised.

    Compiled functions that the target calls run eagerly too: compiling them for the twin would
    change what torch counts.
    """
    inputs = call.args if call.reference is None else (call.target, *call.args)
    lines: AbstractContextManager[dict[Location, None]] = (
        _dynamo.operation_lines() if call.locate and call.reference is None else nullcontext({})
    )
    try:
        modules = modules_of(call.target, call.args, call.kwargs, call.loss)
        state = state_of(modules, call.args, call.kwargs)
        before = marks(state)
        with torch.compiler.set_stance("force_eager"), lines as operations:
            output = (call.reference or call.target)(*inputs, **call.kwargs)
            if call.loss is not None:
                value = call.loss(output)
                value.backward()
                output = (output, value.detach())
        after = state_of(modules, call.args, call.kwargs)
        wrote = written(before, after)
        left = {name: plain(after[name]) for name in wrote}
        result = StepResult(plain(output), plain(gradients(after)), left, sums(after, wrote))
    except Exception as error:
        return Twin(failure=Reason(why=Why.TWIN_RAISED, text=said(error)))
    return Twin(result, None, wrote, operations)


def comparisons_of(
    found: StepResult, against: str, twin: Twin, tolerances: Tolerances
) -> Iterator[Comparison]:
    """Output, gradients and written tensors of a step, held against its twin's."""
    if twin.result is None:
        yield Comparison(against, "output", None, why=twin.failure)
        return
    wanted = twin.result
    pairs: dict[str, tuple[Any, Any]] = {"output": (found.output, wanted.output)}
    if any(gradient is not None for gradient in wanted.gradients.values()):
        pairs["gradients"] = (found.gradients, wanted.gradients)
    if twin.written and against == "eager":
        pairs["state"] = ({name: found.state.get(name) for name in twin.written}, wanted.state)
    if against == "eager":
        yield from _quietly_written(found, twin)
    for what, (actual, expected) in pairs.items():
        scale = root_mean_square(wanted.gradients.values()) if what == "gradients" else 0.0
        yield _comparison(against, what, actual, expected, tolerances, scale)


def _quietly_written(found: StepResult, twin: Twin) -> Iterator[Comparison]:
    """What compiled code wrote and the twin did not, or one of them without a trace."""
    assert twin.result is not None
    own, wanted = sums(found.state, twin.written), twin.result.sums
    name = changed_sum(own, wanted)
    if name:
        texts = (f"a sum of {total:.6g}" for total in (own[name][0], wanted[name][0]))
        actual, expected = texts
        off = Difference(f"state[{name!r}]", DifferenceKind.VALUE, actual, expected)
        yield Comparison("eager", "state", False, difference=off)


def _comparison(
    against: str, what: str, actual: Any, expected: Any, tolerances: Tolerances, scale: float
) -> Comparison:
    try:
        found = difference(actual, expected, tolerances, what, scale)
    except CannotCompare as error:
        return Comparison(against, what, None, why=error.reason)
    except Exception as error:  # a comparison of the user's own that raises
        why = Reason(why=Why.TWIN_RAISED, text=said(error))
        return Comparison(against, what, None, why=why)
    return Comparison(against, what, found is None, difference=found)
