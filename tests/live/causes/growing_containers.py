"""A ModuleList that grows, a dict that is passed again with one more key, a function replaced.

Truth: one recompile each, written by the append, the entry of the dict, the entry of REGISTRY.
"""

import torch
from torch import nn


class Gan(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList([nn.Linear(2, 2)])

    def forward(self, x):
        for block in self.blocks:
            x = block(x)
        return x


def grow(model):
    model.blocks.append(nn.Linear(2, 2))


gan = Gan()
step = torch.compile(gan, backend="aot_eager")
x = torch.ones(2, 2)
step(x)
grow(gan)
step(x)


@torch.compile(backend="aot_eager")
def total(stats):
    return sum(stats.values())


stats = {"loss": x}
total(stats)
stats["accuracy"] = x
total(stats)

REGISTRY = {"op": lambda x: x + 1}


@torch.compile(backend="aot_eager")
def apply(x):
    return REGISTRY["op"](x)


def register(name, function):
    REGISTRY[name] = function


apply(x)
register("op", lambda x: x * 2)
apply(x)
