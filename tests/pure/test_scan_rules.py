"""The rules of a scan: for each, source that hurts and source that is close to it and does not."""

from __future__ import annotations

from textwrap import dedent, indent

import pytest

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


# --- a float held in an attribute ---

BAKED = [
    "return torch.lerp(x, y, self.a)",
    "return torch.add(x, y, alpha=self.a)",
    "return x.clamp(max=self.a)",
    "return F.dropout(x, p=self.a, training=self.training)",
    "return F.leaky_relu(x, self.a)",
    "return x * torch.tensor(self.a)",
    "return x * torch.full((4,), self.a)",
    "return x.masked_fill(y, self.a)",
    "return torch.where(x > 0, x, self.a)",
    "a = self.a * 2\nreturn torch.lerp(x, y, a)",
    "a = float(self.a)\nreturn torch.lerp(x, y, 1 - a)",
    "return mix(x, y, self.a)",
    "return torch.lerp(x, y, weight=self.a)",
    "return x * x.new_full((4,), self.a)",
    "return x * torch.tensor([self.a, 1.0])",
]
SYMBOLIC = [
    "return x + self.a * (y - x)",
    "return x.mul(self.a)",
    "return torch.mul(x, self.a)",
    "return x * 2 if self.a > 0.5 else x",
    "return x / self.a",
    "return torch.lerp(x, y, x * self.a)",
    "return torch.zeros_like(x) + self.a",
]
MIX = "def mix(x, y, weight):\n    return torch.lerp(x, y, weight)\n"


@pytest.mark.parametrize("forward", BAKED)
def test_a_float_that_changes_is_found_where_it_is_baked_in(forward):
    text = MIX + module("self.a = alpha", forward, "m.a = rate")
    assert ids(text) == ["float-specialized"]


@pytest.mark.parametrize("forward", BAKED)
def test_a_float_that_never_changes_is_not_found(forward):
    assert ids(MIX + module("self.a = alpha", forward)) == []


@pytest.mark.parametrize("forward", SYMBOLIC)
def test_a_float_that_stays_symbolic_is_not_found(forward):
    assert ids(MIX + module("self.a = alpha", forward, "m.a = rate")) == []


def test_a_buffer_that_is_filled_is_not_found():
    init = 'self.register_buffer("a", torch.tensor(alpha))'
    assert ids(module(init, "return torch.lerp(x, y, self.a)", "m.a.fill_(rate)")) == []


def test_a_tensor_that_a_setter_makes_is_not_found():
    text = module(
        "self.a = torch.tensor(alpha)",
        "return torch.lerp(x, y, self.a)",
        "m.a = torch.tensor(rate)",
    )
    assert ids(text) == []


def test_what_only_construction_writes_does_not_change():
    text = module(
        "self.a = alpha\nself._setup()",
        "return torch.lerp(x, y, self.a)",
        methods="def _setup(self):\n    self.a = self.a * 2",
    )
    assert ids(text) == []


def test_a_write_on_another_class_with_the_same_attribute_is_no_writer():
    other = "class Other:\n    a = 0\ndef f(o: Other, rate):\n    o.a = rate\n"
    assert ids(other + module("self.a = alpha", "return torch.lerp(x, y, self.a)")) == []


def test_writers_are_found_in_other_files():
    text = module("self.a = alpha", "return torch.lerp(x, y, self.a)")
    (finding,) = found(text, "def anneal(model, rate):\n    model.a = rate\n")
    assert [writer.location.file for writer in finding.writers] == ["/nowhere/more_0.py"]


def test_a_float_that_is_returned_is_found_at_its_read():
    text = """
    class Source(nn.Module):
        def __init__(self):
            super().__init__()
            self.value = 0.0
        def write(self, value):
            self.value = value
        def read(self):
            return self.value
    class Arithmetic(Source):
        def mix(self, x, y, a):
            return x + a * (y - x)
    class Baked(Source):
        def read(self):
            return self.value
        def mix(self, x, y, a):
            return torch.lerp(x, y, a)
    class Host(nn.Module):
        def __init__(self, source: Source):
            super().__init__()
            self.source = source
        def forward(self, x, y):
            return self.source.mix(x, y, self.source.read())
    """
    (finding,) = found(text)
    assert (finding.owner, finding.subject, finding.operation) == (
        "Baked",
        "self.value",
        "torch.lerp",
    )
    assert "def read" in (HEAD + dedent(text)).splitlines()[finding.location.line - 2]


# --- an int held in an attribute ---


