"""Drop_prob of the i-th block ramps with the epoch; a python `if` on it and on training.

Truth: drop_prob is written by set_drop_path, and the guard is an expression over it (1 -
drop_prob): the source is the attribute, in whatever expression it stands, and its writer is
known. grad mode has two values: no storm.
"""

import torch
from torch import nn


class DropPath(nn.Module):
    def __init__(self, p=0.0):
        super().__init__()
        self.drop_prob = p

    def forward(self, x):
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep = 1 - self.drop_prob
        return x * x.new_empty((x.shape[0], 1)).bernoulli_(keep) / keep


class Block(nn.Module):
    def __init__(self, p):
        super().__init__()
        self.lin, self.path = nn.Linear(4, 4), DropPath(p)

    def forward(self, x):
        return x + self.path(self.lin(x))


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.blocks = nn.ModuleList(Block(0.0) for _ in range(3))

    def set_drop_path(self, rate):
        for i, b in enumerate(self.blocks):
            b.path.drop_prob = rate * i / 2

    def forward(self, x):
        for b in self.blocks:
            x = b(x)
        return x


torch.manual_seed(0)
net = ViT()
step = torch.compile(net, backend="aot_eager")
for epoch in range(4):
    net.set_drop_path(0.1 * epoch)
    step(torch.ones(2, 4)).sum().backward()
    net.eval()
    with torch.no_grad():
        step(torch.ones(2, 4))
    net.train()
print("ok")
