"""Diffusion sampling: the timestep is a Python int, set on the model before each step."""

import torch
from torch import Tensor, nn


class Sampler(nn.Module):
    """Predicts noise, and takes a step against it."""

    betas: Tensor

    def __init__(self, steps: int, size: int = 16) -> None:
        super().__init__()
        self.predict = nn.Sequential(nn.Linear(size + 1, 32), nn.SiLU(), nn.Linear(32, size))
        self.register_buffer("betas", torch.linspace(1e-4, 0.02, steps))
        self.timestep = steps - 1

    def forward(self, x: Tensor) -> Tensor:
        when = torch.full((x.shape[0], 1), self.timestep, dtype=x.dtype)
        noise = self.predict(torch.cat((x, when / 50), dim=-1))
        return (x - self.betas[self.timestep] * noise) / (1 - self.betas[self.timestep]).sqrt()


@torch.no_grad()
def sample(steps: int) -> Tensor:
    torch.manual_seed(0)
    model = Sampler(steps)
    step = torch.compile(model, backend="aot_eager")
    x = torch.randn(4, 16)
    for timestep in reversed(range(steps)):
        model.timestep = timestep
        x = step(x)
    return x


if __name__ == "__main__":
    print(f"{sample(24).sum():.4f}")
