from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, CHANGE_SAFE, conv_case
from slot import cross_entropy, plain


@scenario(params={"alpha": ALPHAS}, claims=[CHANGE_SAFE])
def alpha_at_epoch_boundaries(replay: ReplaySession, alpha: str) -> None:
    """Is it harmless if alpha changes between epochs only, as step_epoch() does it?"""
    host, images = conv_case(alpha)
    loss = cross_entropy(torch.arange(4))
    optimizer = torch.optim.SGD(host.parameters(), lr=0.01)
    step = replay.compile(host, reference=plain)

    def train() -> None:
        optimizer.zero_grad()
        step.train(loss, images)
        optimizer.step()

    with replay.warm_up():
        for _ in range(3):
            train()
    host.slot.set_alpha_target(0.95, steps=9, curve="cosine")
    for epoch in range(9):
        with replay.event(f"epoch {epoch + 1}"):
            host.slot.step_epoch()
        train()
        train()
