"""What ticket B3-PT-06 claims, and the cases that the scenarios share."""

from __future__ import annotations

import torch
from torch import Tensor

from esper_audit import Claim
from slot import STRATEGIES, ConvHost, SeedSlot, grown
from slot.strategies import LazyCache

TICKET = {"alpha": "lazy_cache"}

IN_FORWARD = Claim(
    "validated-in-forward",
    "Cache validation is in forward()",
    source="B3-PT-06, Evidence, row 1",
    about=TICKET,
)
PERF_COMMENT = Claim(
    "perf-comment",
    "A PERF comment acknowledges it",
    source="B3-PT-06, Evidence, row 2",
    about=TICKET,
    untestable="a comment can't be run",
)
NEW_TENSOR = Claim(
    "new-tensor-on-miss",
    "A cache miss creates a new tensor",
    source="B3-PT-06, Evidence, row 3",
    about=TICKET,
)
STEADY_STATE_SAFE = Claim(
    "steady-state-safe",
    "Steady-state forward passes are safe",
    source="B3-PT-06, Evidence, row 4",
    about=TICKET,
)
INVALIDATED_OUTSIDE = Claim(
    "invalidated-outside",
    "The cache is only invalidated outside compiled forward passes",
    source="B3-PT-06, Verification, box 1",
    about=TICKET,
)
CHANGE_SAFE = Claim(
    "alpha-change-safe",
    "torch.compile copes with alpha changes mid-training",
    source="B3-PT-06, Verification, box 2",
    about=TICKET,
)

# Beyond the ticket: what this suite asks of any slot, whatever its strategy.

MOVES_COST_NOTHING = Claim(
    "moves-cost-nothing",
    "What has been seen once costs nothing when it comes back: devices, dtypes, sizes, overrides",
    source="reference suite",
    about=TICKET,
)
DORMANT_COMPILES = Claim(
    "dormant-compiles",
    "A slot compiled alone while dormant runs compiled once a seed grows in it",
    source="reference suite",
    about=TICKET,
)

START = 0.05
"""Alpha in warm-up: none of the values that scenarios change to."""

ALPHAS = tuple(STRATEGIES)


def conv_case(alpha: str, slots: int = 1) -> tuple[ConvHost, Tensor]:
    """A convolutional host whose slots blend at START, and a batch of images (4, 3, 8, 8)."""
    torch.manual_seed(0)
    host = ConvHost(alpha=alpha, slots=slots)
    for slot in host.slots:
        assert isinstance(slot, SeedSlot)
        grown(slot, "depthwise", START)
    return host, torch.randn(4, 3, 8, 8)


def cached_tensor(slot: SeedSlot) -> Tensor | None:
    """What the ticket's pattern caches; None for every other strategy."""
    return slot.alpha_source._cached if isinstance(slot.alpha_source, LazyCache) else None
