from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import (
    ALPHAS,
    INVALIDATED_OUTSIDE,
    MOVES_COST_NOTHING,
    cached_tensor,
    conv_case,
)
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[MOVES_COST_NOTHING])
def autocast_on_and_off(replay: ReplaySession, alpha: str) -> None:
    """Does switching autocast on and off recompile, once both have been seen?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)

    def visit(enabled: bool) -> None:
        with replay.event(f"autocast {'on' if enabled else 'off'}"):
            pass
        with torch.autocast("cpu", torch.bfloat16, enabled=enabled):
            before = cached_tensor(host.slot)
            step(images)
            after = cached_tensor(host.slot)
            step(images)
        if before is not None and after is not None and before.dtype != after.dtype:
            replay.observe(
                INVALIDATED_OUTSIDE,
                False,
                f"under autocast, forward itself replaced the {_name(before)} tensor by a"
                f" {_name(after)} one",
            )

    with replay.warm_up():
        for enabled in (False, True, False, True):
            visit(enabled)
    for enabled in (False, True) * 3:
        visit(enabled)


def _name(tensor: torch.Tensor) -> str:
    return str(tensor.dtype).removeprefix("torch.")
