"""Caches, writes and early returns that a scan finds, each beside source that does not hurt."""

from __future__ import annotations

import pytest
from scan_builders import found, ids, module

# --- caches ---


@pytest.mark.parametrize(
    ("init", "forward", "id_"),
    [
        ("self.c = None", "if self.c is None:\n    self.c = torch.ones(4)\nreturn x * self.c", "lazy-cache"),
        ("self.c = None", "if self.c is None or self.c.device != x.device:\n    self.c = x.new_ones(4)\nreturn x * self.c", "lazy-cache"),
        ("self.c = None", "if self.c is not None:\n    return self.c * x\nself.c = torch.cos(x)\nreturn x", "lazy-cache"),
        ("self.k = None", "if self.k is None:\n    self.k = x\nelse:\n    self.k = torch.cat([self.k, x])\nreturn self.k", "lazy-cache"),
        ("self.c = None", "return x * self.get()", "lazy-cache"),
        ("self.c = {}", "m = self.c.get(4)\nif m is None:\n    m = torch.ones(4)\n    self.c[4] = m\nreturn x * m", "container-changed"),
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
        ('self.stats = {"calls": 0}', 'self.stats["calls"] += 1\nreturn x', "int-counter"),
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
        ("self.m = None", "self.m = self.m.to(x) if self.m is not None else None\nreturn x"),
        ("self.mode = 'a'", "self.switch()\nreturn x if self.mode == 'a' else x * 2"),
        ("self.size = 4", "self.shrink(x)\nreturn x[: self.size]"),
    ],
)
def test_a_write_that_no_call_reads_first_is_not_found(init, forward):
    methods = (
        "def switch(self):\n    self.mode = 'b'\ndef shrink(self, x):\n    self.size = x.shape[0]"
    )
    assert ids(module(init, forward, methods=methods)) == []


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
