from __future__ import annotations

from typing import Any

import torch

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, IN_FORWARD, NEW_TENSOR, cached_tensor, conv_case
from slot import cross_entropy, plain, train_step, without_cache


def _plain_train_step(step: Any, host: Any, *rest: Any) -> Any:
    return step(without_cache(host), *rest)


@scenario(
    params={"alpha": ALPHAS, "scope": ("host", "slot", "train_step")},
    claims=[CHANGE_SAFE],
)
def set_alpha_mid_rollout(replay: ReplaySession, alpha: str, scope: str) -> None:
    """Does a new alpha between two steps of one rollout recompile?"""
    host, images = conv_case(alpha)
    targets = torch.arange(4)
    if scope == "train_step":
        compiled = replay.compile(train_step, reference=_plain_train_step)

        def step() -> None:
            host.zero_grad()
            compiled.train(torch.Tensor.sum, host, images, targets)

    elif scope == "host":
        compiled = replay.compile(host, reference=plain)

        def step() -> None:
            host.zero_grad()
            compiled.train(cross_entropy(targets), images)

    else:
        compiled = replay.compile(host.slot, reference=plain)
        features = torch.randn(4, 8, 8, 8)

        def step() -> None:
            compiled(features)

    with replay.warm_up():
        for _ in range(3):
            step()
    for value in ramp(0.1, 0.9, 9):
        with replay.event(f"set_alpha({value:.1f})"):
            host.slot.set_alpha(value)
        before = cached_tensor(host.slot)
        step()
        after = cached_tensor(host.slot)
        if before is None and after is not None:
            replay.observe(IN_FORWARD, True, "the dropped tensor is back after one forward")
            replay.observe(NEW_TENSOR, True, "forward found no tensor and left a new one")
        step()
