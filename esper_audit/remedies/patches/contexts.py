"""What stands around a number that becomes a tensor, written so that it takes a tensor.

Worked example: of ``torch.tensor(self.alpha, device=x.device)`` with the buffer ``_alpha_tensor``
remains ``self._alpha_tensor.to(device=x.device)``.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass, field

from esper_audit.data.places import Location
from esper_audit.remedies.patches.literals import (
    goes_out,
    is_in_place,
    is_none,
    is_number_literal,
    is_numeric,
    last_name,
    question,
)
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite
from esper_audit.source.definitions import Function, dotted


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_MATH = _words(
    "cos sin tan exp sqrt log log2 log10 log1p expm1 tanh sinh cosh atan asin acos floor ceil"
    " erf trunc"
)
_MAKERS = _words("tensor as_tensor scalar_tensor full full_like new_full new_tensor")
_ALPHAS = _words("add sub add_ sub_")
_LEFT = _words("print format str repr isinstance debug info warning append warn int len bool range")
_ONLY_NUMBERS = _words(
    "divmod dropout dropout1d dropout2d dropout3d alpha_dropout feature_alpha_dropout layer_norm"
    " batch_norm group_norm instance_norm rms_norm elu elu_ celu softplus hardtanh threshold pad"
    " interpolate normalize rrelu hardshrink softshrink roll narrow view reshape expand repeat"
    " zeros ones empty rand randn randint arange linspace split chunk topk unsqueeze squeeze"
    " transpose permute flatten size cumsum flip tril triu diag diagonal repeat_interleave unfold"
    " one_hot scaled_dot_product_attention manual_seed uniform_ normal_ exponential_"
    " select getattr setattr sleep enumerate islice"
)
"""Functions, by their last name, that take no tensor where they take a number."""


class Branch(Exception):  # noqa: N818  # an answer, no error
    """Python itself needs the number there."""

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what


@dataclass
class Reads:
    """Turns reads of a number into reads of a tensor.

    ``cast``: convert it to the dtype of the operand beside it. ``branches`` are the places where
    the number stays, with what it does there; ``made`` counts the reads that were changed.

    ``flags``: where a branch is decided, read an answer that is kept beside the number. They are
    kept by name, each with the text of what it answers about ``value``.
    """

    rewrite: Rewrite
    function: Function
    cast: bool = False
    made: int = 0
    casts: int = 0
    uses_torch: bool = False
    branches: list[tuple[str, Location]] = field(default_factory=list)
    flags: dict[str, str] | None = None

    def to_tensor(self, node: ast.expr, text: str) -> None:
        """Read ``text``, a tensor, in place of a node that is a number."""
        uses = self._uses(node)
        try:
            plans = [self._plan(use) for use in uses]
        except Branch as branch:
            if self.flags is not None and uses == [node] and self._to_flag(node):
                return
            place = Location(self.rewrite.file.path, node.lineno, self.function.qualname)
            self.branches.append((branch.what, place))
            return
        if uses == [node]:
            text = self._casted(node, text)
        self.rewrite.replace(node, text)
        self.uses_torch |= any("torch." in one[2] for plan in plans for one in plan)
        for start, end, change in dict.fromkeys(one for plan in plans for one in plan):
            self.rewrite.change(start, end, change)
        self.made += 1

    def _to_flag(self, node: ast.expr) -> bool:
        """``self.p == 0.0`` becomes ``self._p_is_0``: a bool changes only where the answer does."""
        assert isinstance(node, ast.Attribute) and self.flags is not None
        asked = question(node, self.rewrite.parents[node])
        if asked is None:
            return False
        whole, name, answer = asked
        self.flags[name] = answer
        self.rewrite.replace(whole, f"{self.rewrite.text(node.value)}.{name}")
        return True

    def goes_on(self, node: ast.expr) -> bool:
        """Whether the number itself goes on from there: nothing makes a tensor of it."""
        try:
            return all(self._plan(use) == [] for use in self._uses(node))
        except (Branch, Refused):
            return False

    def _uses(self, node: ast.expr) -> list[ast.expr]:
        """The node itself; or of ``name = node``, what reads the name afterwards."""
        parent = self.rewrite.parents[node]
        match parent:
            case ast.Assign(targets=[ast.Name(id=name)]) if parent.value is node:
                names = [one for one in ast.walk(self.function.node) if isinstance(one, ast.Name)]
                mine = [one for one in names if one.id == name]
                if sum(isinstance(one.ctx, ast.Store) for one in mine) == 1:
                    return [one for one in mine if isinstance(one.ctx, ast.Load)]
        return [node]

    def _casted(self, node: ast.expr, text: str) -> str:
        """With the dtype of what it meets, where asked."""
        other = self._beside(node) if self.cast else None
        if other is None:
            return text
        self.casts += 1
        return f"{text}.to({other}.dtype)"

    def _beside(self, node: ast.expr) -> str | None:
        """A tensor that the number meets: an argument of the same call, or a parameter's name."""
        parent = self.rewrite.parents[node]
        names = {arg.arg: arg for arg in self.function.parameters[1:]}
        if isinstance(parent, ast.keyword):
            parent = self.rewrite.parents[parent]
        if isinstance(parent, ast.Call):
            others = [one for one in parent.args if isinstance(one, ast.Name) and one is not node]
            return others[0].id if others else None
        if isinstance(parent, ast.Return):
            tensors = [
                name
                for name, arg in names.items()
                if arg.annotation is not None and "Tensor" in ast.unparse(arg.annotation)
            ]
            return tensors[0] if tensors else None
        return None

    # --- what stands around it ---

    def _plan(self, node: ast.expr) -> list[tuple[int, int, str]]:
        """The changes around a number that is a tensor from now on; raises Branch or Refused."""
        parent = self.rewrite.parents[node]
        if goes_out(node, self.function.name, self.rewrite.parents):
            raise Branch("is returned or kept as a number")
        match parent:
            case ast.BinOp() | ast.UnaryOp(op=ast.USub() | ast.UAdd()):
                if self._is_number(parent, node):
                    return self._plan(parent)
            case ast.UnaryOp() | ast.BoolOp():
                raise Branch("decides a branch")
            case ast.Compare():
                above = self.rewrite.parents[parent]
                if not (isinstance(above, ast.Call) and dotted(above.func).endswith("where")):
                    raise Branch("decides a branch")
            case ast.If() | ast.While() | ast.Assert() | ast.IfExp() if parent.test is node:
                raise Branch("decides a branch")
            case ast.FormattedValue():
                raise Branch("is written into a text")
            case ast.Subscript(slice=index) if index is node:
                raise Branch("is an index")
            case ast.Slice():
                raise Branch("is an index")
            case ast.keyword():
                call = self.rewrite.parents[parent]
                assert isinstance(call, ast.Call)
                return self._of_call(call, node, parent.arg)
            case ast.Call() if node in parent.args:
                return self._of_call(parent, node, None)
            case ast.List() | ast.Tuple():
                call = self.rewrite.parents[parent]
                if isinstance(call, ast.Call) and last_name(call) in _MAKERS | _ONLY_NUMBERS:
                    raise Refused("is an item of a list that makes a tensor", self._at(node))
        return []

    def _is_number(self, whole: ast.expr, node: ast.expr) -> bool:
        """Whether an operation on it meets nothing but numbers, as far as can be told."""
        if isinstance(whole, ast.UnaryOp):
            return True
        assert isinstance(whole, ast.BinOp)
        other = whole.right if whole.left is node else whole.left
        return is_numeric(other)

    def _of_call(
        self, call: ast.Call, node: ast.expr, keyword: str | None
    ) -> list[tuple[int, int, str]]:
        name, last = dotted(call.func), last_name(call)
        if last in _MAKERS and keyword in (None, "data", "fill_value"):
            return self._maker(call, node, last)
        if name in ("min", "max") and len(call.args) == 2 and not call.keywords:
            return self._bound(call, node, name)
        if name == "float" and call.args == [node]:
            start, end = self.rewrite.start(call), self.rewrite.end(call)
            inner = (self.rewrite.start(node), self.rewrite.end(node))
            more = self._plan(call)
            return [(start, inner[0], "("), (inner[1], end, ").float()"), *more]
        if name.startswith("math.") and last in _MATH and call.args == [node]:
            start, end = self.rewrite.start(call), self.rewrite.end(call.func)
            return [(start, end, f"torch.{last}"), *self._plan(call)]
        if name == "abs":
            return self._plan(call)
        if last in _ALPHAS and keyword == "alpha":
            return self._alpha(call, node)
        if last == "leaky_relu" and keyword in (None, "negative_slope"):
            return self._leaky(call, node)
        if last in ("clamp", "clip", "clamp_") and keyword in (None, "min", "max"):
            return self._clamp(call, node, keyword)
        if last in _LEFT:
            raise Branch(f"is passed to {last}")
        if last in _ONLY_NUMBERS:
            raise Refused(f"is passed to {last}, which takes no tensor", self._at(node))
        return []

    def _at(self, node: ast.expr) -> Location:
        return Location(self.rewrite.file.path, node.lineno, self.function.qualname)

    def _maker(self, call: ast.Call, node: ast.expr, last: str) -> list[tuple[int, int, str]]:
        """``torch.tensor(V, dtype=…)`` is ``V.to(dtype=…)``; ``full`` is spread to its size."""
        text = self.rewrite.text
        kept = [
            f"{one.arg}={text(one.value)}"
            for one in call.keywords
            if one.arg in ("device", "dtype")
        ]
        ignored = ("device", "dtype", "size", "data", "fill_value", "layout", "pin_memory")
        if any(one.arg not in ignored for one in call.keywords):
            raise Refused(f"is passed to {last} with more than a dtype and a device")
        target = ", ".join(kept)
        size = ""
        if last in ("full", "full_like", "new_full"):
            first = next((one.value for one in call.keywords if one.arg == "size"), None)
            first = first or (call.args[0] if call.args and call.args[0] is not node else None)
            if first is None:
                raise Refused(f"the size in {last} is not known", self._at(node))
            size = text(first)
        if last.startswith("new_"):
            assert isinstance(call.func, ast.Attribute)
            target = target or text(call.func.value)
        if last == "full_like":
            target = target or size
        after = f".to({target})" if target else ""
        if last == "full_like":
            after += f".expand_as({size}).clone()"
        elif size and size not in ("()", "[]"):
            after += f".expand({size}).clone()"
        elif self._is_written(call):
            after += ".clone()"
        is_plain = isinstance(node, ast.Attribute | ast.Name | ast.Call)
        opening, closing = ("", "") if is_plain else ("(", ")")
        rewrite = self.rewrite
        return [
            (rewrite.start(call), rewrite.start(node), opening),
            (rewrite.end(node), rewrite.end(call), closing + after),
        ]

    def _is_written(self, call: ast.Call) -> bool:
        """Whether the fresh tensor is written in place: then it must not be the buffer itself."""
        parent = self.rewrite.parents[call]
        if not (isinstance(parent, ast.Assign) and isinstance(parent.targets[0], ast.Name)):
            return isinstance(parent, ast.Attribute) and is_in_place(parent.attr)
        name = parent.targets[0].id
        for one in ast.walk(self.function.node):
            match one:
                case ast.AugAssign(target=ast.Name(id=other)) if other == name:
                    return True
                case ast.Subscript(value=ast.Name(id=other), ctx=ast.Store()) if other == name:
                    return True
                case ast.Attribute(value=ast.Name(id=other), attr=attr) if other == name:
                    if is_in_place(attr):
                        return True
        return False

    def _bound(self, call: ast.Call, node: ast.expr, name: str) -> list[tuple[int, int, str]]:
        """``min(V, 1.0)`` is ``V.clamp(max=1.0)``."""
        other = next(one for one in call.args if one is not node)
        if not is_numeric(other):
            raise Branch(f"is passed to {name}")
        bound = f".clamp({'max' if name == 'min' else 'min'}={self.rewrite.text(other)})"
        start, end = self.rewrite.start, self.rewrite.end
        return [
            (start(call), start(node), "("),
            (end(node), end(call), f"){bound}"),
            *self._plan(call),
        ]

    def _alpha(self, call: ast.Call, node: ast.expr) -> list[tuple[int, int, str]]:
        """``torch.add(x, y, alpha=V)`` is ``torch.add(x, (y) * V)``."""
        if len(call.args) not in (1, 2) or len(call.keywords) != 1:
            raise Refused("is the alpha of a call of another form", self._at(node))
        other, start, end = call.args[-1], self.rewrite.start, self.rewrite.end
        return [
            (start(other), start(other), "("),
            (end(other), start(node), ") * ("),
            (end(node), end(call), "))"),
        ]

    def _leaky(self, call: ast.Call, node: ast.expr) -> list[tuple[int, int, str]]:
        text, start, end = self.rewrite.text, self.rewrite.start, self.rewrite.end
        given = call.args[0] if call.args else None
        if not isinstance(given, ast.Name | ast.Attribute) or given is node:
            raise Refused("is the slope of a call of another form", self._at(node))
        x = text(given)
        return [
            (start(call), start(node), f"torch.where({x} >= 0, {x}, {x} * ("),
            (end(node), end(call), "))"),
        ]

    def _clamp(
        self, call: ast.Call, node: ast.expr, keyword: str | None
    ) -> list[tuple[int, int, str]]:
        """One bound at a time: torch takes two numbers or two tensors."""
        bounds = [*call.args, *(one.value for one in call.keywords)]
        if dotted(call.func).startswith(("torch.clamp", "torch.clip")):
            bounds = bounds[1:]
        others = [one for one in bounds if one is not node and not is_none(one)]
        if not others:
            return []
        if not all(is_number_literal(one) for one in others):
            return []  # it may hold the same number
        other, text, end = others[0], self.rewrite.text, self.rewrite.end
        is_max = keyword == "max" or (keyword is None and bounds.index(node) == 1)
        mine, its = ("max", "min") if is_max else ("min", "max")
        if dotted(call.func).startswith("torch."):
            opening = f"{text(call.args[0])}"
        elif isinstance(call.func, ast.Attribute):
            opening = text(call.func.value)
        before = (self.rewrite.start(call), self.rewrite.start(node))
        first = f"{opening}.clamp({its}={text(other)}).clamp({mine}="
        return [(*before, first), (end(node), end(call), ")")]
