"""A cache that forward fills becomes a buffer: which lines change, and where nothing is made."""

from __future__ import annotations

import pytest
from patching import clean, made, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches import uncached
from esper_audit.remedies.patches.lazy_cache import make
from esper_audit.remedies.patches.refused import Unconcerned

CACHE = Diagnosis.LAZY_CACHE

ALPHA = """
    import torch
    from torch import Tensor, nn


    class Alpha(nn.Module):
        def __init__(self, value: float = 0.0) -> None:
            super().__init__()
            self.value = value
            self.held: Tensor | None = None

        def write(self, value: float) -> None:
            self.held = None  # gone
            self.value = value

        def forget(self) -> None:
            self.held = None

        def read(self, like: Tensor) -> Tensor:
            \"\"\"Of its type.\"\"\"
            if self.held is None or self.held.dtype != like.dtype:  # <-
                # fill it
                self.held = torch.tensor(self.value, device=like.device, dtype=like.dtype)
            return self.held

        def forward(self, x):
            return x * self.read(x)
"""


def causal(fill: str, init: str = "self.mask = None", test: str = "self.mask is None") -> str:
    """A module with a mask."""
    lines = f"\n{' ' * 12}".join(fill.split("\n"))
    return clean("""
        import torch
        from torch import nn


        class Causal(nn.Module):
            def __init__(self, n=4):
                super().__init__()
                {init}
                self.n = n

            def forward(self, x):
                if {test}:  # <-
                    {lines}
                return x @ self.mask
    """).format(init=init, test=test, lines=lines)


def test_a_cache_is_made_in_init_and_filled_by_what_dropped_it() -> None:
    after = made(make, ALPHA.replace("  # gone", ""), "self.alpha.held", CACHE)[0]["a.py"]
    assert (
        clean("""
        class Alpha(nn.Module):
            def __init__(self, value: float = 0.0) -> None:
                super().__init__()
                self.value = value
                self.register_buffer("held", torch.tensor(float(self.value)), persistent=False)

            def write(self, value: float) -> None:
                self.value = value
                self.held.fill_(self.value)

            def forget(self) -> None:
                self.held.fill_(self.value)

            def read(self, like: Tensor) -> Tensor:
                \"\"\"Of its type.\"\"\"
                return self.held.to(device=like.device, dtype=like.dtype)

            def forward(self, x):
                return x * self.read(x)
    """)
        in after
    )


def test_the_float_that_a_cache_holds_has_the_same_patch() -> None:
    text = ALPHA.replace("  # gone", "").replace("  # <-", "")
    text = text.replace("dtype=like.dtype)\n", "dtype=like.dtype)  # <-\n")
    (by_float,) = made(make, text, "self.alpha.value")
    (by_cache,) = made(make, text, "self.alpha.held", CACHE)
    assert by_float == by_cache


def test_a_mask_moves_to_where_all_that_it_needs_is_set() -> None:
    fill = "self.mask = torch.ones(self.n, self.n).tril()"
    after = made(make, causal(fill), "self.mask", CACHE)[0]["a.py"]
    expected = """
        super().__init__()
        self.n = n
        self.register_buffer("mask", torch.ones(self.n, self.n).tril(), persistent=False)

    def forward(self, x):
        return x @ self.mask
"""
    assert expected in after


@pytest.mark.parametrize(
    ("fill", "value", "cast"),
    [
        ("self.mask = torch.ones(4, 4).tril()", "torch.ones(4, 4).tril()", ""),
        (
            "self.mask = torch.ones(4, 4, device=x.device)",
            "torch.ones(4, 4)",
            ".to(device=x.device)",
        ),
        ("self.mask = torch.ones(4, 4).to(x)", "torch.ones(4, 4)", ".to(x)"),
        (
            "self.mask = torch.ones(4, 4).to(x.device).tril()",
            "torch.ones(4, 4).tril()",
            ".to(x.device)",
        ),
        ("self.mask = torch.eye(4).type_as(x)", "torch.eye(4)", ".to(x.dtype)"),
        ("self.mask = x.new_ones(4, 4)", "torch.ones(4, 4)", ".to(x)"),
        (
            "self.mask = torch.arange(4, dtype=x.dtype).diag()",
            "torch.arange(4, dtype=torch.get_default_dtype()).diag()",
            ".to(dtype=x.dtype)",
        ),
        (
            "self.mask = torch.ones(4, 4, dtype=torch.float32)",
            "torch.ones(4, 4, dtype=torch.float32)",
            "",
        ),
        ("t = torch.ones(4, 4)\nself.mask = t.tril()", "torch.ones(4, 4).tril()", ""),
        ("d = x.device\nself.mask = torch.ones(4, 4, device=d)", "torch.ones(4, 4)", None),
    ],
)
def test_readers_take_the_dtype_and_device_that_forward_asked_for(
    fill: str, value: str, cast: str | None
) -> None:
    text = causal(fill)
    if cast is None:
        assert "d is used elsewhere" not in refusal_or_text(text)
        return
    after = made(make, text, "self.mask", CACHE)[0]["a.py"]
    assert f'"mask", {value}, persistent=False' in after
    assert f"return x @ self.mask{cast}\n" in after


def refusal_or_text(text: str) -> str:
    try:
        return made(make, text, "self.mask", CACHE)[0]["a.py"]
    except Exception as error:
        return str(error)


