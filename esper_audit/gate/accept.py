"""The command line that accepts what a gate has found."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence

from esper_audit.data.changes import ComparedAudit
from esper_audit.gate.update import NOT_ACCEPTED

_DROPPED = ("--output", "-o", "--format", "--save", "--fail-on", "--reason")
_DROPPED_FLAGS = (
    *("--allow-improvement", "--update-baseline", "--yes", "-y"),
    *("-q", "--quiet", "-v", "--verbose"),
)
_JOINED = (*(f"{name}=" for name in _DROPPED if name.startswith("--")), "-o")
"""How an option and its value make one argument."""


def accepting(arguments: Sequence[str], results: Sequence[ComparedAudit]) -> str:
    """The command line that accepts the state: ``arguments`` of gate, without what only reports.

    Empty where nothing that fails can be accepted.
    """
    if all(result.kind in NOT_ACCEPTED for result in results if result.fails):
        return ""
    words = ["esper-audit", "gate", "--update-baseline", *_kept(arguments)]
    return " ".join(_quoted(printable(word)) for word in words)


def _kept(arguments: Sequence[str]) -> Iterator[str]:
    rest = iter(arguments)
    for word in rest:
        if word in _DROPPED:
            next(rest, None)
        elif word not in _DROPPED_FLAGS and not word.startswith(_JOINED):
            yield word


def printable(text: str) -> str:
    """The text without bytes of a file name or argument that are no text (PEP 383)."""
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _quoted(word: str) -> str:
    """For a shell: on one line, whatever the word holds."""
    if word.isprintable():
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    """As bash reads it between ``$'`` and ``'``."""
    if character in "\\'":
        return f"\\{character}"
    code = ord(character)
    if character.isprintable():
        return character
    return f"\\x{code:02x}" if code < 128 else f"\\u{code:04x}"
