from __future__ import annotations

import torch

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[CHANGE_SAFE])
def force_alpha_and_back(replay: ReplaySession, alpha: str) -> None:
    """Does a counterfactual evaluation under force_alpha() recompile, there or on the way back?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)
    with replay.warm_up(), torch.no_grad():
        for _ in range(3):
            step(images)
    with torch.no_grad():
        for value in ramp(0.1, 0.9, 9):
            with replay.event(f"force_alpha({value:.1f})"):
                forced = host.slot.force_alpha(value)
            with forced:
                step(images)
            with replay.event("back"):
                pass
            step(images)
