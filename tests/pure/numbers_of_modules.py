"""Modules that hold a number, for the tests of patches."""

from __future__ import annotations

from patching import clean

BLEND = """
    import torch


    class Blend(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.alpha = 0.0  # the start

        def forward(self, x):
            return torch.lerp(x, -x, self.alpha)  # <-


    model = Blend()
    step = torch.compile(model)
    for alpha in (0.1, 0.2):
        model.alpha = alpha  # one after another
        step(torch.ones(4))
"""


def in_forward(body: str, start: str = "self.a = 0.5", more: str = "") -> str:
    """A module whose forward has this body; ``more`` stands below the class."""
    lines = body.strip().split("\n")
    return clean("""
        import math
        import torch
        import torch.nn.functional as F
        from torch import nn


        class M(nn.Module):
            def __init__(self, start=1.0):
                super().__init__()
                {start}

            def forward(self, x, y):
                {body}


        {more}
    """).format(start=start, body="\n        ".join(lines), more=more)
