"""Numbers that a scan finds: each beside source that is close to it and does not hurt."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent

import pytest
from scan_builders import HEAD, found, ids, module

from esper_audit.source.project import Project
from esper_audit.source.scan import scan

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
    "return x + torch.linspace(0, self.a, 4)",
    "return x + torch.arange(0, self.a, 0.1)",
    "return torch.fmod(x, self.a)",
    "return x * math.exp(-self.a)",
    "return x * math.log(self.a)",
]
SYMBOLIC = [
    "return x + self.a * (y - x)",
    "return x.mul(self.a)",
    "return torch.mul(x, self.a)",
    "return x * 2 if self.a > 0.5 else x",
    "return x / self.a",
    "return F.gumbel_softmax(x, tau=self.a)",
    "return x * math.sqrt(self.a)",
    "return x * math.tanh(self.a) * self.a**0.5",
    "return torch.lerp(x, y, x * self.a)",
    "return torch.zeros_like(x) + self.a",
]
MIX = "import math\n\ndef mix(x, y, weight):\n    return torch.lerp(x, y, weight)\n"


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


@pytest.mark.parametrize(
    ("made", "is_baked"),
    [
        ("x**self.a", True),
        ("x % self.a", True),
        ("x // self.a", True),
        ("self.a - x", True),
        ("x - self.a", False),
        ("self.a / x", False),
        ("self.a**2 * x", False),
    ],
)
def test_an_operator_on_a_tensor_is_found_where_it_bakes_a_float_in(made, is_baked):
    text = module("self.a = alpha", f"return {made}", "m.a = rate")
    text = text.replace("def forward(self, x,", "def forward(self, x: torch.Tensor,")
    assert ids(text) == ["float-specialized"] * is_baked


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


def test_the_reference_slot_shows_what_its_audits_show():
    root = Path(__file__).parents[2] / "slot"
    findings = scan(Project(root), [str(path) for path in root.glob("*.py")]).findings
    assert {(finding.owner, finding.id.value, finding.subject) for finding in findings} == {
        ("SeedSlot", "eager-empty-graph", "self.seed, self.stage"),
        ("LazyCache", "lazy-cache", "self._cached"),
        ("LazyCache", "float-specialized", "self.value"),
        ("FreshTensor", "float-specialized", "self.value"),
        ("PythonFloat", "float-specialized", "self.value"),
    }
