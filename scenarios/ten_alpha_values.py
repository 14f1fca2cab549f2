from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE
from slot import AlphaStrategy, build_strategy


class NewFull(AlphaStrategy):
    """``h.new_full((), alpha)`` at each call."""

    def read(self, like: Tensor) -> Tensor:
        return like.new_full((), self.value)


class Blend(nn.Module):
    """The smallest module of the ticket's kind: ``Linear``, then a blend with alpha."""

    def __init__(self, alpha: str) -> None:
        super().__init__()
        self.linear = nn.Linear(8, 8)
        self.strategy = NewFull(0.5) if alpha == "new_full" else build_strategy(alpha, 0.5)

    def forward(self, features: Tensor) -> Tensor:
        alpha = self.strategy.read(features)
        return self.strategy.mix(features, self.linear(features), alpha)


@scenario(params={"alpha": (*ALPHAS, "new_full")}, claims=[CHANGE_SAFE])
def ten_alpha_values(replay: ReplaySession, alpha: str) -> None:
    """How many graphs do ten new alpha values compile, in a module of one layer?"""
    torch.manual_seed(0)
    module, features = Blend(alpha), torch.randn(4, 8)

    def plainly(copy: Blend, x: Tensor) -> Tensor:
        return torch.lerp(x, copy.linear(x), copy.strategy.value)

    step = replay.compile(module, reference=plainly)
    with replay.warm_up():
        for _ in range(3):
            step(features)
    for number in range(10):
        value = round(0.07 + number * 0.09, 2)
        with replay.event(f"alpha {value:.2f}"):
            module.strategy.write(value)
        step(features)
        step(features)
