"""What kinds of values attributes and variables hold, as far as source tells."""

from __future__ import annotations

import ast
from enum import StrEnum

from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import Class, Function, dotted, walk


class ValueKind(StrEnum):
    """A kind that Dynamo guards in its own way."""

    INT = "int"
    FLOAT = "float"
    BOOL = "bool"
    TEXT = "text"
    NONE = "none"
    TENSOR = "tensor"
    CONTAINER = "container"
    OBJECT = "object"
    UNKNOWN = "unknown"


Kinds = frozenset[ValueKind]
UNKNOWN: Kinds = frozenset((ValueKind.UNKNOWN,))
NUMBERS: Kinds = frozenset((ValueKind.INT, ValueKind.FLOAT))

_BY_NAME = {
    "int": ValueKind.INT,
    "float": ValueKind.FLOAT,
    "bool": ValueKind.BOOL,
    "str": ValueKind.TEXT,
    "None": ValueKind.NONE,
    "Tensor": ValueKind.TENSOR,
    "torch.Tensor": ValueKind.TENSOR,
    "list": ValueKind.CONTAINER,
    "dict": ValueKind.CONTAINER,
    "set": ValueKind.CONTAINER,
    "deque": ValueKind.CONTAINER,
    "collections.deque": ValueKind.CONTAINER,
    "defaultdict": ValueKind.CONTAINER,
    "List": ValueKind.CONTAINER,
    "Dict": ValueKind.CONTAINER,
}
_OF_CALLS = _BY_NAME | {
    "len": ValueKind.INT,
    "round": ValueKind.INT,
    "nn.Parameter": ValueKind.TENSOR,
    "nn.Buffer": ValueKind.TENSOR,
    "Parameter": ValueKind.TENSOR,
    "torch.nn.Parameter": ValueKind.TENSOR,
}
_NOT_TENSORS = frozenset(
    (
        *(
            "device",
            "dtype",
            "Size",
            "Generator",
            "is_tensor",
            "is_grad_enabled",
            "get_default_dtype",
        ),
        *("is_floating_point", "manual_seed", "is_autocast_enabled", "compile", "finfo", "iinfo"),
        *("no_grad", "enable_grad", "autocast", "jit", "set_grad_enabled", "get_default_dtype"),
    )
)
"""Calls of ``torch`` that give no tensor."""

_PLAIN = (ast.Name, ast.Attribute, ast.Constant)
"""``alpha / rank`` in a constructor is of numbers, whatever they are called."""

_TENSOR_METHODS = frozenset(
    (
        *("to", "float", "half", "cuda", "cpu", "detach", "clone", "expand", "reshape", "view"),
        *("transpose", "permute", "unsqueeze", "squeeze", "contiguous", "flatten", "mean", "sum"),
        *("cos", "sin", "exp", "log", "softmax", "matmul", "repeat", "new_zeros", "new_ones"),
        *("new_full", "new_tensor", "new_empty", "type_as", "masked_fill", "requires_grad_"),
        *("triu", "tril", "bool", "long", "int", "t", "chunk", "norm", "abs", "sqrt", "norm"),
    )
)


def kinds_of(node: ast.expr | None, function: Function | None, depth: int = 0) -> Kinds:
    """The kinds that an expression may have; UNKNOWN among them where it may be another."""
    if node is None or depth > 6:
        return UNKNOWN
    match node:
        case ast.Constant(value=bool()):
            return frozenset((ValueKind.BOOL,))
        case ast.Constant(value=int()):
            return frozenset((ValueKind.INT,))
        case ast.Constant(value=float()):
            return frozenset((ValueKind.FLOAT,))
        case ast.Constant(value=None):
            return frozenset((ValueKind.NONE,))
        case ast.Constant(value=str()) | ast.JoinedStr():
            return frozenset((ValueKind.TEXT,))
        case ast.UnaryOp(op=ast.Not()) | ast.Compare():
            return frozenset((ValueKind.BOOL,)) if not _of_tensors(node) else UNKNOWN
        case ast.UnaryOp():
            return kinds_of(node.operand, function, depth + 1)
        case ast.List() | ast.Dict() | ast.Set() | ast.ListComp() | ast.DictComp():
            return frozenset((ValueKind.CONTAINER,))
        case ast.IfExp():
            return kinds_of(node.body, function, depth + 1) | kinds_of(
                node.orelse, function, depth + 1
            )
        case ast.BoolOp(op=ast.Or()):
            parts = [kinds_of(part, function, depth + 1) for part in node.values]
            return frozenset().union(*parts) - {ValueKind.NONE}
        case ast.BinOp():
            return _of_binary(node, function, depth)
        case ast.Call():
            return _of_call(node, function, depth)
        case ast.Name():
            return _of_name(node.id, function, depth)
        case ast.Attribute(value=ast.Name(id="math")):
            return frozenset((ValueKind.FLOAT,))
        case ast.Subscript(value=ast.Attribute(attr="shape")):
            return frozenset((ValueKind.INT,))
    return UNKNOWN


