"""The closed list: operations that bake a Python float in, each with its symbolic form, as text.

A symbolic float survives in ``mul``, ``add``, ``sub``, ``div``, comparisons and their in-place
forms with a tensor on the left of ``-`` (SUPPORTED_OPS in
``torch/fx/passes/_tensorify_python_scalars.py``, 2.13; each form here was counted on 2.13). Every
other operation takes it as a constant, one compile for each value.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import libcst as cst

from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import wrapped


@dataclass(frozen=True)
class Operation:
    """A call of a torch function or of a tensor's method. ``torch`` is how torch is named here."""

    name: str
    operands: list[str]
    options: dict[str, str]
    plain: list[bool]
    """Whether an operand may be written twice: no call is in it."""
    prefix: str
    """``torch.``, or empty for a method, whose operand 0 is the receiver."""
    torch: str

    def operand(self, index: int, keyword: str) -> str:
        found = self.operands[index] if index < len(self.operands) else self.options.get(keyword)
        if found is None:
            raise Refused(f"the argument {keyword} of {self.name}")
        return found

    def call(self, name: str, operands: list[str], without: tuple[str, ...] = ()) -> str:
        """A call of the same form, with the options that are left."""
        kept = [f"{key}={value}" for key, value in self.options.items() if key not in without]
        if self.prefix:
            return f"{self.prefix}{name}({', '.join([*operands, *kept])})"
        return f"{_factor(operands[0])}.{name}({', '.join([*operands[1:], *kept])})"

    def need_plain(self, index: int = 0) -> None:
        if index >= len(self.plain) or not self.plain[index]:
            raise Refused(f"an operand of {self.name} that can be written twice")


def _factor(text: str) -> str:
    """As a factor of a product, or as what an attribute is read from."""
    return cst.Module([]).code_for_node(wrapped(cst.parse_expression(text)))


def _term(text: str) -> str:
    """As what is subtracted."""
    return cst.Module([]).code_for_node(wrapped(cst.parse_expression(text), tight=False))


def zero_of(text: str) -> str:
    return f"{_factor(text)}.new_zeros(())"


# --- the closed list: each takes the call, which operands hold the float, which options do ---

_Rule = Callable[[Operation, list[bool], set[str]], str | None]


def _at(held: list[bool], index: int) -> bool:
    return index < len(held) and held[index]


def _lerp(call: Operation, held: list[bool], options: set[str]) -> str | None:
    if not (_at(held, 2) or "weight" in options) or "out" in call.options:
        return None
    start, end = call.operand(0, "input"), call.operand(1, "end")
    weight = call.operand(2, "weight")
    if call.plain[0]:
        step = f"{_factor(weight)} * ({end} - {_term(start)})"
        if call.name == "lerp_":
            return f"{_factor(start)}.add_({step})"
        return f"{start} + {step}"
    if call.name == "lerp_":
        call.need_plain()
    return f"{_factor(start)} * (1 - {_term(weight)}) + {_factor(weight)} * {_factor(end)}"


def _alpha(call: Operation, _held: list[bool], options: set[str]) -> str | None:
    if "alpha" not in options:
        return None
    other = f"{_factor(call.options['alpha'])} * {_factor(call.operand(1, 'other'))}"
    return call.call(call.name, [call.operand(0, "input"), other], without=("alpha", "other"))


def _addc(call: Operation, _held: list[bool], options: set[str]) -> str | None:
    if "value" not in options:
        return None
    sign = "*" if "mul" in call.name else "/"
    first, second = call.operand(1, "tensor1"), call.operand(2, "tensor2")
    product = f"{_factor(call.options['value'])} * {_factor(first)} {sign} {_factor(second)}"
    name = "add_" if call.name.endswith("_") else "add"
    used = ("value", "tensor1", "tensor2")
    return call.call(name, [call.operand(0, "input"), product], without=used)


_NOT_FLOAT = ("int", "long", "short", "bool", "uint")


