from __future__ import annotations

import torch

from esper_audit import ReplaySession, scenario
from scenarios.ticket import ALPHAS, STEADY_STATE_SAFE, conv_case
from slot import TransformerHost, grown, plain


@scenario(params={"alpha": ALPHAS, "host": ("conv", "transformer")}, claims=[STEADY_STATE_SAFE])
def steady_state(replay: ReplaySession, alpha: str, host: str) -> None:
    """Does anything recompile while alpha stays as it is?"""
    module, x = conv_case(alpha) if host == "conv" else transformer_case(alpha)
    step = replay.compile(module, reference=plain)
    with replay.warm_up():
        for _ in range(3):
            step(x)
    for _ in range(8):
        step(x)


def transformer_case(alpha: str) -> tuple[TransformerHost, torch.Tensor]:
    """A transformer host whose slot blends at 0.5, and a batch of token ids (4, 6)."""
    torch.manual_seed(0)
    host = TransformerHost(alpha=alpha)
    grown(host.slot, "token_mlp", 0.5)
    return host, torch.randint(32, (4, 6))
