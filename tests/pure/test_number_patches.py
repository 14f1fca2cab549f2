"""A number of a module becomes a buffer: which lines change."""

from __future__ import annotations

import pytest
from numbers_of_modules import BLEND, in_forward
from patching import clean, made, refusal, writer

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches.numbers import make

INT = Diagnosis.INT_COUNTER


def test_the_attribute_itself_becomes_the_buffer() -> None:
    after = made(make, BLEND, "self.alpha")[0]["a.py"]
    expected = clean(BLEND).replace(
        "self.alpha = 0.0", 'self.register_buffer("alpha", torch.tensor(0.0), persistent=False)'
    )
    assert after == expected.replace("model.alpha = alpha", "model.alpha.fill_(alpha)")


def test_a_reader_of_the_number_keeps_it_beside_the_buffer() -> None:
    remedies = made(make, BLEND + "    print(model.alpha)\n", "self.alpha")
    after = remedies[0]["a.py"]
    assert "model.alpha = alpha  # one after another" in after
    assert "torch.lerp(x, -x, self._alpha_tensor)  # <-" in after
    property_ = """
    @property
    def alpha(self) -> float:
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = value
        self._alpha_tensor.fill_(value)

    def forward(self, x):
"""
    assert property_ in after
    assert "self.alpha = 0.0  # the start" in after


def test_a_further_candidate_takes_the_dtype_of_the_other_operand() -> None:
    texts = [remedy["a.py"] for remedy in made(make, BLEND, "self.alpha")]
    assert any("torch.lerp(x, -x, self.alpha.to(x.dtype))" in text for text in texts)


def test_a_patched_file_is_not_patched_again() -> None:
    after = made(make, BLEND + "    print(model.alpha)\n", "self.alpha")[0]["a.py"]
    assert refusal(make, after, "self.alpha").ground is Ground.NO_PATTERN


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("x * self.a", "x * {a}"),
        ("torch.tensor(self.a)", "{a}"),
        (
            "torch.tensor(self.a, device=x.device, dtype=x.dtype)",
            "{a}.to(device=x.device, dtype=x.dtype)",
        ),
        ("x * torch.tensor(self.a * 2 + 1, dtype=x.dtype)", "x * ({a} * 2 + 1).to(dtype=x.dtype)"),
        ("x / torch.tensor(self.a * 2)", "x / ({a} * 2)"),
        ("x.new_full((), self.a)", "{a}.to(x)"),
        ("x.new_full((2, 3), self.a)", "{a}.to(x).expand((2, 3)).clone()"),
        ("x.new_tensor(self.a)", "{a}.to(x)"),
        ("torch.full_like(x, self.a)", "{a}.to(x).expand_as(x).clone()"),
        (
            "torch.full((4,), self.a, device=x.device)",
            "{a}.to(device=x.device).expand((4,)).clone()",
        ),
        ("torch.add(x, y, alpha=self.a)", "torch.add(x, (y) * ({a}))"),
        ("x.add(y + 1, alpha=self.a)", "x.add((y + 1) * ({a}))"),
        ("x * min(self.a / 100, 1.0)", "x * ({a} / 100).clamp(max=1.0)"),
        ("x * max(0.1, self.a)", "x * ({a}).clamp(min=0.1)"),
        ("x * math.cos(math.pi * self.a)", "x * torch.cos(math.pi * {a})"),
        ("x * float(self.a)", "x * ({a}).float()"),
        ("F.leaky_relu(x, self.a)", "torch.where(x >= 0, x, x * ({a}))"),
        ("x.clamp(max=self.a)", "x.clamp(max={a})"),
        ("x.clamp(0.0, self.a)", "x.clamp(min=0.0).clamp(max={a})"),
        ("torch.clamp(x, min=-1.0, max=self.a)", "x.clamp(min=-1.0).clamp(max={a})"),
        ("x.masked_fill(y > 0, self.a)", "x.masked_fill(y > 0, {a})"),
        ("x ** self.a", "x ** {a}"),
    ],
)
def test_what_stands_around_the_number_takes_a_tensor(line: str, expected: str) -> None:
    after = made(make, in_forward(f"return {line}  # <-"), "self.a")[0]["a.py"]
    assert f"return {expected.format(a='self.a')}  # <-\n" in after


