"""The eager twin of a step: what it should give, and how far it is from what it gave."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import torch

from esper_audit import _dynamo
from esper_audit.events import Comparison, Location
from esper_audit.replay.compare import (
    CannotCompare,
    Result,
    difference,
    gradients,
    state_of,
    versions,
)
from esper_audit.replay.snapshot import CannotCopy, Snapshot, same_randomness


@dataclass(frozen=True)
class Twin:
    """The expected result, or why there is none.

    ``written`` names the tensors that the twin wrote in place; ``operations`` are the user's
    lines that ran a tensor operation, where they were asked for.
    """

    result: Result | None = None
    failure: str = ""
    written: tuple[str, ...] = ()
    operations: Mapping[Location, None] = field(default_factory=dict)


def run_twin(
    target: Callable[..., Any],
    reference: Callable[..., Any] | None,
    loss: Callable[..., Any] | None,
    args: Any,
    kwargs: Any,
    locate: bool,
) -> Twin:
    """Compute on copies; whatever goes wrong there is told, not raised.

    Compiled functions that the target calls run eagerly too: compiling them for the twin would
    change what torch counts.
    """
    try:
        twin = Snapshot.take(target, args, kwargs, loss)
        state = state_of(twin.modules, twin.args, twin.kwargs)
        before = versions(state)
        inputs = twin.args if reference is None else (twin.target, *twin.args)
        lines: AbstractContextManager[dict[Location, None]] = (
            _dynamo.operation_lines() if locate and reference is None else nullcontext({})
        )
        with same_randomness(), torch.compiler.set_stance("force_eager"), lines as operations:
            output = (reference or twin.target)(*inputs, **twin.kwargs)
            if twin.loss is not None:
                value = twin.loss(output)
                value.backward()
                output = (output, value.detach())
    except CannotCopy as error:
        return Twin(failure=str(error))
    except Exception as error:
        return Twin(failure=f"raised {type(error).__name__}: {error}")
    after = versions(state)
    written = tuple(name for name, count in after.items() if before.get(name) != count)
    return Twin(Result(output, gradients(state), state), "", written, operations)


def comparisons_of(
    found: Result, against: str, twin: Twin, tolerances: Mapping[str, tuple[float, float]]
) -> Iterator[Comparison]:
    """Output, gradients and written tensors of a step, held against its twin's."""
    if twin.result is None:
        yield Comparison(against, "output", None, twin.failure)
        return
    wanted = twin.result
    pairs: dict[str, tuple[Any, Any]] = {"output": (found.output, wanted.output)}
    if any(gradient is not None for gradient in wanted.gradients.values()):
        pairs["gradients"] = (found.gradients, wanted.gradients)
    if twin.written and against == "eager":
        pairs["state"] = (_only(found.state, twin.written), _only(wanted.state, twin.written))
    for what, (actual, expected) in pairs.items():
        yield _comparison(against, what, actual, expected, tolerances)


def _only(
    state: Mapping[str, torch.Tensor], names: tuple[str, ...]
) -> dict[str, torch.Tensor | None]:
    return {name: state.get(name) for name in names}


def _comparison(
    against: str,
    what: str,
    actual: Any,
    expected: Any,
    tolerances: Mapping[str, tuple[float, float]],
) -> Comparison:
    try:
        detail = difference(actual, expected, tolerances, what)
    except CannotCompare as error:
        return Comparison(against, what, None, str(error))
    except Exception as error:  # a comparison of the user's own that raises
        return Comparison(against, what, None, f"raised {type(error).__name__}: {error}")
    return Comparison(against, what, not detail, detail)
