from __future__ import annotations

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, START, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[CHANGE_SAFE])
def set_alpha_to_same_value(replay: ReplaySession, alpha: str) -> None:
    """Does set_alpha() recompile even if the value stays the same?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(images)
    for _ in range(9):
        with replay.event(f"set_alpha({START})"):
            host.slot.set_alpha(START)
        step(images)