@pytest.mark.parametrize("test", ['not hasattr(self, "mask")', "not hasattr(self, 'mask')"])
def test_a_cache_that_hasattr_asks_for_is_made_in_init(test: str) -> None:
    text = causal("self.mask = torch.ones(self.n, self.n)", "self.k = 1", test)
    after = made(make, text, "self.mask", Diagnosis.ATTRIBUTE_PRESENCE)[0]["a.py"]
    expected = """
        self.k = 1
        self.n = n
        self.register_buffer("mask", torch.ones(self.n, self.n), persistent=False)
"""
    assert expected in after
    assert "hasattr" not in after


def test_a_cache_that_is_returned_early_is_made_in_init() -> None:
    text = """
        import torch
        from torch import nn


        class Table(nn.Module):
            table = None

            def __init__(self):
                super().__init__()
                self.size = 8

            def get(self, x):
                if self.table is not None:  # <-
                    return self.table
                steps = torch.arange(self.size)
                self.table = steps.float().to(x.device)
                return self.table

            def forward(self, x):
                return x + self.get(x)
    """
    after = made(make, text, "self.table", CACHE)[0]["a.py"]
    assert "table = None" not in after
    made_ = 'self.register_buffer("table", torch.arange(self.size).float(), persistent=False)'
    assert f"self.size = 8\n        {made_}\n" in after
    assert "def get(self, x):\n        return self.table.to(x.device)\n" in after


def test_two_caches_of_one_test_move_together() -> None:
    fill = "angle = torch.arange(self.n).float()\nself.mask = angle.cos()\nself.sin = angle.sin()"
    text = causal(fill, "self.mask = None\n        self.sin = None").replace(
        "x @ self.mask", "x @ self.mask + self.sin"
    )
    after = made(make, text, "self.mask", CACHE)[0]["a.py"]
    assert '"mask", torch.arange(self.n).float().cos(), persistent=False' in after
    assert '"sin", torch.arange(self.n).float().sin(), persistent=False' in after
    assert "None" not in after


def test_a_drop_from_another_file_computes_it_for_that_object() -> None:
    texts = {
        "a.py": ALPHA.replace("  # gone", ""),
        "b.py": """
            from a import Alpha


            def reset(alpha: Alpha) -> None:
                alpha.value = 1.0
                alpha.held = None
        """,
    }
    after = made(make, texts, "self.alpha.held", CACHE)[0]["b.py"]
    assert "alpha.value = 1.0\n    alpha.held.fill_(alpha.value)\n" in after


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (causal("self.mask = torch.ones(x.shape[1], x.shape[1])"), "depends on x"),
        (causal("n = x.size(1)\nself.mask = torch.ones(n, n)"), "depends on x"),
        (causal("self.mask = torch.zeros_like(x)"), "depends on x"),
        (causal("self.build(x)\nself.mask = self.mask + 1"), "more than assignments"),
        (causal("self.mask = torch.ones(4)", test="self.mask.sum() > 3"), "no `if"),
        (
            causal("self.mask = torch.ones(4, 4)", "self.mask = torch.zeros(4, 4)"),
            "does not set it to None",
        ),
        (
            ALPHA.replace("self.held = None  # gone", "self.held = torch.ones(1)"),
            "another line writes it",
        ),
        (ALPHA, "a comment beside"),
    ],
)
def test_a_cache_that_cannot_be_made_before_forward_is_refused(text: str, why: str) -> None:
    source = "self.mask" if "Causal" in text else "self.alpha.held"
    because = refusal(make, text, source, diagnosis=CACHE)
    assert because.ground is Ground.NO_PATTERN
    assert why in because.text


def test_a_number_that_is_in_no_cache_is_none_of_its_concern() -> None:
    text = causal("self.mask = torch.ones(4, 4)").replace(
        "return x @ self.mask", "return x * self.n"
    )
    text = text.replace("  # <-", "").replace("self.n\n", "self.n  # <-\n")
    with pytest.raises(Unconcerned):
        made(make, text, "self.n", Diagnosis.INT_COUNTER)


SIZED = causal(
    "n = x.size(1)\nself.mask = torch.ones(\n    n, n, device=x.device\n).tril()",
    test="self.mask is None or self.mask.size(0) < x.size(1)",
)


def test_a_cache_of_a_size_that_an_argument_has_is_computed_in_each_call() -> None:
    after = made(uncached.make, SIZED, "self.mask", CACHE)[0]["a.py"]
    expected = """
    def forward(self, x):
        n = x.size(1)
        mask = torch.ones(
            n, n, device=x.device
        ).tril()
        return x @ mask
"""
    assert after.endswith(expected)


def test_a_cache_that_another_function_reads_is_not_computed_in_each_call() -> None:
    text = SIZED.replace("return x @ self.mask", "return self.use(x)")
    text += "\n    def use(self, x):\n        return x @ self.mask\n"
    because = refusal(uncached.make, text, "self.mask", diagnosis=CACHE)
    assert "another function reads it" in because.text


def test_a_table_that_is_cast_at_its_end_moves_to_init() -> None:
    fill = (
        "t = torch.arange(self.n, device=x.device, dtype=torch.float32)\n"
        "angles = torch.outer(t, t)\n"
        "self.mask = angles.cos().to(x.dtype)"
    )
    after = made(make, causal(fill), "self.mask", CACHE)[0]["a.py"]
    t = "torch.arange(self.n, dtype=torch.float32)"
    assert f'"mask", torch.outer({t}, {t}).cos(), persistent=False' in after
    assert "return x @ self.mask.to(x.dtype)\n" in after
