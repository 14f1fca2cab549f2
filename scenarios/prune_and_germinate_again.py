from __future__ import annotations

from esper_audit import Budget, ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, conv_case
from slot import Stage, plain


# The empty slot and the new seed each run other code: one compile each.
@scenario(
    params={"alpha": ALPHAS, "seed": ("same", "other")},
    budget=Budget(compiles_after_warm_up=2),
    claims=[CHANGE_SAFE],
)
def prune_and_germinate_again(replay: ReplaySession, alpha: str, seed: str) -> None:
    """What does it cost to prune a seed and grow another, of the same blueprint or a new one?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(images)
    with replay.event("prune"):
        host.slot.prune()
    step(images)
    step(images)
    while host.slot.stage is not Stage.DORMANT:
        host.slot.step_epoch()
    with replay.event("germinate again"):
        host.slot.germinate("depthwise" if seed == "same" else "channel_attention")
        host.slot.advance_stage()
        host.slot.advance_stage()
    for value in ramp(0.1, 0.9, 9):
        with replay.event(f"set_alpha({value:.1f})"):
            host.slot.set_alpha(value)
        step(images)