def _filled(zeros: str, at: int, keyword: str) -> _Rule:
    """A tensor filled with the float is one of zeros plus the float."""

    def rule(call: Operation, held: list[bool], options: set[str]) -> str | None:
        method = call.name.startswith("new_")
        if method is bool(call.prefix) or not (_at(held, at) or keyword in options):
            return None
        dtype = call.options.get("dtype", "").rpartition(".")[2]
        if dtype.startswith(_NOT_FLOAT) or {"requires_grad", "out"} & set(call.options):
            raise Refused(f"a plain floating-point tensor from {call.name}")
        sized = [] if call.name in _SIZELESS else [_size(call, method)]
        rest = [call.operands[0], *sized] if method else sized
        value = call.operand(at, keyword)
        return f"{call.call(zeros, rest or ['()'], without=(keyword, 'size'))} + {_term(value)}"

    return rule


_SIZELESS = ("tensor", "as_tensor", "scalar_tensor")


def _size(call: Operation, method: bool) -> str:
    if call.name == "new_tensor":
        return "()"
    return call.operand(1 if method else 0, "size" if "like" not in call.name else "input")


def _fill(call: Operation, held: list[bool], options: set[str]) -> str | None:
    if call.prefix or not (_at(held, 1) or "value" in options):
        return None
    return f"{_factor(call.operands[0])}.zero_().add_({call.operand(1, 'value')})"


def _as_tensors(*bounds: str) -> _Rule:
    """Each number among these arguments becomes a tensor of the first operand's dtype."""

    def rule(call: Operation, held: list[bool], options: set[str]) -> str | None:
        first = _FIRST_BOUND.get(call.name, 1)
        places = range(first, min(first + len(bounds), len(call.operands)))
        if not any(_at(held, place) for place in places) and not options & set(bounds):
            return None
        call.need_plain()
        zero = zero_of(call.operands[0])
        operands = [
            f"{zero} + {_term(text)}" if at in places and text != "None" else text
            for at, text in enumerate(call.operands)
        ]
        call.options.update(
            {
                key: f"{zero} + {_term(call.options[key])}"
                for key in bounds
                if call.options.get(key, "None") != "None"
            }
        )
        return call.call(call.name, operands)

    return rule


_FIRST_BOUND = {"masked_fill": 2, "masked_fill_": 2}


def _where(call: Operation, held: list[bool], _options: set[str]) -> str | None:
    if not call.prefix or len(call.operands) != 3 or held[1] is held[2]:
        return None
    at, other = (1, 2) if held[1] else (2, 1)
    call.need_plain(other)
    operands = list(call.operands)
    operands[at] = f"{zero_of(operands[other])} + {_term(operands[at])}"
    return call.call("where", operands)


def _leaky(call: Operation, held: list[bool], options: set[str]) -> str | None:
    if not (_at(held, 1) or "negative_slope" in options) or "inplace" in call.options:
        return None
    call.need_plain()
    x, slope = call.operands[0], call.operand(1, "negative_slope")
    return f"{call.torch}.where({x} > 0, {x}, {_factor(slope)} * {_factor(x)})"


RULES: dict[str, _Rule] = {
    "lerp": _lerp,
    "lerp_": _lerp,
    **dict.fromkeys(("add", "add_", "sub", "sub_", "subtract", "subtract_"), _alpha),
    **dict.fromkeys(("addcmul", "addcmul_", "addcdiv", "addcdiv_"), _addc),
    "full": _filled("zeros", 1, "fill_value"),
    "full_like": _filled("zeros_like", 1, "fill_value"),
    "new_full": _filled("new_zeros", 2, "fill_value"),
    "new_tensor": _filled("new_zeros", 1, "data"),
    "tensor": _filled("zeros", 0, "data"),
    "as_tensor": _filled("zeros", 0, "data"),
    "scalar_tensor": _filled("zeros", 0, "s"),
    "fill_": _fill,
    **dict.fromkeys(("clamp", "clamp_", "clip", "clip_"), _as_tensors("min", "max")),
    **dict.fromkeys(("clamp_min", "clamp_min_"), _as_tensors("min")),
    **dict.fromkeys(("clamp_max", "clamp_max_"), _as_tensors("max")),
    **dict.fromkeys(("masked_fill", "masked_fill_"), _as_tensors("value")),
    "pow": _as_tensors("exponent"),
    "where": _where,
    "leaky_relu": _leaky,
}
