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

_COMMENT = re.compile(r"#\s(?P<file>\S+):(?P<line>\d{1,9}) in (?P<function>\S+)")
_TENSOR = re.compile(
    r"check_tensor\(.*?, (?P<type>\w+), DispatchKeySet\((?P<keys>.*?)\), torch\.(?P<dtype>\w+),"
    r" device=(?P<device>\S+), requires_grad=(?P<requires_grad>\w+),"
    r" size=(?P<size>\[.*?\]), stride=(?P<stride>\[.*?\])\)"
)
_TYPE = re.compile(r"type=<(?:class|enum|flag) '(?P<type>.*?)'>")
_LENGTH = re.compile(r"(?:len|___tuple_iterator_len)\(.+\) (?:!= |== )?(?P<wanted>(?:> |>= )?\d+)$")
_TYPE_ID = re.compile(r"___check_(?:fake_script_)?type(?:_id)?\(.*, (?P<id>\d+)\)")
_PRESENCE = (
    (re.compile(r"hasattr\((?P<owner>.+), '(?P<name>\w+)'\)"), "{owner}.{name}"),
    (re.compile(r"___dict_contains\((?P<key>.+), (?P<owner>[LG]\[.+)\)"), "{owner}[{key}]"),
    (re.compile(r"___dict_contains\((?P<key>.+), (?P<owner>[^,]+)\)"), "{owner}[{key}]"),
    (re.compile(r"set\.__contains__\((?P<owner>[^,]+), (?P<key>.+)\)"), "{key} in {owner}"),
)
_SIZE = re.compile(r"torch\.Size\((\[[^\]]*\])\)")
_FREED = re.compile(r"because (?P<what>.+) got deallocated")
_FIXED = {"NONE_MATCH": "None", "TRUE_MATCH": "True", "FALSE_MATCH": "False"}


_BODY = re.compile(
    r"""(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|(?!\s+\#\s)(?!\s*\(HINT:\s).)*""",
    re.DOTALL,
)
_HINT = re.compile(r"\(HINT: (?P<hint>.+)\)\s*$", re.DOTALL)
_NAMES_ALONE = ("type ", "[", 'guard on "')  # torch/_dynamo/guards.py, 2.8 to 2.14
_ADVICE = (
    re.compile(r"\((?P<hint>to avoid this specialization, [^()]+)\)"),
    re.compile(r"(?P<hint>to avoid specialization try [\w.]+\([\w, ]*\))"),
)


def body_of(text: str) -> str:
    """The condition without torch's comment and its hint; quoted text may hold what begins them."""
    match = _BODY.match(text)
    return match[0].strip() if match else text.strip()


def _after_body(text: str) -> str:
    match = _BODY.match(text)
    return text[match.end() :] if match else ""


def hint_in(text: str) -> str:
    """What torch advises in its comment; empty where it only names a type or variable."""
    rest = _after_body(text)
    match = _HINT.search(rest)
    if match is not None and not match["hint"].startswith(_NAMES_ALONE):
        return match["hint"].strip()
    found = (pattern.search(rest) for pattern in _ADVICE)
    return next((match["hint"] for match in found if match), "")


def location_in(text: str) -> Location | None:
    """The user line in torch's comment. Its file is a bare name: torch cuts the folder off."""
    match = _COMMENT.search(_after_body(text))
    if match is None or match["file"].startswith(("_dynamo/", "(_dynamo/")):
        return None  # torch's own line: it added the guard itself
    return Location(match["file"], int(match["line"]), match["function"])


def freed_in(reason: str) -> str:
    """What was freed, by torch's reason for dropping an entry; empty where it names nothing."""
    match = _FREED.search(reason)
    return match["what"] if match else ""


def set_asked(source: str) -> str:
    """``L['s']`` of ``'a' in L['s']``, the source of a guard on what a set holds."""
    return source.rpartition(" in ")[2]


def is_weak(text: str) -> bool:
    """Whether ``… is not None`` is about what a weak reference holds."""
    return body_of(text).removesuffix(" is not None").endswith("()")


def fixed_value(kind: str) -> str:
    """What a guard of this kind wants, whatever its text is: ``None``, ``True``, ``False``."""
    return _FIXED[kind]


def wanted_value(text: str) -> str | None:
    """The right side of ``L['x'] == 2``: the value that the guard wants; None where it has none."""
    try:
        tree = ast.parse(body_of(text), mode="eval").body
    except (SyntaxError, ValueError, MemoryError, RecursionError):
        return _unparsed_value(body_of(text))
    if isinstance(tree, ast.Compare) and isinstance(tree.ops[-1], ast.Eq):
        return _in_order(tree.comparators[-1])
    return None


