"""What a scan finds around torch.compile, each beside source that does not hurt."""

from __future__ import annotations

from pathlib import Path

import pytest
from scan_builders import found, ids

from esper_audit.data.scans import Pattern

# --- optimizers ---

STEP = """
opt = torch.optim.SGD(params, lr={lr})
{compiled}
def train(rates):
    for rate in rates:
        for group in opt.param_groups:
            group["lr"] = {value}
        step()
"""
COMPILED = "@torch.compile\ndef step():\n    opt.step()\n"


@pytest.mark.parametrize(
    "compiled",
    [
        COMPILED,
        "step = torch.compile(opt.step)",
        "step = torch.compile(lambda: opt.step())",
        "def step():\n    opt.step()\nstep = torch.compile(step)",
    ],
)
def test_a_learning_rate_that_is_a_float_beside_a_compiled_step_is_found(compiled):
    assert ids(STEP.format(lr="0.1", compiled=compiled, value="rate")) == ["float-specialized"]


@pytest.mark.parametrize(
    ("compiled", "value"),
    [
        ("def step():\n    opt.step()", "rate"),
        (COMPILED, "torch.tensor(rate)"),
        ("@torch.compile\ndef step():\n    return params[0] * 2", "rate"),
    ],
)
def test_a_learning_rate_that_compiled_code_does_not_read_is_not_found(compiled, value):
    assert ids(STEP.format(lr="0.1", compiled=compiled, value=value)) == []


@pytest.mark.parametrize(
    ("lr", "expected"), [("0.1", ["float-specialized"]), ("torch.tensor(0.1)", [])]
)
def test_a_scheduler_beside_a_compiled_step_is_found_unless_lr_is_a_tensor(lr, expected):
    text = (
        f"opt = torch.optim.Adam(params, lr={lr})\nplan = torch.optim.lr_scheduler.StepLR(opt, 1)\n"
    )
    assert ids(text + COMPILED) == expected


# --- torch.compile ---

AGAIN = [
    ("for x in xs:\n    torch.compile(f)(x)", "backend-changed"),
    ("for x in xs:\n    g = torch.compile(f)\n    g(x)", "backend-changed"),
    ("for b in names:\n    torch.compile(f, backend=b)(x)", "backend-changed"),
    ("for k in ks:\n    torch.compile(lambda t: t.clamp(max=k))(x)", "captured-variable"),
    ("while True:\n    torch.compile(f)(x)", "backend-changed"),
    ("def step(x):\n    return torch.compile(f)(x)", "backend-changed"),
    ("class M(nn.Module):\n    def forward(self, x):\n        return torch.compile(self.inner)(x)", "backend-changed"),
    ("def run(x):\n    return torch.compile(f, backend=lambda gm, _: gm.forward)(x)", "backend-changed"),
    ("for x in xs:\n    torch.compile(f, backend=make_backend())(x)", "backend-changed"),
    ("for x in xs:\n    def mine(gm, inputs):\n        return gm.forward\n    torch.compile(f, backend=mine)(x)", "backend-changed"),
]  # fmt: skip
ONCE = [
    "g = torch.compile(f)\nfor x in xs:\n    g(x)",
    "for part in parts:\n    part = torch.compile(part)",
    "for i, part in enumerate(parts):\n    parts[i] = torch.compile(part)",
    "compiled = [torch.compile(part) for part in parts]",
    "def build(f):\n    return torch.compile(f, backend='eager')",
    "def get():\n    global g\n    if g is None:\n        g = torch.compile(f)\n    return g",
    "for b in names:\n    torch._dynamo.reset()\n    torch.compile(f, backend=b)(x)",
    "for _ in range(3):\n    if g is None:\n        g = torch.compile(f)\n    g(x)",
    "for pattern in patterns:\n    re.compile('a')",
    "g = torch.compile(f, backend=make_backend())",
    "class M(nn.Module):\n    def forward(self, x):\n        if self.fast is None:\n            self.fast = torch.compile(self.slow)\n        return x",
]


@pytest.mark.parametrize(("text", "id_"), AGAIN)
def test_compiling_again_is_found(text, id_):
    assert ids(text) == [id_]


@pytest.mark.parametrize("text", ONCE)
def test_compiling_once_is_not_found(text):
    assert [
        finding.pattern.value
        for finding in found(f"import re\n{text}")
        if "compile" in finding.pattern
    ] == []


LAYERS = """
class Layer(nn.Module):
    def __init__(self, index):
        super().__init__()
        self.index = index
    def forward(self, x, cache):
        return x + cache[self.index]
class Model(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList([Layer(i) for i in range(12)])
    def forward(self, x, cache):
        for layer in self.layers:
            x = layer(x, cache)
        return x
model = Model()
"""


def test_an_index_of_layers_that_are_compiled_one_by_one_is_found():
    assert ids(LAYERS + "for layer in model.layers:\n    layer.compile()\n") == ["other-instance"]


@pytest.mark.parametrize("more", ["", "model = torch.compile(model)\n", "model.compile()\n"])
def test_an_index_of_layers_that_are_compiled_together_is_not_found(more):
    assert ids(LAYERS + more) == []


# --- last batches ---


@pytest.mark.parametrize(
    ("loader", "compiled", "expected"),
    [
        ("DataLoader(data, batch_size=32)", "torch.compile(f)", ["size-changed"]),
        ("DataLoader(data, 32, drop_last=False)", "torch.compile(f)", ["size-changed"]),
        ("DataLoader(data, batch_size=32, drop_last=True)", "torch.compile(f)", []),
        ("DataLoader(data, batch_size=32)", "torch.compile(f, dynamic=True)", []),
        ("DataLoader(data, batch_size=32)", "f", []),
        ("DataLoader(data, batch_size=32)", "model.compile()", ["size-changed"]),
        ("DataLoader(data, batch_size=32)", "re.compile('a')", []),
        ("DataLoader(data)", "torch.compile(f)", []),
        ("DataLoader(data, **options)", "torch.compile(f)", []),
        ("DataLoader(data, batch_sampler=batches)", "torch.compile(f)", []),
    ],
)
def test_a_last_batch_beside_compiled_code_is_found(loader, compiled, expected):
    text = f"from torch.utils.data import DataLoader\nloader = {loader}\ng = {compiled}\n"
    assert ids(text) == expected


def test_every_pattern_is_documented():

    text = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    assert [pattern for pattern in Pattern if f"| `{pattern}` |" not in text] == []