def test_a_local_name_of_the_number_is_followed() -> None:
    body = "a = self.a  # <-\nreturn x * torch.tensor(a, dtype=x.dtype)"
    after = made(make, in_forward(body), "self.a")[0]["a.py"]
    assert "a = self.a  # <-\n        return x * a.to(dtype=x.dtype)\n" in after


def test_a_fresh_tensor_that_is_written_is_a_copy_of_the_buffer() -> None:
    body = "t = torch.tensor(self.a)  # <-\nt += x.mean()\nreturn t"
    assert "t = self.a.clone()" in made(make, in_forward(body), "self.a")[0]["a.py"]


@pytest.mark.parametrize(
    ("test", "expected", "answer"),
    [
        ("if self.a > 0:", "if self._a_over_0:", "self._a_over_0 = value > 0"),
        (
            "if self.a == 0.0 or x.dim() > 2:",
            "if self._a_is_0 or x.dim() > 2:",
            "self._a_is_0 = value == 0.0",
        ),
        ("if 0.5 <= self.a:", "if self._a_at_least_0_5:", "self._a_at_least_0_5 = value >= 0.5"),
        ("if self.a:", "if self._a_is_set:", "self._a_is_set = bool(value)"),
        ("if not self.a:", "if not self._a_is_set:", "self._a_is_set = bool(value)"),
    ],
)
def test_a_branch_reads_an_answer_that_is_kept_beside_the_number(
    test: str, expected: str, answer: str
) -> None:
    body = f"{test}\n    x = x + 1\nreturn x * self.a  # <-"
    after = made(make, in_forward(body), "self.a")[0]["a.py"]
    assert f"{expected}\n            x = x + 1\n        return x * self._a_tensor" in after
    assert (
        f"        self._a = value\n        {answer}\n        self._a_tensor.fill_(value)" in after
    )


def test_a_number_that_only_decides_a_branch_needs_no_tensor() -> None:
    after = made(make, in_forward("return x * 2 if self.a > 0 else x  # <-"), "self.a")[0]["a.py"]
    assert "return x * 2 if self._a_over_0 else x" in after
    assert "torch.tensor" not in after


def test_a_branch_on_something_computed_keeps_its_number() -> None:
    body = "if self.a > x.size(0):\n    x = x + 1\nreturn x * self.a  # <-"
    after = made(make, in_forward(body), "self.a")[0]["a.py"]
    assert "if self.a > x.size(0):" in after
    assert "return x * self._a_tensor  # <-" in after


def test_a_counter_in_forward_counts_in_place() -> None:
    body = "self.n += 1  # <-\nreturn x * self.n"
    text = in_forward(body, "self.n = 0")
    after = made(make, text, "self.n", INT, values=("1", "2"))[0]["a.py"]
    assert 'self.register_buffer("n", torch.tensor(0), persistent=False)' in after
    assert "self.n.add_(1)  # <-\n        return x * self.n\n" in after


def test_a_counter_that_is_read_outside_is_read_from_the_buffer() -> None:
    body = "self.n = self.n + 1  # <-\nreturn x"
    text = in_forward(body, "self.n = 0", "print(M().n)")
    after = made(make, text, "self.n", INT, values=("1", "2"))[0]["a.py"]
    assert "self._n_tensor.add_(1)  # <-\n" in after
    assert "return int(self._n_tensor)\n" in after
    assert "print(M().n)" in after


def test_a_number_computed_from_itself_is_copied_in_place() -> None:
    body = "self.a = 0.9 * self.a + 0.1  # <-\nreturn x * self.a"
    after = made(make, in_forward(body), "self.a")[0]["a.py"]
    assert "self.a.copy_(0.9 * self.a + 0.1)  # <-\n" in after


def test_an_initial_value_that_is_no_literal_becomes_a_float() -> None:
    """A tensor of an int would cut off what is written to it later."""
    for start in ("self.a = start", "self.a = 1"):
        after = made(make, in_forward("return x * self.a  # <-", start), "self.a")[0]["a.py"]
        value = start.partition(" = ")[2]
        assert f'register_buffer("a", torch.tensor(float({value})), persistent=False)' in after


def test_a_default_of_the_class_moves_to_init() -> None:
    text = """
        from torch import nn


        class M(nn.Module):
            \"\"\"Doc.\"\"\"

            scale = 0.5

            def forward(self, x):
                return x * self.scale  # <-
    """
    after = made(make, text, "self.scale")[0]["a.py"]
    assert after.startswith("import torch\nfrom torch import nn\n")
    assert "scale = 0.5" not in after
    init = """
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.register_buffer("scale", torch.tensor(0.5), persistent=False)

    def forward(self, x):
"""
    assert init in after


