"""Torch's text of a guard, read: the expected value, the user line, what differs of a tensor.

The texts are those of ``verbose_code_parts`` (torch/csrc/dynamo/guards.cpp and
torch/_dynamo/guards.py, 2.8 to 2.14).
"""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from esper_audit.data.compiles import ValueKind
from esper_audit.data.places import Location

_COMMENT = re.compile(r"#\s(?P<file>\S+):(?P<line>\d+) in (?P<function>\S+)")
_TENSOR = re.compile(
    r"check_tensor\(.*?, (?P<type>\w+), DispatchKeySet\((?P<keys>.*?)\), torch\.(?P<dtype>\w+),"
    r" device=(?P<device>\S+), requires_grad=(?P<requires_grad>\w+),"
    r" size=(?P<size>\[.*?\]), stride=(?P<stride>\[.*?\])\)"
)
_TYPE = re.compile(r"type=<class '(?P<type>.*?)'>")
_TYPE_ID = re.compile(r"___check_type_id\(.*, (?P<id>\d+)\)")
_AS_TENSOR = re.compile(r"___as_tensor\((.+?)\)\.item\(\)")
_PRESENCE = (
    (re.compile(r"hasattr\((?P<owner>.+), '(?P<name>\w+)'\)"), "{owner}.{name}"),
    (re.compile(r"___dict_contains\((?P<key>'[^']+'), (?P<owner>.+)\)"), "{owner}[{key}]"),
)
_FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}
_FIXED = {"NONE_MATCH": "None", "TRUE_MATCH": "True", "FALSE_MATCH": "False"}


def body_of(text: str) -> str:
    """The condition without torch's comment, and without the advice that 2.8 adds to it."""
    return text.split("  #")[0].split("(HINT: ")[0].strip()


def location_in(text: str) -> Location | None:
    """The user line in torch's comment. Its file is a bare name: torch cuts the folder off."""
    match = _COMMENT.search(text)
    if match is None or match["file"].startswith(("_dynamo/", "(_dynamo/")):
        return None  # torch's own line: it added the guard itself
    return Location(match["file"], int(match["line"]), match["function"])


def expected_value(kind: str, text: str) -> tuple[str, bool]:
    """What the guard wanted, and whether that was understood; torch's condition where not."""
    body = body_of(text)
    if kind in _FIXED:
        return _FIXED[kind], True
    if kind == "TENSOR_MATCH":
        match = _TENSOR.search(body)
        return (_tensor_text(match), True) if match else (body, False)
    if kind == "TYPE_MATCH":
        match = _TYPE.search(text)
        return (match["type"].rpartition("'")[2] if match else body), True
    if kind == "ID_MATCH":
        match = _TYPE.search(text)
        which = match["type"].rpartition(".")[2] if match else "object"
        return f"the {which} it was compiled with", True
    if kind in ("LENGTH_CHECK", "DICT_LENGTH") and body.startswith("not "):
        return "0", True
    if kind in ("EQUALS_MATCH", "LENGTH_CHECK", "DICT_LENGTH", "CONSTANT_MATCH"):
        return _right_side(body)
    return body, bool(body)


def checked_type_id(text: str) -> int | None:
    """The id of the wanted type, where the guard names it by that alone, as 2.8 does."""
    match = _TYPE_ID.search(body_of(text))
    return int(match["id"]) if match and not _TYPE.search(text) else None


_NUMBER = re.compile(r"-?(?:\d+\.\d*(?:e[+-]?\d+)?|\d+e[+-]?\d+|inf|nan)")
_COLLECTION = re.compile(r"[\[({].*[\])}]|(?:list|tuple|dict|set|frozenset)(?: of \d+)?")
_MEMBER = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)+")
_KINDS = {
    "None": ValueKind.NONE,
    "NoneType": ValueKind.NONE,
    "builtins.NoneType": ValueKind.NONE,
    "True": ValueKind.BOOL,
    "False": ValueKind.BOOL,
    "present": ValueKind.PRESENT,
    "absent": ValueKind.ABSENT,
}


