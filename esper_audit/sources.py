"""Guard sources and frame keys in the user's terms. Pure text."""

from __future__ import annotations

import re
from pathlib import PurePath

_REWRITES = (
    (re.compile(r"\[list\(dict\.keys\(.*?\)\)\[(\d+)\]\]"), r"[key \1]"),
    (re.compile(r"\bL\['(\w+)'\]"), r"\1"),
    (re.compile(r"\bG\['(\w+)'\]"), r"\1"),
    (re.compile(r"\._modules\['(\d+)'\]"), r"[\1]"),
    (re.compile(r"\._(?:modules|parameters|buffers)\['(\w+)'\]"), r".\1"),
    (re.compile(r"\._(?:modules|parameters|buffers)\['([^']+)'\]"), r"['\1']"),
    (re.compile(r"\.__dict__\['(\w+)'\]"), r".\1"),
    (re.compile(r"\.__closure__\[(\d+)\]\.cell_contents"), r".<closure \1>"),
)


_RESUME_LINE = re.compile(r"(torch_dynamo_resume_in_\w+?)_at_\d+")


def in_user_terms(source: str, wrapped: bool = False) -> str:
    """``L['self']._modules['slot']._alpha`` as ``self.slot._alpha``.

    ``wrapped``: the frame is torch's wrapper around a module of torch, which calls it ``fn``.
    """
    if wrapped:
        source = source.replace("L['fn']", "L['self']")
    for pattern, replacement in _REWRITES:
        source = pattern.sub(replacement, source)
    return source


def frame_key(file: str, name: str, root: str) -> str:
    """A name of a frame that survives an edit elsewhere in its file, and a move of the checkout.

    Resume functions carry the line of their graph break in their name (torch 2.8 to 2.14).
    """
    name = _RESUME_LINE.sub(r"\1", name)
    path = PurePath(file)
    if "site-packages" in path.parts:
        path = PurePath(*path.parts[path.parts.index("site-packages") + 1 :])
    elif path.is_relative_to(root):
        path = path.relative_to(root)
    return f"{path.as_posix()}:{name}"
