"""Common mistakes in a scenario, which make a verdict on its steps a wrong one."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.compiles import Compile, Outcome
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase

_MOST_NAMES = 3


def scenario_mistake(recording: Recording, compiled: int | None = None) -> str:
    """What is wrong with the scenario itself, and what to do; empty where nothing is.

    Wrong output outweighs it, a budget does not: what it counts is not what was meant.

    Args:
        recording: of a replay that came to its end.
        compiled: how many callables ``replay.compile`` has made; None where that is not known.
    """
    phases = {step.phase for step in recording.steps}
    outside = [each for each in recording.compiles if each.step is None]
    if Phase.STEADY not in phases and outside:
        return _outside(outside)
    if not phases:
        return _no_step(compiled)
    if phases == {Phase.WARM_UP}:
        return (
            "every step ran inside `with replay.warm_up():`, so no step shows whether compiled code"
            " is reused: call the step again after that block"
        )
    if phases == {Phase.STEADY} and any(map(_is_first, recording.compiles)):
        return (
            "no step ran inside `with replay.warm_up():`, so the first compile counts as one after"
            " warm-up: call the step inside that block first (`replay.compile` itself compiles"
            " nothing yet)"
        )
    return ""


def _is_first(compile_: Compile) -> bool:
    return compile_.step is not None and compile_.outcome is Outcome.COMPILED


def _outside(compiles: Sequence[Compile]) -> str:
    names = list(dict.fromkeys(each.frame.name for each in compiles))
    more = ", …" if len(names) > _MOST_NAMES else ""
    return (
        f"torch compiled {', '.join(names[:_MOST_NAMES])}{more} outside of every step, where"
        " nothing is audited: compile it with `replay.compile(...)` instead of"
        " `torch.compile(...)`, and call what that returns, after warm-up too"
    )


def _no_step(compiled: int | None) -> str:
    if compiled == 0:
        return (
            "it never calls `replay.compile`, so there is no step to audit: compile a module or"
            " function with it, and call what it returns"
        )
    if compiled:
        return (
            "it never calls what `replay.compile` returned, so there is no step to audit: each such"
            " call is one"
        )
    return (
        "no step ran, so there is nothing to audit: compile a module or function with"
        " `replay.compile`, and call what it returns"
    )
