"""Guard sources and frame keys in the user's terms. Pure text."""

from __future__ import annotations

import os
import re
from pathlib import PurePath

from esper_audit.data.text import encodable
from esper_audit.torch_text.guard_trees import tree_of
from esper_audit.torch_text.user_terms import Known, Unknown, rewritten

_VARIABLE = re.compile(r"\b[LG]\[(?P<quote>['\"])(?P<name>[^'\"]+)(?P=quote)\]")
_LOCAL = re.compile(r"""L\[\s*['"](.*?)['"]\s*\]""")
_UNKNOWN = Unknown()
_STANDARD_LIBRARY = re.compile(r"python3\.\d+")
_RESUME_LINE = re.compile(r"(torch_dynamo_resume_in_\w+?)_at_\d+")


def in_user_terms(source: str, known: Known = _UNKNOWN) -> str:
    """``L['self']._modules['slot']._alpha`` as ``self.slot._alpha``.

    ``known`` tells what only live objects know. Of a text that is no expression, such as a reason
    of torch's, the variables alone are rewritten.
    """
    tree = tree_of(source)
    if tree is None:
        return _VARIABLE.sub(lambda match: match["name"], source)
    return rewritten(tree, known)


def guard_name(source: str) -> str:
    """``L['self'].alpha`` as ``self.alpha``: as a ``guard_filter_fn`` is told the name of a guard.

    As ``strip_local_scope`` of torch/_guards.py does (2.8 to 2.13).
    """
    return _LOCAL.sub(r"\1", source)


def frame_key(file: str, name: str, root: str) -> str:
    """A name of a frame that survives an edit elsewhere in its file, and a move of the checkout.

    Resume functions carry the line of their graph break in their name (torch 2.8 to 2.14).
    """
    name = _RESUME_LINE.sub(r"\1", name)
    return encodable(f"{_portable(PurePath(file), root).as_posix()}:{name}")


def _portable(path: PurePath, root: str) -> PurePath:
    """The path as it is on any machine with the same checkout and the same packages."""
    for number, part in reversed(list(enumerate(path.parts))):
        if part in ("site-packages", "dist-packages") or _STANDARD_LIBRARY.fullmatch(part):
            return PurePath(*path.parts[number + 1 :])
    if not (root and path.is_absolute()):
        return path
    # One folder up and another one down: a package beside the project, in the same checkout.
    return PurePath(os.path.relpath(path, root))