def _unparsed_value(body: str) -> str | None:
    """Of a value whose repr is no Python: ``L['c'] == <class 'a.B'>``."""
    _, equals, value = body.partition(" == ")
    named = re.fullmatch(r"<(?:class|enum) '(.+)'>", value)
    return (named[1] if named else value) if equals else None


def _in_order(tree: ast.expr) -> str:
    """The members of a set in the order of their texts: torch writes them as they happen to lie."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Set):
            node.elts.sort(key=ast.unparse)
    return _SIZE.sub(r"\1", ast.unparse(tree))


def wanted_length(text: str) -> str | None:
    """``2`` of ``len(L['d']) != 2`` and ``0`` of ``not L['d']``, though torch says what is so."""
    body = body_of(text)
    if body.startswith("not "):
        return "0"
    match = _LENGTH.search(body)
    return match["wanted"] if match else None


def wanted_type(text: str) -> str:
    """``torch.nn.modules.linear.Linear``; empty where a guard names its type by an id alone."""
    match = _TYPE.search(text)
    return match["type"] if match else ""


def type_id(text: str) -> int | None:
    """The id of the wanted type."""
    match = _TYPE_ID.search(body_of(text))
    return int(match["id"]) if match else None


_REAL = r"[+-]?(?:\d+\.?\d*(?:e[+-]?\d+)?|inf|nan)"
_NUMBER = re.compile(rf"{_REAL}|\(?(?:{_REAL})?{_REAL}j\)?")
_COLLECTION = re.compile(
    r"[\[({].*[\])}]|(?:list|tuple|dict|set|frozenset)(?: of \d+)?|frozenset\(.*\)|set\(\)"
)
_TORCH = re.compile(r"torch\..+|device\(type=.+\)")
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
_BY_PATTERN = (
    (re.compile(r"-?\d+"), ValueKind.INT),
    (_NUMBER, ValueKind.FLOAT),
    (_COLLECTION, ValueKind.COLLECTION),
    (_TORCH, ValueKind.TORCH),
    (_MEMBER, ValueKind.ENUM),
)
_TENSORS = ("Tensor", "torch.nn.parameter.Parameter", "torch.nn.parameter.Buffer")
_TYPES = {
    **{name: ValueKind(name) for name in ("bool", "int", "float", "str")},
    "bytes": ValueKind.STR,
    "complex": ValueKind.FLOAT,
    "NoneType": ValueKind.NONE,
    **dict.fromkeys(("list", "tuple", "dict", "set", "frozenset"), ValueKind.COLLECTION),
}


def kind_of_type(name: str) -> ValueKind:
    """What a value of a type is, from the type's name."""
    name = name.removeprefix("builtins.")
    other = ValueKind.TENSOR if name.endswith(_TENSORS) else ValueKind.OTHER
    return _TYPES.get(name, other)


def kind_of(text: str) -> ValueKind:
    """What a value is, from its text in a guard: ``0.5`` a float, ``Mode.FAST`` an enum member."""
    text = text.strip()
    if text in _KINDS:
        return _KINDS[text]
    if text.startswith("tensor(") or text.endswith(_TENSORS):
        return ValueKind.TENSOR
    if text.removeprefix("b")[:1] in ("'", '"'):
        return ValueKind.STR
    for pattern, kind in _BY_PATTERN:
        if pattern.fullmatch(text):
            return kind
    return ValueKind.OTHER


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


def _tensor_text(match: re.Match[str]) -> str:
    return (
        f"tensor(size={match['size']}, dtype={match['dtype']},"
        f" device={device_of(match['device'], match['keys'])},"
        f" stride={match['stride']}, requires_grad={match['requires_grad']})"
    )


def wanted_tensor(text: str) -> str:
    """The tensor that a TENSOR_MATCH guard wants; its whole condition where that is another."""
    match = _TENSOR.search(body_of(text))
    return _tensor_text(match) if match else body_of(text)


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


_OBJECT_ID = re.compile(r"___check_obj_id\(.*, (?P<id>\d+)\)")
_FUNCTION_ID = re.compile(r"(?:___check_metadata_|__dtensor_spec_|_opaque_guard_fn_)(?P<id>\d+)")


def object_id(text: str) -> int | None:
    """The id of the object that an identity guard wants (2.8 to 2.14)."""
    match = _OBJECT_ID.search(body_of(text))
    return int(match["id"]) if match else None


def function_id(text: str) -> int | None:
    """The id of the function that checks the value, where the guard is named after it."""
    match = _FUNCTION_ID.search(body_of(text))
    return int(match["id"]) if match else None
