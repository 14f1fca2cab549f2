from __future__ import annotations

import torch

from esper_audit import ReplaySession, ramp, scenario
from scenarios.ticket import ALPHAS, MOVES_COST_NOTHING, conv_case
from slot import plain


@scenario(params={"alpha": ALPHAS}, claims=[MOVES_COST_NOTHING])
def alpha_override_rows(replay: ReplaySession, alpha: str) -> None:
    """Do new values in alpha_override recompile, with one row and with several?"""
    host, images = conv_case(alpha)
    step = replay.compile(host, reference=plain)
    with replay.warm_up():
        for rows in (4, 1, 4, 1):
            step(images, torch.full((rows,), 0.5))
    for value in ramp(0.1, 0.9, 9):
        with replay.event(f"{value:.1f}, one row"):
            one = torch.full((1,), value)
        step(images, one)
        with replay.event(f"{value:.1f}, four rows"):
            four = torch.linspace(0.0, value, 4)
        step(images, four)