BASE = {
    "base.py": """
        from torch import nn


        class Base(nn.Module):
            def __init__(self, value=0.0):
                super().__init__()
                self.value = value

            def write(self, value):
                self.value = value
    """,
    "sub.py": """
        import torch
        from base import Base


        class Fresh(Base):
            def read(self, like):
                return torch.tensor(self.value, dtype=like.dtype)  # <-


        class Plain(Base):
            def report(self):
                return f"{self.value:.2f}"
    """,
}


def test_the_buffer_is_made_in_the_base_class_that_sets_the_number() -> None:
    after = made(make, BASE, "self.strategy.value")[0]
    assert "return self._value_tensor.to(dtype=like.dtype)  # <-" in after["sub.py"]
    assert 'return f"{self.value:.2f}"' in after["sub.py"]
    assert "import torch\nfrom torch import nn\n" in after["base.py"]
    assert "@value.setter" in after["base.py"]


def test_writers_of_any_kind_work_through_the_property() -> None:
    more = "m = M()\nm.a, b = 0.7, 1\nsetattr(m, 'a', 0.1)"
    after = made(make, in_forward("return x * self.a  # <-", more=more), "self.a")[0]["a.py"]
    assert "m.a, b = 0.7, 1\nsetattr(m, 'a', 0.1)" in after
    assert "return x * self._a_tensor" in after


def test_the_same_name_in_another_class_is_left_alone() -> None:
    more = "class Other:\n    def __init__(self):\n        self.a = 3\n\n\nprint(Other().a)"
    after = made(make, in_forward("return x * self.a  # <-", more=more), "self.a")[0]["a.py"]
    assert more in after


def test_windows_line_ends_and_an_untouched_rest_stay() -> None:
    text = clean(BLEND).replace("\n", "\r\n")
    after = made(make, {"a.py": text}, "self.alpha")[0]["a.py"]
    assert after.replace("\r\n", "").count("\n") == 0
    assert after.endswith("\n    step(torch.ones(4))\r\n")


def test_a_number_of_a_plain_object_becomes_a_tensor() -> None:
    text = """
        import torch
        from torch import nn


        class Config:
            def __init__(self, alpha=0.5):
                self.alpha = alpha


        class M(nn.Module):
            def __init__(self):
                super().__init__()
                self.config = Config()

            def forward(self, x):
                return torch.lerp(x, -x, self.config.alpha)  # <-


        def change(config: Config):
            config.alpha = 0.7
    """
    after = made(make, text, "self.config.alpha")[0]["a.py"]
    assert "self.alpha = torch.tensor(float(alpha))\n" in after
    assert "torch.lerp(x, -x, self.config.alpha)" in after
    assert "config.alpha.fill_(0.7)" in after


@pytest.mark.parametrize(
    ("more", "after"),
    [
        ("m = M()\nm.a = 0.7", "m.a.fill_(0.7)"),
        ("m = M()\nstep = torch.compile(m)\nstep.a = 0.7", "step.a.fill_(0.7)"),
        ("for m in parts:\n    if isinstance(m, M):\n        m.a *= 0.5", "m.a.mul_(0.5)"),
        ("def decay(m: M):\n    m.a -= 0.1", "m.a.sub_(0.1)"),
    ],
)
def test_a_writer_of_a_known_object_fills_the_buffer(more: str, after: str) -> None:
    text = made(make, in_forward("return x * self.a  # <-", more=more), "self.a")[0]["a.py"]
    assert after in text


def test_a_writer_of_an_unknown_object_stays_as_it_is() -> None:
    """It may be a namespace of arguments: the property serves whatever it is."""
    more = "args.a = 0.7\nfor m in parts:\n    m.a = 0.1"
    text = made(make, in_forward("return x * self.a  # <-", more=more), "self.a")[0]["a.py"]
    assert more in text
    assert "@a.setter" in text


def test_a_writer_that_the_recording_names_fills_the_buffer() -> None:
    text = clean(in_forward("return x * self.a  # <-", more="for m in parts:\n    m.a = 0.1"))
    line = text.split("\n").index("    m.a = 0.1") + 1
    after = made(make, text, "self.a", writers=(writer(line),))[0]["a.py"]
    assert "m.a.fill_(0.1)" in after
