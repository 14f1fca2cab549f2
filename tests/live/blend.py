"""A module that caches a tensor made of a float, as small as can be, and what drives it."""

from __future__ import annotations

import torch
from torch import nn


class Blend(nn.Module):
    """The ticket's pattern, as small as can be."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.alpha = 0.5
        self.cached = None

    def set_alpha(self, value):
        self.alpha = value
        self.cached = None

    def forward(self, x):
        if self.cached is None:
            self.cached = torch.tensor(self.alpha)
        return torch.lerp(x, self.linear(x), self.cached)


def drive(module, values, backend="aot_eager"):
    compiled, x = torch.compile(module, backend=backend), torch.ones(2, 4)
    compiled(x)
    compiled(x)
    for value in values:
        module.set_alpha(value)
        compiled(x)
        compiled(x)
