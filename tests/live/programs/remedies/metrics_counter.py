"""A running mean kept by a layer that counts its updates in a Python int."""

import torch
from torch import Tensor, nn


class RunningMean(nn.Module):
    """Centres its input by the mean of all that it has seen."""

    mean: Tensor

    def __init__(self, size: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(size))
        self.updates = 0

    def forward(self, x: Tensor) -> Tensor:
        self.updates += 1
        self.mean.add_((x.mean(dim=0) - self.mean) / self.updates)
        return x - self.mean


class Model(nn.Module):
    def __init__(self, size: int = 16) -> None:
        super().__init__()
        self.centre = RunningMean(size)
        self.head = nn.Linear(size, 4)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.centre(x))


@torch.no_grad()
def evaluate(batches: int) -> Tensor:
    torch.manual_seed(0)
    model = Model()
    compiled = torch.compile(model, backend="aot_eager")
    total = torch.zeros(4)
    for _ in range(batches):
        total = total + compiled(torch.randn(8, 16)).sum(dim=0)
    print(f"updates: {model.centre.updates}")
    return total


if __name__ == "__main__":
    print(f"{evaluate(16).sum():.4f}")
