"""Smallest: a dict argument grows by one key (iterated).

Truth: one recompile: d has 3 keys, was 2. The old value is "2 keys" (or 2), not "!= 2".
"""

import torch


@torch.compile(backend="aot_eager")
def total(d):
    return sum(d.values())


a = torch.ones(2)
total({"x": a, "y": a})
total({"x": a, "y": a, "z": a})
