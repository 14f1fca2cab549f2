"""A module with every kind of state that guards read, for tests of who wrote it."""

from __future__ import annotations

import torch
from torch import nn


class Slot(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.alpha = 0.5
        self.settings = {"mode": "fast"}
        self.scales = [1.0]
        self.act = nn.ReLU()

    def set_alpha(self, value):
        self.alpha = value

    def forward(self, x):
        out = torch.lerp(x, self.linear(x), self.alpha)
        if self.settings["mode"] == "exact":
            out = out * 2
        for scale in self.scales:
            out = out * scale
        return self.act(out)


SET_ALPHA = Slot.set_alpha.__code__.co_firstlineno + 1
