"""A compiled optimizer step with a learning-rate scheduler.

    esper-audit exec examples/optimizer_schedule.py float
    esper-audit exec examples/optimizer_schedule.py tensor

The scheduler writes a new learning rate after each step. Adam takes it as a Python float or as a
tensor; the report says which of them recompiles.
"""

import sys

import torch
from torch import nn

import esper_audit

STEPS = 12


def main(kind: str) -> None:
    torch.manual_seed(0)
    model = nn.Linear(8, 8)
    rate = torch.tensor(0.1) if kind == "tensor" else 0.1
    optimizer = torch.optim.Adam(model.parameters(), lr=rate, capturable=kind == "tensor")
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimizer, gamma=0.9)

    @torch.compile(backend="aot_eager", fullgraph=False)
    def update() -> None:
        optimizer.step()

    x = torch.ones(4, 8)
    for number in range(STEPS):
        if number == 4:
            esper_audit.steady_state()
        esper_audit.step(f"update {number}")
        optimizer.zero_grad()
        model(x).square().mean().backward()
        update()
        schedule.step()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "float")
