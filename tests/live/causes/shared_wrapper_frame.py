"""Three torch modules compiled one by one (regional compile of library layers): torch's wrapper frame is shared.

Truth: five modules of torch, each compiled on its own, share the frame of torch's wrapper: 4
recompiles, none of them a change of anything. Each is compiled for the first time: other-
instance, in words that fit (several compiled callables share one code object and its limit).
"""

import torch
from torch import nn

torch.manual_seed(0)
parts = [
    nn.Linear(4, 4),
    nn.GELU(),
    nn.LayerNorm(4),
    nn.Linear(4, 4),
    nn.Sequential(nn.Linear(4, 4), nn.ReLU()),
]
fast = [torch.compile(p, backend="aot_eager") for p in parts]
for _ in range(3):
    x = torch.ones(2, 4)
    for f in fast:
        x = f(x)
print("ok")
