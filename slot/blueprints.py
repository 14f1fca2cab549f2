"""What can grow in a slot: small networks that keep the shape of the host's features."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor, nn


class ConvBlock(nn.Module):
    """3x3 convolution, batch norm, ReLU. Features are (batch, channels, height, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)
        self.norm = nn.BatchNorm2d(width)

    def forward(self, features: Tensor) -> Tensor:
        return self.norm(self.conv(features)).relu()


class DepthwiseBlock(nn.Module):
    """Depthwise 3x3, then pointwise 1x1: a ninth of the parameters of a full convolution."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(width, width, 3, padding=1, groups=width)
        self.pointwise = nn.Conv2d(width, width, 1)

    def forward(self, features: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(features)).relu()


class ChannelAttention(nn.Module):
    """Scales channels by a gate computed from their means (squeeze and excitation)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        hidden = max(1, width // 4)
        self.squeeze = nn.Linear(width, hidden)
        self.excite = nn.Linear(hidden, width)

    def forward(self, features: Tensor) -> Tensor:
        means = features.mean(dim=(2, 3))
        gate = self.excite(self.squeeze(means).relu()).sigmoid()
        return features * gate[:, :, None, None]


class TokenMLP(nn.Module):
    """A position-wise MLP. Features are (batch, tokens, width)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)

    def forward(self, features: Tensor) -> Tensor:
        return self.down(nn.functional.gelu(self.up(self.norm(features))))


class TokenAttention(nn.Module):
    """Single-head self-attention over the tokens."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, features: Tensor) -> Tensor:
        query, key, value = self.mix(features).chunk(3, dim=-1)
        return self.out(nn.functional.scaled_dot_product_attention(query, key, value))


BLUEPRINTS: dict[str, Callable[[int], nn.Module]] = {
    "conv": ConvBlock,
    "depthwise": DepthwiseBlock,
    "channel_attention": ChannelAttention,
    "token_mlp": TokenMLP,
    "token_attention": TokenAttention,
}
"""By name; each takes the number of channels or the token width."""