def _of_tensors(node: ast.expr) -> bool:
    """Comparisons of tensors are tensors: only those with a constant, or ``is``, are surely not."""
    if not isinstance(node, ast.Compare):
        return False
    if any(isinstance(op, ast.Is | ast.IsNot | ast.In | ast.NotIn) for op in node.ops):
        return False
    return not any(isinstance(side, ast.Constant) for side in node.comparators)


def _of_binary(node: ast.BinOp, function: Function | None, depth: int) -> Kinds:
    left, right = (kinds_of(side, function, depth + 1) for side in (node.left, node.right))
    both = left | right
    if ValueKind.TENSOR in both:
        return frozenset((ValueKind.TENSOR,))
    if not both <= NUMBERS | {ValueKind.UNKNOWN}:
        return UNKNOWN
    if ValueKind.UNKNOWN in both:
        is_share = isinstance(node.op, ast.Div) and function is not None
        is_set_up = is_share and function is not None and function.name == "__init__"
        plain = all(isinstance(one, _PLAIN) for one in (node.left, node.right))
        return frozenset((ValueKind.FLOAT,)) if is_set_up and plain else UNKNOWN
    if isinstance(node.op, ast.Div) or ValueKind.FLOAT in both:
        return frozenset((ValueKind.FLOAT,))
    return both


def _of_call(node: ast.Call, function: Function | None, depth: int) -> Kinds:
    name = dotted(node.func)
    if name in _OF_CALLS and name != "Tensor":
        return frozenset((_OF_CALLS[name],))
    first, _, rest = name.partition(".")
    last = name.rpartition(".")[2]
    if first == "math":
        whole = last in ("ceil", "floor", "prod", "gcd", "comb")
        return frozenset((ValueKind.INT if whole else ValueKind.FLOAT,))
    if name in ("min", "max", "abs", "sum") and node.args:
        parts = [kinds_of(one, function, depth + 1) for one in node.args]
        known = frozenset().union(*parts)
        return known if known <= NUMBERS else known & NUMBERS | UNKNOWN
    if first in ("torch", "F") and rest and last not in _NOT_TENSORS and last[:1].islower():
        return frozenset((ValueKind.TENSOR,))
    if last in ("item", "tolist", "numel", "size", "dim"):
        return frozenset((ValueKind.INT,)) if last in ("numel", "dim") else UNKNOWN
    if isinstance(node.func, ast.Attribute) and node.func.attr in _TENSOR_METHODS:
        return frozenset((ValueKind.TENSOR,))
    return UNKNOWN


def annotated_kinds(node: ast.expr | None) -> Kinds:
    """The kinds that an annotation names."""
    match node:
        case None:
            return UNKNOWN
        case ast.Constant(value=None):
            return frozenset((ValueKind.NONE,))
        case ast.Constant(value=str() as text):
            try:
                return annotated_kinds(ast.parse(text.strip(), mode="eval").body)
            except (SyntaxError, ValueError):
                return UNKNOWN
        case ast.BinOp():
            return annotated_kinds(node.left) | annotated_kinds(node.right)
        case ast.Subscript():
            name = dotted(node.value).rpartition(".")[2]
            if name in ("Optional", "Union"):
                inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
                none = {ValueKind.NONE} if name == "Optional" else set[ValueKind]()
                return frozenset(none).union(*map(annotated_kinds, inner))
            return annotated_kinds(node.value)
    name = dotted(node)
    known = _BY_NAME.get(name)
    if known is None and name.rpartition(".")[2].endswith("Tensor"):
        known = ValueKind.TENSOR
    return frozenset((known,)) if known is not None else UNKNOWN


def _of_name(name: str, function: Function | None, depth: int) -> Kinds:
    if function is None:
        return UNKNOWN
    args = function.node.args
    positional = [*args.posonlyargs, *args.args]
    defaults = dict(zip([arg.arg for arg in positional[::-1]], args.defaults[::-1], strict=False))
    keywords = zip([arg.arg for arg in args.kwonlyargs], args.kw_defaults, strict=False)
    defaults |= {arg: value for arg, value in keywords if value is not None}
    for arg in function.parameters:
        if arg.arg == name:
            known = annotated_kinds(arg.annotation)
            if known != UNKNOWN or name not in defaults:
                return known
            default = kinds_of(defaults[name], None, depth + 1)
            return default if ValueKind.NONE not in default else UNKNOWN
    bound = [
        node.value
        for node in walk(function.node)
        if isinstance(node, ast.Assign)
        and any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    ]
    if not bound:
        return UNKNOWN
    return frozenset().union(*(kinds_of(value, function, depth + 2) for value in bound))


def kinds_of_sites(sites: list[Site], made: Class) -> Kinds:
    """The kinds that an attribute of a class may hold, from the sites that write it."""
    found: set[ValueKind] = set()
    for site in sites:
        if site.via in ("register_buffer", "register_parameter"):
            found.add(ValueKind.TENSOR)
        elif site.via in ("add_module", "register_module"):
            found.add(ValueKind.OBJECT)
        elif site.kind in (SiteKind.WRITE, SiteKind.DECLARED):
            found |= kinds_of(site.value, site.function)
    if sites:
        for note in made.notes.get(sites[0].attribute, ()):
            found |= annotated_kinds(note)
    return frozenset(found)
