from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, MOVES_COST_NOTHING, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[MOVES_COST_NOTHING])
def device_move_and_back(replay: ReplaySession, alpha: str) -> None:
    """Does moving to another device and back recompile, once both have been seen?"""
    host, images = conv_case(alpha)
    devices = (replay.second_device(), torch.device("cpu"))
    step = replay.compile(host, reference=plain)

    def visit(device: torch.device) -> None:
        with replay.event(f"to({device.type})"):
            host.to(device)
        with torch.no_grad():
            step(images.to(device))
            step(images.to(device))

    with replay.warm_up():
        visit(torch.device("cpu"))
        for device in devices:
            visit(device)
    for device in devices * 3:
        visit(device)
