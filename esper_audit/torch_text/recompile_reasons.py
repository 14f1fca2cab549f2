"""Torch's reasons for a recompile: one text for each cache entry, of the first guard that failed.

``get_guard_fail_reason`` of torch/_dynamo/guards.py (2.6 to 2.14) writes ``0/1: `` and the guard's
text, from 2.11 on with the user's stack below it; torch/csrc/dynamo/guards.cpp has texts of its own
for tensors and for what can't be read. From 2.12 on local variables stand without ``L[…]``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from esper_audit.data.places import Location
from esper_audit.torch_text.guard_text import body_of
from esper_audit.torch_text.sources import guard_name

_ENTRY = re.compile(r"(?P<entry>!?\d+/\d+(?:/\d+)?(?:_\d+)?): ?(?P<text>.*)", re.DOTALL)
_STACK = re.compile(r"\n\s*(?:- )?User stack trace:\n")
_LINE = re.compile(r'File "(?P<file>[^"\n]+)", line (?P<line>\d{1,9}), in (?P<function>\S+)')
_TENSOR = re.compile(r"tensor '(?P<name>.+?)' (?P<what>.+)", re.DOTALL)
_NO_TENSOR = re.compile(
    r"expected type of '(?P<name>.+?)' to be a tensor type,?[ ']*but found <class '(?P<type>.+?)'>"
)
_SIZE = re.compile(
    r"(?P<field>size|stride) mismatch at index (?P<index>\d{1,2})\. expected (?P<expected>-?\d+),"
    r" actual (?P<actual>-?\d+)"
)
_PLAIN = re.compile(
    r"(?P<field>dtype|rank) mismatch\. expected (?P<expected>\S+), actual (?P<actual>\S+)"
)
_GRAD = re.compile(r"requires_grad mismatch\. expected requires_grad=(?P<expected>\d)")
_DEVICE = re.compile(
    r"[Dd]evice index mismatch\. Expected device index to be (?P<expected>-?\w+),"
    r" got (?P<actual>-?\w+)"
)
_STATE = re.compile(r"GLOBAL_STATE changed:(?P<names>.*)")
_OTHER_TYPE = re.compile(r"TYPE_MISMATCH\((?P<source>.+)\)")
_GONE = re.compile(
    r"(?:(?P<key>KeyError|IndexError) on|getattr failed on source|.*?failed on source:?)"
    r" (?P<source>.+)"
)
_BACKEND = "BACKEND_MATCH"
_BACKENDS = re.compile(r"Cached backend: (?P<expected>.+?)\. New backend: (?P<actual>.+?)\. If ")
_UNEXPECTED = "Unexpected recompilation"
_DTYPES = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": "bfloat16",
    "Int": "int32",
    "Long": "int64",
    "Short": "int16",
    "Char": "int8",
    "Byte": "uint8",
    "Bool": "bool",
    "ComplexFloat": "complex64",
    "ComplexDouble": "complex128",
}
"""c10::toString of a ScalarType (c10/core/ScalarType.h), and what Python calls it."""


@dataclass(frozen=True, slots=True)
class RecompileReason:
    """Why one cache entry did not match: its id, torch's text, and the user's line that guarded."""

    entry: str
    text: str
    user_line: Location | None = None

    @property
    def bare(self) -> str:
        """The condition alone, its local variables without ``L[…]``: as every version writes it."""
        return guard_name(body_of(self.text))


@dataclass(frozen=True, slots=True)
class TensorReason:
    """What differs of a tensor, by name: the field, the place in it, what was wanted, what came.

    ``place`` is None where the whole field is told, ``actual`` is empty where torch leaves it out.
    """

    name: str
    field: str = ""
    place: int | None = None
    expected: str = ""
    actual: str = ""
    other_type: str = ""


def read_reason(text: str) -> RecompileReason:
    """The parts of one reason; the entry is empty where the text names none."""
    match = _ENTRY.match(text)
    entry, whole = (match["entry"], match["text"]) if match else ("", text)
    said, *stack = _STACK.split(whole, maxsplit=1)
    lines = list(_LINE.finditer(stack[0])) if stack else []
    place = None
    if lines:
        last = lines[-1]
        place = Location(last["file"], int(last["line"]), last["function"])
    return RecompileReason(entry, said.strip(), place)


def tensor_reason(text: str) -> TensorReason | None:
    """What torch says of a tensor; None of another reason."""
    other = _NO_TENSOR.search(text)
    if other is not None:
        return TensorReason(other["name"], "type", other_type=other["type"])
    match = _TENSOR.match(text)
    if match is None:
        return None
    name, what = match["name"], match["what"]
    if (size := _SIZE.search(what)) is not None:
        place = int(size["index"])
        return TensorReason(name, size["field"], place, size["expected"], size["actual"])
    if (plain := _PLAIN.search(what)) is not None:
        pair = [_DTYPES.get(plain[side], plain[side]) for side in ("expected", "actual")]
        return TensorReason(name, plain["field"], None, *pair)
    if (grad := _GRAD.search(what)) is not None:
        wanted = grad["expected"] != "0"
        return TensorReason(name, "requires_grad", None, str(wanted), str(not wanted))
    if (device := _DEVICE.search(what)) is not None:
        return TensorReason(name, "device", None, device["expected"], device["actual"])
    return TensorReason(name)


def changed_settings(text: str) -> tuple[str, ...]:
    """The settings of torch's global state that a reason names."""
    match = _STATE.match(text)
    return tuple(match["names"].split()) if match else ()


def other_type(text: str) -> str:
    """The dictionary that is of another class; empty of another reason.

    ``DictGuardManager::check_verbose_nopybind`` in torch/csrc/dynamo/guards.cpp, 2.8 to 2.14.
    """
    match = _OTHER_TYPE.fullmatch(body_of(text))
    return match["source"] if match else ""


def unreadable_source(text: str) -> tuple[str, bool]:
    """A source that can't be read any more, and whether it is a key or an index; empty for none."""
    match = _GONE.match(body_of(text))
    return (match["source"].strip(), match["key"] is not None) if match else ("", False)


def backends_in(text: str) -> tuple[str, str] | None:
    """The backend of the entry and the new one (2.10); None of another reason."""
    if not text.startswith(_BACKEND):
        return None
    match = _BACKENDS.search(text)
    return (match["expected"], match["actual"]) if match else ("", "")


def is_unexpected(text: str) -> bool:
    """Whether torch found no guard that fails: by 2.10 it says so, before it says nothing."""
    return not text or text.startswith(_UNEXPECTED)
