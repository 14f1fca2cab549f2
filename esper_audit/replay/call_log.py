"""Keeps a digest of each call of compiled code, inside of the program that makes it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from types import FunctionType, MethodType
from typing import Any
from weakref import ref

import torch

from esper_audit import _dynamo
from esper_audit.data.calls import EMPTY, CompiledCall, Digest
from esper_audit.replay.digests import digest, wait_for_device
from esper_audit.replay.snapshot import modules_of
from esper_audit.replay.state import gradients, state_of

Holder = torch.nn.Module | torch.optim.Optimizer


_MOST_DIGESTS = 200_000
"""Of states, in one run: past these, calls keep what they gave alone."""


def seed() -> None:
    """Random numbers of torch begin alike in each run: its own first seed is of the machine."""
    torch.manual_seed(0)


class CallLog:
    """The calls of one program. It raises nothing into it, and draws no random number."""

    def __init__(self) -> None:
        self.rows: list[CompiledCall] = []
        self.unseen = 0
        self._left = _MOST_DIGESTS
        self._holders: tuple[ref[Holder], ...] = ()

    def around(self, number: int, target: Any, compiled: Any, args: Any, kwargs: Any) -> Any:
        """Make one call. The digests of what it found and gave are not in its time."""
        holders = self._held(target, args, kwargs)
        before = self._digests(holders, args, kwargs)
        self._holders = tuple(map(ref, holders))  # not kept alive: a guard may ask whether it is
        del holders
        wait_for_device()
        call = _Timed(number, before)
        try:
            result = compiled(*args, **kwargs)
            wait_for_device()
        except BaseException as error:
            self.rows.append(call.ended(error=type(error).__name__))
            raise
        row = call.ended()
        output, after = self._digest(result), self._digests([], args, kwargs)
        self.rows.append(replace(row, output=output, after=after))
        return result

    def last(self) -> dict[str, Digest]:
        """Of the state that the last call reached, as it is now, and of what is left of it."""
        held = [holder() for holder in self._holders]
        return self._digests([holder for holder in held if holder is not None], (), {})

    def _held(self, *roots: Any) -> list[Holder]:
        try:
            return [*modules_of(*roots), *_optimizers(roots[0])]
        except Exception:  # what a class of the program's own raises when it is asked
            self.unseen += 1
            return []

    def _digests(self, holders: list[Holder], args: Any, kwargs: Any) -> dict[str, Digest]:
        """By name: all that a call may read or write, and what the last backward left."""
        if self._left <= 0:
            return {}
        try:
            state = _state(holders, args, kwargs)
        except Exception:
            self.unseen += 1
            return {}
        self._left -= len(state)
        return {name: self._digest(tensor) for name, tensor in state.items()}

    def _digest(self, value: Any) -> Digest:
        try:
            with torch.no_grad():
                return digest(value)
        except Exception:  # a kind of tensor that can't be added up
            self.unseen += 1
            return EMPTY


class _Timed:
    """One call, from its beginning."""

    def __init__(self, number: int, before: dict[str, Digest]) -> None:
        self._number, self._before = number, before
        self._lookups, self._graphs = _dynamo.lookups(), _graphs()
        self._started = time.perf_counter()

    def ended(self, error: str = "") -> CompiledCall:
        seconds = time.perf_counter() - self._started
        hits, misses = _dynamo.lookups()
        return CompiledCall(
            number=self._number,
            before=self._before,
            seconds=seconds,
            hits=hits - self._lookups[0],
            misses=misses - self._lookups[1],
            graphs=max(0, _graphs() - self._graphs),  # a reset begins to count anew
            error=error,
        )


def _graphs() -> int:
    return _dynamo.counters().get("unique_graphs", 0)


def _state(holders: list[Holder], args: Any, kwargs: Any) -> dict[str, torch.Tensor]:
    modules = tuple(held for held in holders if isinstance(held, torch.nn.Module))
    state = state_of(modules, args, kwargs)
    for number, held in enumerate(holders):
        if isinstance(held, torch.optim.Optimizer):
            tensors = [tensor for group in held.param_groups for tensor in group["params"]]
            state |= {f"optimizer {number}[{at}]": tensor for at, tensor in enumerate(tensors)}
    slopes = {f"gradient of {name}": slope for name, slope in gradients(state).items()}
    return state | {name: slope for name, slope in slopes.items() if slope is not None}


def _optimizers(target: Any) -> Iterator[torch.optim.Optimizer]:
    """Those that a function reads from its closure or its globals, and that a method belongs to."""
    if isinstance(target, MethodType):
        things = [target.__self__]
    elif isinstance(target, FunctionType):
        names = target.__code__.co_names
        things = [target.__globals__.get(name) for name in names]
        things += [cell.cell_contents for cell in target.__closure__ or () if _is_bound(cell)]
    else:
        things = []
    yield from (thing for thing in things if isinstance(thing, torch.optim.Optimizer))


def _is_bound(cell: Any) -> bool:
    try:
        return cell.cell_contents is not None
    except ValueError:
        return False
