"""How seed features enter the host's: ``add``, ``multiply`` or ``gate``."""

from __future__ import annotations

from torch import Tensor, nn

from slot.strategies import AlphaStrategy


class AddBlend(nn.Module):
    """Linear interpolation: ``h + a * (m - h)``."""

    def __init__(self, width: int) -> None:  # noqa: ARG002  # all blends are built alike
        super().__init__()

    def forward(
        self, host: Tensor, seed: Tensor, alpha: Tensor | float, strategy: AlphaStrategy
    ) -> Tensor:
        return strategy.mix(host, seed, alpha)


class MultiplyBlend(nn.Module):
    """Modulation that starts as the identity: ``h * (1 + a * tanh(m))``."""

    def __init__(self, width: int) -> None:  # noqa: ARG002
        super().__init__()

    def forward(
        self,
        host: Tensor,
        seed: Tensor,
        alpha: Tensor | float,
        strategy: AlphaStrategy,  # noqa: ARG002
    ) -> Tensor:
        return host * (1.0 + alpha * seed.tanh())


class GateBlend(nn.Module):
    """Interpolation by alpha times a learned gate in (0, 1), one a sample."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gate = nn.Linear(width, 1)

    def forward(
        self,
        host: Tensor,
        seed: Tensor,
        alpha: Tensor | float,
        strategy: AlphaStrategy,  # noqa: ARG002
    ) -> Tensor:
        channels_last = host.flatten(2).mean(2) if host.dim() == 4 else host.mean(1)
        gate = self.gate(channels_last).sigmoid()
        gate = gate.reshape(-1, *[1] * (host.dim() - 1))
        return host + alpha * gate * (seed - host)


BLENDS: dict[str, type[nn.Module]] = {
    "add": AddBlend,
    "multiply": MultiplyBlend,
    "gate": GateBlend,
}
