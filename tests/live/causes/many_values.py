"""Nine alphas, then another mode: by then the recompile limit is hit, and nothing compiles."""

import torch


@torch.compile(backend="aot_eager")
def blend(x, alpha, mode):
    y = torch.lerp(x, x * 2, alpha)
    return y + 1 if mode == "late" else y


for number in range(9):
    blend(torch.ones(3), number / 10, "early")
blend(torch.ones(3), 0.0, "late")