@pytest.mark.parametrize(
    ("init", "forward", "outside"),
    [
        ("self.n = 0", "self.n += 1\nreturn x * self.n", ""),
        ("self.n = 0", "self.n = self.n + 1\nreturn x", ""),
        ("self.n = 0", "return x * self.n", "m.n = step"),
        ("self.n = 0", "return x * self.n", "m.n += 1"),
        ("self.n = 0", "return x * torch.tensor(self.n)", "m.n = step"),
        (
            "self.longest = 0",
            "if x.shape[0] > self.longest:\n    self.longest = x.shape[0]\nreturn x",
            "",
        ),
    ],
)
def test_an_int_of_a_module_that_changes_is_found(init, forward, outside):
    assert ids(module(init, forward, outside)) == ["int-counter"]


@pytest.mark.parametrize(
    ("init", "forward", "outside"),
    [
        ("self.n = 0", "return x * self.n", ""),
        ("self.n = 0", "return x", "m.n = step"),
        ("self.n = 0", "self.n = x.shape[0]\nreturn x", ""),
        ('self.register_buffer("n", torch.zeros(()))', "self.n += 1\nreturn x * self.n", ""),
        ("self.size = 4", "return x.view(-1, self.size)", ""),
    ],
)
def test_an_int_that_no_call_finds_changed_is_not_found(init, forward, outside):
    assert ids(module(init, forward, outside)) == []


def test_an_int_that_a_setting_method_writes_is_not_found():
    methods = "def enable_tiling(self, size=4):\n    self.size = size"
    text = module("self.size = 8", "return x.view(-1, self.size)", methods=methods)
    assert ids(text + "\nM().enable_tiling(2)\n") == []


def test_an_int_that_a_loop_passes_to_a_method_is_found():
    methods = "def set_step(self, step):\n    self.step = step"
    text = module("self.step = 0", "return x * self.step", "m.set_step(step)", methods)
    assert ids(text) == ["int-counter"]


# --- caches ---


@pytest.mark.parametrize(
    ("init", "forward", "id_"),
    [
        ("self.c = None", "if self.c is None:\n    self.c = torch.ones(4)\nreturn x * self.c", "lazy-cache"),
        ("self.c = None", "if self.c is None or self.c.device != x.device:\n    self.c = x.new_ones(4)\nreturn x * self.c", "lazy-cache"),
        ("self.c = None", "if self.c is not None:\n    return self.c * x\nself.c = torch.cos(x)\nreturn x", "lazy-cache"),
        ("self.k = None", "if self.k is None:\n    self.k = x\nelse:\n    self.k = torch.cat([self.k, x])\nreturn self.k", "lazy-cache"),
        ("self.c = None", "return x * self.get()", "lazy-cache"),
        ("pass", 'if not hasattr(self, "c"):\n    self.c = torch.ones(4)\nreturn x * self.c', "attribute-presence"),
        ("self.c = {}", "n = x.shape[0]\nif n not in self.c:\n    self.c[n] = torch.ones(n)\nreturn x * self.c[n]", "container-changed"),
        ("self.last = None", "y = x if self.last is None else x + self.last\nself.last = x.detach()\nreturn y", "lazy-cache"),
    ],
)  # fmt: skip
def test_a_cache_that_forward_fills_is_found(init, forward, id_):
    methods = (
        "def get(self):\n    if self.c is None:\n        self.c = torch.ones(4)\n    return self.c"
    )
    assert ids(module(init, forward, methods=methods if "get()" in forward else "")) == [id_]


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ('self.register_buffer("c", torch.ones(4))', "return x * self.c"),
        ("self.c = torch.ones(4)", "if self.c is None:\n    return x\nreturn x * self.c"),
        ("self.c = None", "c = torch.ones(4) if self.c is None else self.c\nreturn x * c"),
        ("self.last = None", "self.last = x.detach()\nreturn x"),
        ("self.k = torch.zeros(4)", "self.k.copy_(x)\nreturn self.k"),
    ],
)
def test_what_forward_does_not_fill_is_no_cache(init, forward):
    assert ids(module(init, forward)) == []


def test_a_cache_that_is_filled_outside_of_forward_is_not_found():
    methods = "def prepare(self):\n    if self.c is None:\n        self.c = torch.ones(4)"
    assert ids(module("self.c = None", "return x * self.c", methods=methods)) == []


def test_a_cache_names_the_lines_that_drop_it():
    methods = "def reset(self):\n    self.c = None"
    forward = "if self.c is None:\n    self.c = torch.ones(4)\nreturn x * self.c"
    (finding,) = found(module("self.c = None", forward, methods=methods))
    assert [writer.in_forward for writer in finding.writers] == [True, False]


# --- other writes in forward ---


@pytest.mark.parametrize(
    ("init", "forward", "id_"),
    [
        ("self.seen = []", "self.seen.append(x.mean())\nreturn x", "container-changed"),
        ("self.first = True", "if self.first:\n    self.first = False\nreturn x", "flag-changed"),
        ("self.ema = 0.5", "self.ema = self.ema * 0.9\nreturn x * self.ema", "float-specialized"),
        (
            'self.mode = "a"',
            'y = x if self.mode == "a" else x + 1\nself.mode = "b"\nreturn y',
            "flag-changed",
        ),
    ],
)
def test_a_write_that_the_next_call_reads_is_found(init, forward, id_):
    assert ids(module(init, forward)) == [id_]


