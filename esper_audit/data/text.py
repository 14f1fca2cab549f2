"""Text from outside, as UTF-8 can hold it: the one place that knows of lone surrogates.

A file name that is no UTF-8 (PEP 383), an exception, a label or an attribute may hold one. JSON
can't, and neither can a file or a message between processes.
"""

from __future__ import annotations

import os
import re
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")
_ESCAPED_BYTE = re.compile(r"\\u(dc[89a-f][0-9a-f])")


def encodable(value: T) -> T:
    r"""The value, each lone surrogate in its texts written as an escape such as ``\udce9``.

    ``value`` is a text, or data of ours of any depth; it is returned as it is if it holds none.
    """
    if isinstance(value, str) and type(value) is str and value.isascii():
        return value
    try:
        msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError):  # the latter of a subclass of str
        plain = _plain(msgspec.to_builtins(value, enc_hook=_text))
        return plain if isinstance(value, str) else msgspec.convert(plain, type(value))
    return value


def to_json(value: Any) -> bytes:
    """The value as JSON, whatever its texts hold."""
    try:
        return msgspec.json.encode(value)
    except (UnicodeEncodeError, TypeError):
        return msgspec.json.encode(_plain(msgspec.to_builtins(value, enc_hook=_text)))


def on_disk(path: str) -> str:
    """The path of a file whose name :func:`encodable` may have changed, to open it by."""
    if os.path.lexists(path):
        return path
    return _ESCAPED_BYTE.sub(lambda escape: chr(int(escape[1], 16)), path)


def _plain(value: Any) -> Any:
    if isinstance(value, str):
        return str.__str__(value).encode("utf-8", "backslashreplace").decode()
    if isinstance(value, dict):
        return {_plain(key): _plain(held) for key, held in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(held) for held in value]
    return value


def _text(value: Any) -> str:
    """A subclass of str, which msgspec does not know."""
    if isinstance(value, str):
        return str.__str__(value)
    raise TypeError(f"{type(value).__name__} is no data of ours")
