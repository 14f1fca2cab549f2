from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, MOVES_COST_NOTHING, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[MOVES_COST_NOTHING])
def dtype_move_and_back(replay: ReplaySession, alpha: str) -> None:
    """Does moving to another dtype and back recompile, once both have been seen?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)

    def visit(dtype: torch.dtype) -> None:
        with replay.event(f"to({dtype})".replace("torch.", "")):
            host.to(dtype)
        step(images.to(dtype))
        step(images.to(dtype))

    with replay.warm_up():
        for dtype in (torch.float32, torch.float64, torch.float32):
            visit(dtype)
    for dtype in (torch.float64, torch.float32) * 3:
        visit(dtype)
