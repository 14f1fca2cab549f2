"""A stack of layers, each compiled on its own, that differ in a number: their place."""

import torch
from torch import Tensor, nn


class Layer(nn.Module):
    """Deeper layers add less to the stream."""

    def __init__(self, size: int, index: int) -> None:
        super().__init__()
        self.index = index
        self.mix = nn.Linear(size, size)

    def forward(self, x: Tensor) -> Tensor:
        return x + torch.relu(self.mix(x)) / (self.index + 1)


@torch.no_grad()
def run(layers: int, calls: int) -> Tensor:
    torch.manual_seed(0)
    stack = [Layer(16, index) for index in range(layers)]
    for layer in stack:
        layer.compile(backend="aot_eager")
    x = torch.randn(4, 16)
    for _ in range(calls):
        for layer in stack:
            x = torch.tanh(layer(x))
    return x


if __name__ == "__main__":
    print(f"{run(12, 3).sum():.4f}")
