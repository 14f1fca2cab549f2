"""Operations that take a Python number, and whether a symbolic one survives in them.

A float that has changed once becomes symbolic, and stays so in arithmetic and comparisons alone:
``SUPPORTED_OPS`` of torch/fx/passes/_tensorify_python_scalars.py (2.13). Elsewhere each of its
values is compiled anew. Measured with aot_eager on torch 2.13: ``tensor ** number``,
``number - tensor``, ``%``, ``//`` and ``torch.where`` are among the others; of ``math``, ``sqrt``,
``cos`` and ``tanh`` keep it. ``F.gumbel_softmax`` is Python that only divides by its ``tau``.
"""

from __future__ import annotations

import ast

from esper_audit.source.classes import Classes
from esper_audit.source.definitions import External, dotted
from esper_audit.source.project import SourceFile

MAKERS = frozenset(
    (
        *("tensor", "as_tensor", "asarray", "scalar_tensor", "full", "full_like", "Tensor"),
        *("FloatTensor", "LongTensor", "new_tensor", "new_full"),
    )
)
"""Calls that make a tensor of a number."""

_SYMBOLIC = frozenset(
    (
        *("mul", "multiply", "add", "sub", "subtract", "div", "divide", "true_divide"),
        *("mul_", "add_", "sub_", "div_", "gt", "lt", "ge", "le", "eq", "ne", "greater", "less"),
        *("is_tensor", "device", "autocast", "sym_float", "sym_max", "sym_min", "_check", "Size"),
        *("compile", "no_grad", "is_grad_enabled", "manual_seed", "zeros", "ones", "rand", "randn"),
        *("empty", "isinstance", "is_floating_point", "range", "gumbel_softmax"),
    )
)
"""Those in which it survives, or that no float goes into."""

_METHODS = frozenset(
    (
        *("lerp", "lerp_", "clamp", "clamp_", "clip", "clip_", "clamp_min", "clamp_max"),
        *("masked_fill", "masked_fill_", "fill_", "bernoulli_", "addcmul", "addcmul_", "addcdiv"),
        *("addcdiv_", "normal_", "uniform_", "pow", "pow_", "where", "leaky_relu", "hardshrink"),
        *("new_tensor", "new_full", "exponential_", "fill_diagonal_", "renorm", "quantile"),
    )
)
"""Methods of tensors that no other class is likely to have."""

_OF_MATH = frozenset(("math.exp", "math.log", "math.pow", "math.floor"))
"""Those of ``math`` that were measured to bake it in."""

_KEYWORDS = frozenset(("alpha", "beta", "value"))
"""Of these even in addition a float is baked in: ``torch.add(x, y, alpha=a)``."""


def operation_of(node: ast.Call, file: SourceFile, classes: Classes) -> str:
    """``torch.lerp``, ``F.dropout``, ``.clamp`` of a call that takes a number; empty for others."""
    meant = classes.meaning(node.func, file)
    if isinstance(meant, External) and meant.name in _OF_MATH:
        return meant.name
    if isinstance(meant, External) and meant.name.startswith("torch."):
        name = dotted(node.func)
        rest = meant.name.removeprefix("torch.")
        is_one = "." not in rest or rest.startswith(("nn.functional.", "special.", "linalg."))
        return name if is_one and meant.name.rpartition(".")[2] != "compile" else ""
    if (
        meant is None
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in _METHODS | _SYMBOLIC
    ):
        return f".{node.func.attr}"
    return ""


def is_maker(operation: str) -> bool:
    """Whether it makes a tensor of the number."""
    return operation.rpartition(".")[2] in MAKERS


def bakes(operation: str, keyword: str | None) -> bool:
    """Whether a float that goes into it is compiled as a constant each time it changes."""
    return operation.rpartition(".")[2] not in _SYMBOLIC or keyword in _KEYWORDS
