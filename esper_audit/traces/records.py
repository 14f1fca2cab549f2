"""A record as it stands in a log: its text, and what its payload may be."""

from __future__ import annotations

import hashlib
import re

import msgspec

ANYWHERE = re.compile(rb"[VIWEC]\d{4} \d\d:\d\d:\d\d\.\d+ +(\d{1,18}) [^\n{]{0,1000}?:\d+\] (?=\{)")
"""The head of a record, wherever it begins in a line."""
_BRACE = b'] {"'
_CHECKSUM = re.compile(rb'"has_payload": ?"([0-9a-f]{32})"')


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it stands in the log.

    ``payloads`` are what its payload may be: where a line that belongs to nobody stands among its
    lines, it may end there or go on after it. The checksum tells. They are lines as they stand in
    the log, each after its line's end and its tab, as most are read by nobody: see :func:`plain`.
    """

    line: int
    pid: int
    text: bytes
    payloads: tuple[bytes, ...]


def plain(payload: bytes) -> bytes:
    """What torch was given to log, of a text without tabs: JSON has none. Any line's end will do.

    It is faster than what takes tabs away at the beginnings of lines alone; the checksum tells
    whether it was enough.
    """
    return payload[2:].translate(None, b"\r\t")


def _with_tabs(payload: bytes) -> bytes:
    """The same, of any text."""
    return payload.replace(b"\n\t", b"\n")[1:]


def _of_windows(payload: bytes) -> bytes:
    """The same, of a log whose lines got other ends on their way."""
    return payload.replace(b"\r\n\t", b"\n").removesuffix(b"\r").removeprefix(b"\n\t")


def _with_gaps(payload: bytes) -> bytes:
    """The same, of a log with empty lines between its lines."""
    lines = payload.replace(b"\r\n", b"\n").removesuffix(b"\r").split(b"\n")
    return b"\n".join(line[1:] for line in lines if line)


_READINGS = (plain, _with_tabs, _of_windows, _with_gaps)


def checksum(payload: bytes) -> str:
    """What torch writes as ``has_payload``."""
    return hashlib.md5(payload, usedforsecurity=False).hexdigest()


def record_of(line: int, pid: int, lines: bytes) -> Record:
    text, _, payload = lines.removesuffix(b"\n\t").partition(b"\n")
    return Record(line, pid, text, (b"\n" + payload,) if payload else ())


def goes_on(payload: bytes) -> bool:
    """Whether another record may begin in its last line."""
    return payload.rfind(_BRACE, payload.rfind(b"\n")) >= 0


def is_whole(record: Record) -> bool:
    """Whether nothing is missing of a record, as far as it can be told."""
    told = _CHECKSUM.search(record.text)
    if told is not None:
        return right_payload(record, told[1].decode()) is not None
    try:
        msgspec.json.decode(record.text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not record.payloads


def right_payload(record: Record, told: str) -> bytes | None:
    """The payload that the checksum is of."""
    for reading in _READINGS:
        for payload in record.payloads:
            text = reading(payload)
            if checksum(text) == told:
                return text
    return None
