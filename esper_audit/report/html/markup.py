"""Markup, escaped as it is made: a string becomes text, only what was made here is markup."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from esper_audit.data.clean import clean

Value = str | int | bool | None

_VOID = frozenset({"meta"})
_SHAPES = frozenset({"rect", "line"})


class Markup(str):
    """A string that is HTML already."""

    __slots__ = ()


NOTHING = Markup("")


def text(content: str) -> Markup:
    """A string as text on one line, or what is markup already as it is."""
    if isinstance(content, Markup):
        return content
    return Markup(escape(clean(content), quote=False))


def verbatim(content: str) -> Markup:
    """A line of code, which is clean already: its tabs stay."""
    return Markup(escape(content, quote=False).replace("\t", "&#9;").replace("\r", "&#13;"))


def together(parts: Iterable[str]) -> Markup:
    """Parts one after the other."""
    return Markup("".join(map(text, parts)))


def tag(name: str, /, *content: str, **attributes: Value) -> Markup:
    """An element; ``class_`` is ``class``, and ``aria_label`` is ``aria-label``.

    An attribute that is None, False or an empty class is left out, one that is True has no value.
    """
    head = f"{name}{''.join(_attribute(key, value) for key, value in attributes.items())}"
    if name in _VOID:
        return Markup(f"<{head}>")
    if name in _SHAPES and not content:
        return Markup(f"<{head} />")
    return Markup(f"<{head}>{together(content)}</{name}>")


def _attribute(key: str, value: Value) -> str:
    if value is None or value is False or (value == "" and key == "class_"):
        return ""
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    said = clean(str(value))
    bare = _BARE.fullmatch(said) is not None
    return f" {name}={said}" if bare else f' {name}="{escape(said)}"'


_BARE = re.compile(r"[\w.:#%-]+", re.ASCII)
"""What an attribute may hold without quotes, which makes a page of many rows smaller."""
