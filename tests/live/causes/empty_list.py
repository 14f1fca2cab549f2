"""Smallest: a list argument that is empty first.

Truth: extra: empty -> 1 item -> 2 items; the fourth call reuses the first entry. The old value
is "empty" (or 0), not "not L[...]".
"""

import torch


@torch.compile(backend="aot_eager")
def total(x, extra):
    for e in extra:
        x = x + e
    return x * 2


a = torch.ones(2)
total(a, [])
total(a, [a])
total(a, [a, a])
total(a, [])
