"""A train step over a host, as one function, so that it can be compiled as a whole."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


def train_step(host: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Forward and loss of one batch of class targets (B,); the caller runs backward on the loss."""
    loss: Tensor = nn.functional.cross_entropy(host(inputs), targets)
    return loss


def cross_entropy(targets: Tensor) -> Callable[[Tensor], Tensor]:
    """A loss of scores (B, classes) against fixed class targets (B,)."""

    def loss(scores: Tensor) -> Tensor:
        return nn.functional.cross_entropy(scores, targets)

    return loss
