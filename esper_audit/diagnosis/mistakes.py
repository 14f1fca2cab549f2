"""Common mistakes in a scenario, which make a verdict on its steps a wrong one."""

from __future__ import annotations

from esper_audit.data.compiles import Compile, Outcome
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase


def scenario_mistake(recording: Recording, compiled: int | None = None) -> Reason | None:
    """What is wrong with the scenario itself; None where nothing is.

    Wrong output outweighs it, a budget does not: what it counts is not what was meant.

    Args:
        recording: of a replay that came to its end.
        compiled: how many callables ``replay.compile`` has made; None where that is not known.
    """
    phases = {step.phase for step in recording.steps}
    outside = [made for made in recording.compiles if made.step is None]
    if Phase.STEADY not in phases and outside:
        names = tuple(dict.fromkeys(made.frame.name for made in outside))
        return Reason(why=Why.COMPILED_OUTSIDE, names=names)
    if not phases:
        return Reason(why=_without_a_step(compiled))
    if phases == {Phase.WARM_UP}:
        return Reason(why=Why.ALL_WARM_UP)
    if phases == {Phase.STEADY} and any(map(_is_first, recording.compiles)):
        return Reason(why=Why.NO_WARM_UP)
    return None


def _is_first(compile_: Compile) -> bool:
    return compile_.step is not None and compile_.outcome is Outcome.COMPILED


def _without_a_step(compiled: int | None) -> Why:
    if compiled is None:
        return Why.NO_STEP
    return Why.NEVER_CALLS if compiled else Why.NEVER_COMPILES
