"""Edits as a unified diff that ``git apply`` takes; edits of one file, merged."""

from __future__ import annotations

import difflib
import itertools
import os
from collections.abc import Iterable, Iterator, Sequence

from esper_audit.data.remedies import Edit, digest

_NO_NEWLINE = "\n\\ No newline at end of file\n"
_QUOTED = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r"}

Change = tuple[int, int, tuple[str, ...]]
"""Lines from here to there, of the text as it was, and what stands in their place."""


def unified(edits: Iterable[Edit], root: str) -> str:
    """The diff of these edits, with paths relative to ``root``; empty where nothing changes.

    Line ends stay as they are, in CRLF files too.
    """
    return "".join(_of_file(edit, root) for edit in edits if edit.before != edit.after)


def relative(file: str, root: str) -> str:
    """A path below ``root`` as seen from there, with slashes; any other as it is."""
    inside = os.path.relpath(file, root) if os.path.isabs(file) and root else file  # noqa: PTH117
    return file if inside.startswith(os.pardir) else inside.replace(os.sep, "/")


def made_from(edits: Iterable[Edit], root: str) -> dict[str, str]:
    """The digest of each file as it was, by the paths of the diff."""
    return {relative(edit.file, root): digest(edit.before) for edit in edits}


def _of_file(edit: Edit, root: str) -> str:
    path = relative(edit.file, root)
    made = difflib.unified_diff(
        lines_of(edit.before), lines_of(edit.after), _name("a/", path), _name("b/", path)
    )
    return "".join(line if line.endswith("\n") else line + _NO_NEWLINE for line in made)


def _name(side: str, path: str) -> str:
    """As git writes it: quoted where it must be; a tab ends a name that holds a space."""
    if any(character in _QUOTED for character in path):
        return f'"{side}{"".join(_QUOTED.get(character, character) for character in path)}"'
    return f"{side}{path}\t" if " " in path else side + path


def lines_of(text: str) -> list[str]:
    """Lines with their ends, as git counts them: a form feed or a lone CR ends none."""
    lines = text.split("\n")
    return [f"{line}\n" for line in lines[:-1]] + ([lines[-1]] if lines[-1] else [])


def merged(edits: Iterable[Edit]) -> tuple[Edit, ...] | None:
    """Edits that were each made from the same files, as one for each file.

    None where two change the same lines in different ways.
    """
    found: dict[str, Edit] = {}
    for edit in edits:
        known = found.get(edit.file)
        together = edit if known is None else _merged(known, edit)
        if together is None:
            return None
        found[edit.file] = together
    return tuple(found.values())


def _merged(one: Edit, other: Edit) -> Edit | None:
    if one.before != other.before:
        return None
    if one.after == other.after:
        return one
    lines = lines_of(one.before)
    changes = sorted({*_changes(lines, one.after), *_changes(lines, other.after)})
    if any(_clash(*pair) for pair in itertools.pairwise(changes)):
        return None
    return Edit(file=one.file, before=one.before, after="".join(_applied(lines, changes)))


def _changes(lines: Sequence[str], after: str) -> Iterator[Change]:
    wanted = lines_of(after)
    matcher = difflib.SequenceMatcher(None, lines, wanted, autojunk=False)
    for tag, start, end, first, last in matcher.get_opcodes():
        if tag != "equal":
            yield start, end, tuple(wanted[first:last])


def _clash(one: Change, other: Change) -> bool:
    """Whether two changes, in order, touch: then nobody knows which lines come first."""
    return other[0] < one[1] or other[0] == one[0]


def _applied(lines: Sequence[str], changes: Iterable[Change]) -> Iterator[str]:
    place = 0
    for start, end, wanted in changes:
        yield from lines[place:start]
        yield from wanted
        place = end
    yield from lines[place:]
