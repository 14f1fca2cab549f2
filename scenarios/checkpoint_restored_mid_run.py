from __future__ import annotations

import copy

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, START, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[CHANGE_SAFE])
def checkpoint_restored_mid_run(replay: ReplaySession, alpha: str) -> None:
    """Does restoring a checkpoint with another alpha recompile?"""
    host, images = conv_case(alpha)
    checkpoints = []
    for value in ramp(0.1, 0.9, 9):
        host.slot.set_alpha(value)
        checkpoints.append((value, copy.deepcopy(host.state_dict())))
    host.slot.set_alpha(START)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(images)
    for value, saved in checkpoints:
        with replay.event(f"restore alpha {value:.1f}"):
            host.load_state_dict(saved)
        step(images)
        step(images)
