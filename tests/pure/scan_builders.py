"""Source for the rules of a scan, and what they find in it."""

from __future__ import annotations

from textwrap import dedent, indent

from esper_audit.source.project import Project
from esper_audit.source.scan import scan

HEAD = "import torch\nfrom torch import nn\nimport torch.nn.functional as F\n"


def found(text, *more):
    """``id`` and line of each finding in a file of this text."""
    texts = {"model.py": HEAD + dedent(text)}
    texts |= {f"more_{number}.py": HEAD + dedent(one) for number, one in enumerate(more)}
    report = scan(Project("/nowhere", (), texts), ["/nowhere/model.py"])
    assert report.unread == ()
    return report.findings


def ids(text, *more):
    return sorted({finding.id.value for finding in found(text, *more)})


def module(init, forward, outside="", methods=""):
    """A module with these bodies, and lines of a training loop."""
    text = f"class M(nn.Module):\n    def __init__(self, alpha: float = 0.5):\n        super().__init__()\n{indent(dedent(init), ' ' * 8)}\n"
    text += f"    def forward(self, x, y=None):\n{indent(dedent(forward), ' ' * 8)}\n"
    text += f"{indent(dedent(methods), ' ' * 4)}\n"
    text += f"def train(m: M, rates, x):\n    for step, rate in enumerate(rates):\n        m(x)\n{indent(dedent(outside), ' ' * 8)}\n"
    return text
