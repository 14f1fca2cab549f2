from __future__ import annotations

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, conv_case
from slot import SeedSlot, plain


@scenario(params={"alpha": ALPHAS}, claims=[CHANGE_SAFE])
def two_slots_in_one_host(replay: ReplaySession, alpha: str) -> None:
    """Do two slots share the recompile limit of the host that they sit in?"""
    host, images = conv_case(alpha, slots=2)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(images)
    for number, value in enumerate(ramp(0.1, 0.95, 18)):
        slot = host.slots[number % 2]
        assert isinstance(slot, SeedSlot)
        with replay.event(f"slot {number % 2}: set_alpha({value:.2f})"):
            slot.set_alpha(value)
        step(images)
        step(images)
