"""10 blocks with an int layer_idx; the first gets input without grad.

Truth: 7 recompiles, then the recompile limit. self.layer_idx (0 -> 1, 2, ... 7, and 8 at the
limit) takes part in all of them, x.requires_grad (False -> True) in the first alone. The cause
is layer_idx: an int attribute that differs from block to block.
"""

import torch
from torch import nn


class Block(nn.Module):
    def __init__(self, layer_idx):
        super().__init__()
        self.layer_idx = layer_idx
        self.lin = nn.Linear(4, 4)

    def forward(self, x):
        return self.lin(x) * (1 + self.layer_idx)


torch.manual_seed(0)
blocks = nn.ModuleList(Block(i) for i in range(10))
for b in blocks:
    b.compile(backend="aot_eager")
for _ in range(2):
    x = torch.ones(2, 4)
    for b in blocks:
        x = b(x)
print("ok")
