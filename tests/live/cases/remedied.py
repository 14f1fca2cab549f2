"""A number that is a constant of the compiled code, and one that a cache keeps."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from esper_audit import ReplaySession, scenario


class Scaled(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 0.5

    def set_scale(self, value: float) -> None:
        self.scale = value

    def forward(self, x: Tensor) -> Tensor:
        return torch.lerp(x, torch.cos(x), self.scale)


@scenario
def scale_set(replay: ReplaySession) -> None:
    torch.manual_seed(0)
    module, x = Scaled(), torch.randn(8)
    step = replay.compile(module)
    with replay.warm_up():
        step(x)
        step(x)
    for value in (0.1, 0.2, 0.3, 0.4):
        with replay.event(f"set_scale({value})"):
            module.set_scale(value)
        step(x)
        step(x)
