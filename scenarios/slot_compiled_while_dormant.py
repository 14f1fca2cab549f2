from __future__ import annotations

import torch

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, DORMANT_COMPILES, START
from slot import SeedSlot, Stage, plain


@scenario(params={"alpha": ALPHAS}, claims=[DORMANT_COMPILES])
def slot_compiled_while_dormant(replay: ReplaySession, alpha: str) -> None:
    """Is a slot that was compiled alone while dormant still compiled once a seed grows in it?"""
    torch.manual_seed(0)
    slot, features = SeedSlot(8, alpha), torch.randn(4, 8, 8, 8)
    step = replay.compile(slot, reference=plain)
    with replay.warm_up():
        step(features)
        slot.germinate("depthwise")
        while slot.stage is not Stage.BLENDING:
            slot.advance_stage()
        slot.set_alpha(START)
        step(features)
        step(features)
    for value in ramp(0.1, 0.9, 9):
        with replay.event(f"set_alpha({value:.1f})"):
            slot.set_alpha(value)
        step(features)
