"""Training with a compiled optimizer step and a schedule of learning rates."""

import torch
from torch import Tensor, nn


def train(steps: int) -> Tensor:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)

    @torch.compile(backend="aot_eager")
    def step() -> None:
        optimizer.step()

    inputs = torch.randn(32, 8)
    targets = inputs.sum(dim=1, keepdim=True)
    for _ in range(steps):
        optimizer.zero_grad(set_to_none=False)
        loss = nn.functional.mse_loss(model(inputs), targets)
        loss.backward()
        step()
        scheduler.step()
    return loss.detach()


if __name__ == "__main__":
    print(f"{train(14):.4f}")
