"""A module-level cache that the first call fills.

Truth: one recompile. Two guards of one entry fail for it (a key is there, the length is another);
it counts once, as one change of ROPE: empty -> 1 entry. No storm, no forecast.
"""

import torch

ROPE: dict[int, torch.Tensor] = {}


@torch.compile(backend="aot_eager")
def rotary(x):
    n = x.shape[0]
    if n not in ROPE:
        ROPE[n] = torch.arange(n, dtype=torch.float32)[:, None]
    return x * ROPE[n]


for _ in range(4):
    rotary(torch.randn(2, 4))
