"""Training with stochastic depth whose rate rises with each epoch."""

import torch
from torch import Tensor, nn


class DropPath(nn.Module):
    """Drops whole samples of a residual branch in training."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.rate == 0.0:
            return x
        keep = 1.0 - self.rate
        mask = (keep + torch.rand(x.shape[0], 1)).floor()
        return x / keep * mask


class Block(nn.Module):
    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.mix = nn.Linear(size, size)
        self.drop = DropPath(0.1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.drop(torch.relu(self.mix(x)))


def train(epochs: int) -> Tensor:
    torch.manual_seed(0)
    model = Block()
    compiled = torch.compile(model, backend="aot_eager")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05)
    data = torch.randn(4, 8, 16)
    for epoch in range(epochs):
        model.drop.rate = 0.1 + 0.05 * epoch
        for batch in data:
            loss = compiled(batch).square().mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
    return loss.detach()


if __name__ == "__main__":
    print(f"{train(6):.4f}")
