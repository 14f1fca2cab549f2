"""JSON as text, for files and for terminals."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from esper_audit.data.clean import UNSEEN
from esper_audit.data.text import to_json

_IN_JSON = re.compile(f"[\x7f-\x9f\ud800-\udfff\ufffe\uffff\u200c\u200d{UNSEEN}]|#(?=#\\w*\\[)")
"""What JSON may hold as it is, and a terminal or what runs jobs (``##[error]``) obeys."""


def json_text(value: Any, indent: int = 1) -> str:
    """Indented JSON of a value; equal when it is read, and steers no terminal it is printed on."""
    text = msgspec.json.format(to_json(value), indent=indent).decode()
    return _IN_JSON.sub(_escaped_in_json, text)


def escaped_json(value: Any) -> str:
    """JSON of a value on one line; equal when it is read, and steers no terminal either."""
    return _IN_JSON.sub(_escaped_in_json, to_json(value).decode())


def _escaped_in_json(found: re.Match[str]) -> str:
    """As JSON writes a character in ASCII: by one or two units of UTF-16."""
    units = found[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[place : place + 4]}" for place in range(0, len(units), 4))
