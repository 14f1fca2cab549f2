"""What is wrong with a file, and where in it, in words: msgspec tells it as code."""

from __future__ import annotations

import re

import msgspec

from esper_audit.data.clean import clean

_PLACE = re.compile(r" - at `\$?(.*)`$", re.DOTALL)
_STEP = re.compile(r"\.?([^.\[\]]+)|\[(\d+)\]|\[\.\.\.\]")
_TYPES = {
    "int": "a whole number",
    "float": "a number",
    "str": "a text",
    "bool": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}
_MISSING = re.compile(r"Object missing required field `(.*)`", re.DOTALL)
_UNKNOWN = re.compile(r"Object contains unknown field `(.*)`", re.DOTALL)


def misfit(error: msgspec.MsgspecError) -> str:
    """``entry 1, after_warm_up: expected a whole number >= 0, got a text``; from entry 1 on."""
    text = str(error)
    found = _PLACE.search(text)
    place = _in_words(found[1]) if found else ""
    what = _PLACE.sub("", text)
    what = _MISSING.sub(r"\1 is missing", _UNKNOWN.sub(r"\1 is unknown here", what))
    what = re.sub(r"`(\w+(?: \| \w+)*)`", _types, what)
    said = what[:1].lower() + what[1:]
    return clean(f"{place}: {said}" if place else said)


def _types(found: re.Match[str]) -> str:
    return " or ".join(_TYPES.get(kind, kind) for kind in found[1].split(" | "))


def _in_words(path: str) -> str:
    """``audits entry 1, recording, seconds``."""
    said = ""
    for step in _STEP.finditer(path):
        if step[1] is not None:
            said += f", {step[1]}"
        else:
            said += f" entry {int(step[2]) + 1}" if step[2] else " value"
    return said.removeprefix(",").strip()
