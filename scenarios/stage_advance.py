from __future__ import annotations

import torch

from esper_audit import Budget, ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE
from slot import ConvHost, plain


# Each stage runs other code: one compile at germination, one in each of the four stages after it.
@scenario(
    params={"alpha": ALPHAS},
    budget=Budget(compiles_after_warm_up=5),
    claims=[CHANGE_SAFE],
)
def stage_advance(replay: ReplaySession, alpha: str) -> None:
    """What does a whole life cost, from dormant to fossilized, with alpha going up in between?"""
    torch.manual_seed(0)
    host, images = ConvHost(alpha=alpha), torch.randn(4, 3, 8, 8)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(images)
    with replay.event("germinate"):
        host.slot.germinate("depthwise")
    step(images)
    for stage in ("training", "blending"):
        with replay.event(stage):
            host.slot.advance_stage()
        if stage == "training":
            step(images)
            step(images)
    for value in ramp(0.1, 0.9, 9):
        with replay.event(f"set_alpha({value:.1f})"):
            host.slot.set_alpha(value)
        step(images)
    for stage in ("holding", "fossilized"):
        with replay.event(stage):
            host.slot.advance_stage()
        step(images)
        step(images)