def kind_of(text: str) -> ValueKind:
    """What a value is, from its text in a guard: ``0.5`` a float, ``Mode.FAST`` an enum member."""
    text = text.strip()
    if text in _KINDS:
        return _KINDS[text]
    if text.startswith("tensor(") or text.endswith("Tensor"):
        return ValueKind.TENSOR
    if text.removeprefix("b")[:1] in ("'", '"'):
        return ValueKind.STR
    for pattern, kind in (
        (re.compile(r"-?\d+"), ValueKind.INT),
        (_NUMBER, ValueKind.FLOAT),
        (_COLLECTION, ValueKind.COLLECTION),
    ):
        if pattern.fullmatch(text):
            return kind
    if text.startswith("torch."):
        return ValueKind.TORCH
    return ValueKind.ENUM if _MEMBER.fullmatch(text) else ValueKind.OTHER


@dataclass(frozen=True, slots=True)
class Expression:
    """A symbolic-shape guard, split: ``source`` is what varies, ``expected`` what it is held to."""

    source: str
    expected: str


def split_expression(text: str) -> Expression:
    """``L['self'].alpha == 0.5`` as its two sides; the whole with "True" where it has not two."""
    text = _AS_TENSOR.sub(r"\1", text)  # 2.8 writes floats so
    whole = Expression(text, "True")
    try:
        tree = ast.parse(text, mode="eval").body
    except SyntaxError:
        return whole
    if not isinstance(tree, ast.Compare):
        return whole
    if len(tree.ops) == 2:  # 2 <= x <= 15
        middle = ast.unparse(tree.comparators[0])
        return Expression(middle, text.replace(middle, "…", 1)) if middle in text else whole
    if len(tree.ops) != 1:
        return whole
    left, right = ast.unparse(tree.left), ast.unparse(tree.comparators[0])
    operator = text[len(left) : -len(right)].strip() if text.startswith(left) else ""
    if _varies(left) and not _varies(right):
        return Expression(left, right if operator == "==" else f"{operator} {right}".strip())
    if _varies(right) and not _varies(left):
        flipped = _FLIPPED.get(operator, operator)
        return Expression(right, left if operator == "==" else f"{flipped} {left}")
    return whole


@dataclass(frozen=True, slots=True)
class Presence:
    """A guard on whether an attribute or a key is there, which failed. Kinds: present or absent."""

    source: str
    expected: ValueKind
    actual: ValueKind


def presence_in(text: str) -> Presence | None:
    """``not hasattr(L['self'], 'scale')`` as ``L['self'].scale``, absent, present."""
    body = body_of(text)
    for pattern, form in _PRESENCE:
        match = pattern.fullmatch(body.removeprefix("not "))
        if match is not None:
            kinds = [ValueKind.PRESENT, ValueKind.ABSENT]
            if body.startswith("not "):
                kinds.reverse()
            return Presence(form.format(**match.groupdict()), *kinds)
    return None


def _varies(side: str) -> bool:
    return "L[" in side or "G[" in side


def _right_side(body: str) -> tuple[str, bool]:
    try:
        tree = ast.parse(body, mode="eval").body
    except SyntaxError:
        return body, False
    if isinstance(tree, ast.Compare):
        return ast.unparse(tree.comparators[-1]), True
    return body, True


def _tensor_text(match: re.Match[str]) -> str:
    return (
        f"tensor(size={match['size']}, dtype={match['dtype']},"
        f" device={device_of(match['device'], match['keys'])},"
        f" stride={match['stride']}, requires_grad={match['requires_grad']})"
    )


def tensor_fields(text: str) -> dict[str, str]:
    """The fields of a TENSOR_MATCH guard by name, as torch writes them; empty where it has none."""
    match = _TENSOR.search(body_of(text))
    return match.groupdict() if match else {}


def device_of(index: str, keys: str) -> str:
    """A guard holds the device's index and, in its keys, the backend's name."""
    if index == "None":
        return backend_of(keys) or "cpu"
    return f"{backend_of(keys)}:{index}"


def backend_of(keys: str) -> str:
    """The backend that the first of the dispatch keys names: ``cpu``, ``cuda``."""
    return keys.split(",")[0].removeprefix("Autograd").strip().lower()


_OBJECT_ID = re.compile(r" (?P<id>\d+)\)")


def object_id(text: str) -> int | None:
    """The id of the object that an identity guard wants (2.13)."""
    match = _OBJECT_ID.search(text)
    return int(match["id"]) if match else None
