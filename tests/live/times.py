"""A small function to compile, each of whose values of ``k`` is a compile of its own."""

from __future__ import annotations

import torch

X = torch.ones(2)


def compiled_times():
    def times(x, k):
        return torch.relu(x) * k

    return torch.compile(times, backend="eager", dynamic=False)


def run(function, values=(1.0, 2.0)):
    for value in values:
        function(X, value)
