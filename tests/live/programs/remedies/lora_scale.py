"""Sampling with a LoRA adapter whose strength changes between pictures."""

import torch
from torch import Tensor, nn


class LoraLinear(nn.Module):
    """A linear layer and a low-rank change to it, scaled by a number."""

    def __init__(self, size: int, rank: int = 4) -> None:
        super().__init__()
        self.base = nn.Linear(size, size)
        self.down = nn.Linear(size, rank, bias=False)
        self.up = nn.Linear(rank, size, bias=False)
        self.scale = 1.0

    def set_scale(self, scale: float) -> None:
        self.scale = scale

    def forward(self, x: Tensor) -> Tensor:
        return torch.add(self.base(x), self.up(self.down(x)), alpha=self.scale)


class Denoiser(nn.Module):
    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.first = LoraLinear(size)
        self.second = LoraLinear(size)

    def forward(self, x: Tensor) -> Tensor:
        return self.second(torch.relu(self.first(x)))


@torch.no_grad()
def sample() -> Tensor:
    torch.manual_seed(0)
    model = Denoiser()
    compiled = torch.compile(model, backend="aot_eager")
    x = torch.randn(4, 16)
    for scale in (1.0, 0.8, 0.6, 0.4, 0.2, 0.1):
        model.first.set_scale(scale)
        model.second.set_scale(scale)
        for _ in range(3):
            x = x - 0.1 * compiled(x)
    return x


if __name__ == "__main__":
    print(f"{sample().sum():.4f}")