@pytest.mark.parametrize(
    ("init", "forward"),
    [
        ("self.flag = True", "self.flag = False\nreturn x"),
        ("self.shape = None", "self.shape = x.shape\nreturn x"),
        ("self.seen = []", "seen = []\nseen.append(x)\nreturn x"),
        ("self.layers = nn.ModuleList()", "for layer in self.layers:\n    x = layer(x)\nreturn x"),
        ("self.out = None", "self.out = x * 2\nreturn self.out"),
    ],
)
def test_a_write_that_no_call_reads_first_is_not_found(init, forward):
    assert ids(module(init, forward)) == []


def test_writes_in_a_method_that_forward_does_not_reach_are_not_found():
    methods = "def step(self):\n    self.n += 1\n    return self.n"
    assert ids(module("self.n = 0", "return x", methods=methods)) == []


def test_writes_in_a_function_that_the_compiler_leaves_are_not_found():
    methods = "@torch.compiler.disable\ndef count(self):\n    self.n += 1"
    assert ids(module("self.n = 0", "self.count()\nreturn x", methods=methods)) == []


@pytest.mark.parametrize(
    "forward",
    [
        "if not torch.compiler.is_compiling():\n    self.n += 1\nreturn x * 2",
        "if torch.compiler.is_compiling():\n    x = x * 2\nelse:\n    self.n += 1\nreturn x",
        "compiling = torch.compiler.is_compiling()\nif x is not y and not compiling:\n    self.n += 1\nreturn x",
    ],
)
def test_writes_that_compiled_code_leaves_out_are_not_found(forward):
    assert ids(module("self.n = 0", forward)) == []


def test_a_class_that_is_no_module_is_not_found():
    text = "class C:\n    def __init__(self):\n        self.n = 0\n    def forward(self, x):\n        self.n += 1\n        return x * self.n\n"
    assert ids(text) == []


# --- numbers of torch's own modules ---


@pytest.mark.parametrize(
    "outside",
    [
        "m.drop.p = rate",
        "m.drop.p *= 0.9",
        "for part in m.modules():\n    if isinstance(part, nn.Dropout):\n        part.p = rate",
    ],
)
def test_the_rate_of_a_dropout_that_is_set_is_found(outside):
    assert ids(module("self.drop = nn.Dropout(0.1)", "return self.drop(x)", outside)) == [
        "float-specialized"
    ]


@pytest.mark.parametrize("outside", ["m.drop.p = 0.0", "m.pool.p = rate", "p = rate"])
def test_another_p_and_a_constant_are_not_found(outside):
    init = "self.drop = nn.Dropout(0.1)\nself.pool = nn.LPPool2d(2, 2)"
    assert ids(module(init, "return self.drop(x)", outside)) == []


# --- early returns ---


def test_an_early_return_on_state_that_changes_is_found():
    text = module(
        "self.seed = None",
        "if self.seed is None:\n    return x\nreturn self.seed(x)",
        "m.seed = nn.Linear(4, 4)",
    )
    assert ids(text) == ["eager-empty-graph"]


@pytest.mark.parametrize(
    "forward",
    [
        "x = x * 2\nif self.seed is None:\n    return x\nreturn self.seed(x)",
        "if self.seed is None:\n    return x * 2\nreturn self.seed(x)",
        "if y is None:\n    return x\nreturn x * 2",
        "if self.fixed is None:\n    return x\nreturn x * 2",
        "if not self.training:\n    return x\nreturn x * 2",
    ],
)
def test_a_return_after_an_operation_or_on_fixed_state_is_not_found(forward):
    init = "self.seed = None\nself.fixed = None"
    assert ids(module(init, forward, "m.seed = nn.Linear(4, 4)")) == []


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
        ("DataLoader(data)", "torch.compile(f)", []),
        ("DataLoader(data, **options)", "torch.compile(f)", []),
        ("DataLoader(data, batch_sampler=batches)", "torch.compile(f)", []),
    ],
)
def test_a_last_batch_beside_compiled_code_is_found(loader, compiled, expected):
    text = f"from torch.utils.data import DataLoader\nloader = {loader}\ng = {compiled}\n"
    assert ids(text) == expected


def test_every_pattern_is_documented():
    from pathlib import Path

    from esper_audit.data.scans import Pattern

    text = (Path(__file__).parents[2] / "docs/reference/cli.md").read_text()
    assert [pattern for pattern in Pattern if f"| `{pattern}` |" not in text] == []
