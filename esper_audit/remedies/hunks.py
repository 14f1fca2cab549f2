"""What a unified diff changes, line by line of the files that it was made from."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

_HUNK = re.compile(r"@@ -(\d+)(?:,(\d+))? \+\d+(?:,(\d+))? @@")

_ESCAPE = re.compile(r"\\(.)")
_ESCAPED = {"t": "\t", "n": "\n", "r": "\r"}


@dataclass(frozen=True, slots=True)
class Change:
    """Lines ``old`` of a file, from line ``start`` on (counted from 0), that become ``new``.

    Without ``old``, the new lines come before line ``start``. Each line has its end, but for the
    last one of a file that has none.
    """

    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]

    @property
    def stop(self) -> int:
        """The line after the last old one."""
        return self.start + len(self.old)


Changes = dict[str, tuple[Change, ...]]
"""Those of each file, in the order of its lines."""


class OverlapError(ValueError):
    """Two patches change the same lines, each in another way."""


def changes_in(diff: str) -> Changes:
    """The changes of each file that a unified diff names; of what is no diff, none."""
    found: dict[str, tuple[Change, ...]] = {}
    file = ""
    lines = deque(diff.split("\n"))
    while lines:
        text = lines.popleft()
        if text.startswith("+++ "):
            file = _file(text)
        elif hunk := _HUNK.match(text):
            body = _body(lines, _count(hunk[2]), _count(hunk[3]))
            start = int(hunk[1]) - (hunk[2] != "0")
            found[file] = (*found.get(file, ()), *_changes(start, body))
    return found


def _file(text: str) -> str:
    """The name after ``+++ b/``, without a tab or a date behind it; git quotes odd ones."""
    name = text[4:].partition("\t")[0].rstrip("\r")
    if name.startswith('"'):
        name = _ESCAPE.sub(lambda found: _ESCAPED.get(found[1], found[1]), name[1:-1])
    return name.removeprefix("b/")


def _count(text: str | None) -> int:
    return 1 if text is None else int(text)


def _body(lines: deque[str], old: int, new: int) -> list[str]:
    """The lines of a hunk, taken from ``lines``, each with its sign and its end."""
    body: list[str] = []
    while lines and (old > 0 or new > 0 or lines[0].startswith("\\")):
        text = lines.popleft()
        if text.startswith("\\"):  # "No newline at end of file", of the line before
            body[-1:] = [found[:-1] for found in body[-1:]]
            continue
        body.append(f"{text or ' '}\n")
        old -= body[-1][0] in " -"
        new -= body[-1][0] in " +"
    return body


def _changes(start: int, body: Iterable[str]) -> Iterator[Change]:
    """Runs of removed and added lines, without the context between them."""
    old: list[str] = []
    new: list[str] = []
    for text in (*body, " "):
        if text[0] == "-":
            old.append(text[1:])
        elif text[0] == "+":
            new.append(text[1:])
        else:
            if old or new:
                yield Change(start, tuple(old), tuple(new))
                start += len(old)
            old, new = [], []
            start += 1


def merged(first: Changes, second: Changes) -> Changes:
    """Both; raises OverlapError where they change the same lines in different ways.

    Different lines that come before the same line stand one after the other.
    """
    found = dict(first)
    for file, changes in second.items():
        for change in changes:
            found[file] = _with(found.get(file, ()), change)
    return found


def _with(changes: Sequence[Change], change: Change) -> tuple[Change, ...]:
    if change in changes:
        return tuple(changes)
    for other in changes:
        if other.start < change.stop and change.start < other.stop:
            raise OverlapError
        if _is_inside(change, other) or _is_inside(other, change):
            raise OverlapError
    return tuple(sorted((*changes, change), key=lambda one: (one.start, one.stop)))


def _is_inside(inserted: Change, other: Change) -> bool:
    return not inserted.old and other.start < inserted.start < other.stop


class StaleError(ValueError):
    """A file is not what a patch was made from."""


def applied(text: str, changes: Iterable[Change]) -> str:
    """The text with the changes, its lines ended as they were.

    Raises StaleError where it does not hold the old lines at their places.
    """
    lines = _lines(text)
    end = "\r\n" if lines and lines[0].endswith("\r\n") else "\n"
    made: list[str] = []
    place = 0
    for change in changes:
        if list(map(_bare, lines[change.start : change.stop])) != list(map(_bare, change.old)):
            raise StaleError
        made += lines[place : change.start]
        made += [f"{_bare(new)}{end if new.endswith(chr(10)) else ''}" for new in change.new]
        place = change.stop
    return "".join([*made, *lines[place:]])


def _lines(text: str) -> list[str]:
    """With their ends; a form feed or another separator ends none, as in a diff."""
    *whole, last = text.split("\n")
    return [*(f"{line}\n" for line in whole), *([last] if last else [])]


def _bare(line: str) -> str:
    return line.rstrip("\r\n")
