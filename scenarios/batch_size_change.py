from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, MOVES_COST_NOTHING, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[MOVES_COST_NOTHING])
def batch_size_change(replay: ReplaySession, alpha: str) -> None:
    """Does a new batch size recompile, once small and large ones have been seen?"""
    host, _ = conv_case(alpha)
    step = replay.compile(host, reference=plain)
    # A convolution on the CPU chooses its kernel by whether the batch reaches 16, and torch guards
    # on that (torch/_subclasses/fake_impls.py, conv, 2.13).
    with replay.warm_up():
        for size in (4, 4, 8, 8, 16, 16):
            step(torch.randn(size, 3, 8, 8))
    for size in (16, 5, 12, 7, 3, 24, 4, 8, 9):
        with replay.event(f"batch of {size}"):
            images = torch.randn(size, 3, 8, 8)
        step(images)
