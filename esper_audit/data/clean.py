"""Every text on its way out: what a program, a file or a name holds steers nobody who shows it."""

from __future__ import annotations

import re

_NONE_OF_ITS_OWN = "\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff"
"""C0, DEL and C1, halves of surrogate pairs, and what is no character: XML can't hold most."""

UNSEEN = (
    "\xad\u061c\u180e"  # soft hyphen; marks of Arabic and Mongolian that show nothing
    "\u200b\u200e\u200f"  # zero width space, marks of direction
    "\u2028\u2029\u202a-\u202e"  # line and paragraph separators, embeddings and overrides
    "\u2060-\u206f\ufeff\ufff9-\ufffb"  # joiners, isolates, byte order mark, annotations
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e007f"  # formats, tags
)

_NEIGHBOUR = "\x00-\u02ff\u2000-\u206f"
_JOINERS = f"(?<=[{_NEIGHBOUR}])[\u200c\u200d]|^[\u200c\u200d]|[\u200c\u200d](?=[{_NEIGHBOUR}]|$)"
"""Zero width joiners make one sign of two, of emoji and scripts far from Latin: only there."""

_CONTROLS = re.compile(f"[{_NONE_OF_ITS_OWN}{UNSEEN}]|{_JOINERS}")

# What runs jobs obeys lines of their output: GitHub (`::error::`, `##[error]`), Azure
# (`##vso[…]`), TeamCity (`##teamcity[…]`). Some of them obey in the middle of a line.
_COMMANDS = (
    "add-mask|add-matcher|add-path|debug|echo|endgroup|error|group|notice|remove-matcher|save-state"
    "|set-env|set-output|stop-commands|warning"
)
_OBEYED = re.compile(rf"(?<!\w):(?=:[A-Za-z])|:(?=:(?:{_COMMANDS})(?: [^:]*)?::)|#(?=#\w*\[)", re.I)

_SHORT = {"\n": "\\n", "\r": "\\r"}


def clean(text: str) -> str:
    r"""The text on one line, to be shown as it is: ``\x1b``, ``\u202e`` and ``\n`` can be read.

    Letters, signs, accents and emoji of any script stay as they are. A tab becomes spaces.
    Cleaning what is clean changes nothing.
    """
    if text.isascii() and text.isprintable() and "::" not in text and "##" not in text:
        return text
    return _OBEYED.sub(_escaped, _CONTROLS.sub(_escaped, text.expandtabs(4)))


def clean_lines(text: str) -> str:
    """The same for a text of several lines, that are meant: a log, a message, a traceback."""
    return "\n".join(map(clean, text.replace("\r\n", "\n").split("\n")))


_STEERS = re.compile(r"\s*::|.*##\w*\[")
"""A line that what runs jobs would obey."""


def clean_code(text: str) -> str:
    r"""The lines of a text that is there to be copied: tabs and spaces at their ends stay.

    So does the carriage return of a line that ends in one. What steers a terminal or what runs jobs
    is escaped, as :func:`clean` does it.
    """
    return "\n".join(map(_clean_line, text.split("\n")))


def _clean_line(text: str) -> str:
    body, end = (text[:-1], "\r") if text.endswith("\r") else (text, "")
    parts = body.split("\t")
    if _STEERS.match(body) or not all(part.isprintable() for part in parts):
        body = "\t".join(map(clean, parts))
    return f"{body}{end}"


def _escaped(found: re.Match[str]) -> str:
    character = found[0]
    code = ord(character)
    if character in _SHORT:
        return _SHORT[character]
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"
