"""A key/value cache of two attributes that grows by one entry at each call.

Truth: 2 recompiles (None -> tensor, then size 1 -> 2 makes the dimension dynamic), then reused. The
second one's cause is the size of both tensors, changed together; it has converged: no storm.
"""

from typing import Any

import torch


class Attention(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.k: Any = None
        self.v: Any = None
        self.project = torch.nn.Linear(8, 16)

    def forward(self, x):
        k, v = self.project(x).chunk(2, dim=-1)
        if self.k is not None:
            k, v = torch.cat([self.k, k], dim=1), torch.cat([self.v, v], dim=1)
        self.k, self.v = k, v
        return torch.softmax(x @ k.transpose(1, 2), dim=-1) @ v


step = torch.compile(Attention(), backend="aot_eager")
with torch.no_grad():
    for _ in range(30):
        step(torch.randn(1, 1, 8))
