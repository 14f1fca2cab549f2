"""A compiled numpy preprocessing function: arrays of other lengths and dtypes, and numpy scalars.

Truth: 3 recompiles: rows 4 -> 5, rows 6 -> 1, dtype float32 -> float64, all of the argument
frame. The source is frame, and the call line passed it.
"""

import numpy as np
import torch


@torch.compile(backend="aot_eager")
def normalise(frame, gain):
    return (frame - frame.mean()) * gain


for n in (4, 5, 6, 1):
    out = normalise(np.ones((n, 3), dtype=np.float32), np.float32(0.5))
for g in (0.25, 0.125, 2.0):
    out = normalise(np.ones((5, 3), dtype=np.float32), np.float32(g))
out = normalise(np.ones((5, 3), dtype=np.float64), np.float32(0.5))
print(type(out), out.shape)
