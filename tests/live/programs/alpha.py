"""The ticket's pattern as a program: warm-up, then alpha changes."""

import sys

import torch
from torch import nn

import esper_audit


class Slot(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.alpha = 0.5
        self.cached = None

    def set_alpha(self, value):
        self.alpha = value
        self.cached = None

    def forward(self, x):
        if self.cached is None:
            self.cached = torch.tensor(self.alpha)
        return torch.lerp(x, self.linear(x), self.cached)


def main(changes):
    slot = Slot()
    step = torch.compile(slot, backend="aot_eager")
    x = torch.ones(2, 4)
    step(x)
    step(x)
    esper_audit.steady_state()
    for number in range(changes):
        esper_audit.step(f"alpha {number}")
        slot.set_alpha(number / 10)
        step(x)
        step(x)


if __name__ == "__main__":
    main(int(sys.argv[1]))
