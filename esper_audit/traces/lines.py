"""The lines of a trace log, as its records: at the speed of searching bytes, and however damaged.

A record is a line that begins as ``V1125 03:16:01.123000 PID path/in/torch.py:LINE] {json}``
(``torch/_logging/_internal.py``, TorchLogsFormatter), and a payload: the lines after it that begin
with a tab. Blocks are cut at each line that begins with ``V``; only a piece that holds any other
line is read line by line. Empty lines are nothing: collectors of logs write some.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import msgspec

from esper_audit.data.logs import DamageKind

MOST_OPEN = 8 << 20
"""Bytes of a record that are kept before they are read line by line."""
MOST_PAYLOAD = 64 << 20
"""Bytes of a payload or a line: more are of no use to anybody, and could fill the memory."""
MOST_PREFIX = 200
"""What a launcher writes before each line is shorter."""

_HEAD = re.compile(rb"\d{4} \d\d:\d\d:\d\d\.\d+ +(\d{1,18}) [^\]\n]*\] (?=\{)")
"""Of a piece, without the ``V`` that it was cut at."""
ANYWHERE = re.compile(rb"[VIWEC]\d{4} \d\d:\d\d:\d\d\.\d+ +(\d{1,18}) [^\n{]{0,1000}?:\d+\] (?=\{)")
_CHECKSUM = re.compile(rb'"has_payload": ?"([0-9a-f]{32})"')
_BRACE = b'] {"'
_SAME_DIGIT = bytes.maketrans(b"123456789", b"000000000")


class Record(NamedTuple):
    """A record as it stands in the log.

    ``payloads`` are what its payload may be: where a line that belongs to nobody stands among its
    lines, it may end there or go on after it. The checksum tells. They are without their first tab;
    :func:`plain` takes out the others, as most payloads are read by nobody.
    """

    line: int
    pid: int
    text: bytes
    payloads: tuple[bytes, ...]


def plain(payload: bytes) -> bytes:
    """What torch was given to log."""
    return payload.replace(b"\n\t", b"\n")


def checksum(payload: bytes) -> str:
    """What torch writes as ``has_payload``."""
    return hashlib.md5(payload, usedforsecurity=False).hexdigest()


@dataclass(slots=True)
class _Open:
    """A record that is read line by line: its payload may go on."""

    line: int
    pid: int
    text: bytes
    groups: list[list[bytes]] = field(default_factory=lambda: [[]])
    size: int = 0

    def record(self) -> Record:
        """The record, with each payload that it may have."""
        lines: list[bytes] = []
        payloads: list[bytes] = []
        for group in self.groups:
            if group:
                lines += group
                payloads.append(b"\n\t".join(lines))
        return Record(self.line, self.pid, self.text, tuple(payloads))


class Lines:
    """Cuts what it is fed into records, and tells each, and each line that is none.

    ``record`` is called with each record, ``damaged`` with a kind, a line and what stands there.
    """

    def __init__(
        self,
        record: Callable[[Record], None],
        damaged: Callable[[DamageKind, int, bytes], None],
    ) -> None:
        self._record = record
        self._damaged = damaged
        self._tail: list[bytes] = []  # of a line that has not ended
        self._tail_size = 0
        self._line = 1  # of what comes next
        self._parts: list[bytes] = []  # whole lines, from a head to the next
        self._size = 0
        self._head: re.Match[bytes] | None = None  # of the first of them
        self._began = 1
        self._odd = False
        self._open: dict[bytes, _Open] = {}  # by the prefix of a launcher; mostly none
        self._last = b""
        self._orphaned = False

    def feed(self, data: bytes) -> None:
        """The next bytes of the log."""
        cut = data.rfind(b"\n")
        if cut < 0:
            self._unended(data)
            return
        block = b"".join((*self._tail, data[:cut]))
        self._tail, self._tail_size = [data[cut + 1 :]], len(data) - cut - 1
        self._block(block)

    def close(self) -> None:
        """The log has ended: what is open is whole, or cut off."""
        rest = b"".join(self._tail)
        self._tail, self._tail_size = [], 0
        if rest:
            self._block(rest)
        self._flush()
        self._finish_all()

    def settle(self) -> None:
        """Tell the last record now, if it is whole: for long, nothing may come after it."""
        if self._tail_size or self._head is None or self._open:
            return
        piece = b"\n".join(self._parts)
        if piece.count(b"\n") == piece.count(b"\n\t") and _is_whole(self._as_record(piece)):
            self._flush()

    def _unended(self, data: bytes) -> None:
        if self._tail_size <= MOST_PAYLOAD < self._tail_size + len(data):
            self._damaged(DamageKind.NOT_A_RECORD, self._line, self._tail[0][:MOST_PREFIX])
        self._tail_size += len(data)
        if self._tail_size > MOST_PAYLOAD:
            self._tail = [b""]
        else:
            self._tail.append(data)

    # --- pieces: from one line that begins with V to the next ---

    def _block(self, block: bytes) -> None:
        pieces = block.split(b"\nV")
        begins = block[:1] == b"V"
        odd = block.count(_BRACE) > len(pieces) - (not begins)
        if not begins:
            self._add(pieces[0], odd)
        else:
            pieces[0] = pieces[0][1:]
        for piece in pieces if begins else pieces[1:]:
            head = _HEAD.match(piece)
            if head is None:
                self._add(b"V" + piece, odd)
                continue
            self._flush()
            self._head, self._parts, self._began = head, [piece], self._line
            self._size, self._odd = len(piece), odd
            self._line += piece.count(b"\n") + 1

    def _add(self, lines: bytes, odd: bool) -> None:
        """Lines that go on with what is open."""
        if not self._parts:
            self._began = self._line
        self._parts.append(lines)
        self._size += len(lines)
        self._odd = True if self._odd else odd
        self._line += lines.count(b"\n") + 1
        if self._size > MOST_OPEN:
            self._read_lines(b"\n".join(self._parts))
            self._parts, self._head, self._size = [], None, 0

    def _flush(self) -> None:
        if not self._parts:
            return
        piece = self._parts[0] if len(self._parts) == 1 else b"\n".join(self._parts)
        if self._head is None or piece.count(b"\n") != piece.count(b"\n\t"):
            self._read_lines(piece)
        else:
            self._finish_all()
            self._tell(self._as_record(piece))
        self._parts, self._head, self._size, self._odd = [], None, 0, False

    def _as_record(self, piece: bytes) -> Record:
        assert self._head is not None
        start = self._head.end()
        end = piece.find(b"\n", start)
        pid = int(self._head[1])
        if end < 0:
            return Record(self._began, pid, piece[start:], ())
        return Record(self._began, pid, piece[start:end], (piece[end + 2 :],))

    def _tell(self, record: Record) -> None:
        """Tell a record, and those that begin inside of its lines: two processes wrote at once."""
        self._orphaned = False
        while self._odd:
            lines = b"\n\t".join((record.text, *record.payloads[-1:]))
            found = ANYWHERE.search(lines)
            if found is None or _is_whole(record):
                break
            before = lines[: found.start()]
            self._record(_record_of(record.line, record.pid, before.removesuffix(b"\n\t")))
            line = record.line + before.count(b"\n")
            record = _record_of(line, int(found[1]), lines[found.end() :])
        self._record(record)

    # --- line by line: what is damaged, and what a launcher has put a prefix before ---

    def _read_lines(self, piece: bytes) -> None:
        line = self._began
        if self._head is not None:
            self._finish_all()
            text, _, piece = piece.partition(b"\n")
            self._begin(b"", line, int(self._head[1]), text[self._head.end() :])
            line += 1
        for number, text in enumerate(piece.split(b"\n"), line):
            if text.strip(b"\r") and not self._continues(text, number):
                self._odd_line(text, number)

    def _begin(self, prefix: bytes, line: int, pid: int, text: bytes) -> None:
        self._finish(prefix)
        self._orphaned = False
        self._open[prefix] = _Open(line, pid, text)
        self._last = prefix

    def _continues(self, text: bytes, line: int) -> bool:
        """Whether it is a line of a payload: of the record with the same prefix."""
        tab = text.find(b"\t", 0, MOST_PREFIX)
        if tab < 0:
            return False
        record = self._open.get(text[:tab].translate(_SAME_DIGIT))
        if record is None:
            return self._is_orphan(text, line) if tab == 0 else False
        record.size += len(text)
        if record.size <= MOST_PAYLOAD:
            record.groups[-1].append(text[tab + 1 :])
        else:
            record.groups = [[b""]]  # there is one, and it is not kept
        return True

    def _is_orphan(self, text: bytes, line: int) -> bool:
        """A payload whose record is not there or is damaged: one damage, however many lines."""
        if not self._orphaned:
            self._damaged(DamageKind.NOT_A_RECORD, line, text[:MOST_PREFIX])
        self._orphaned = True
        return True

    def _odd_line(self, text: bytes, line: int) -> None:
        found = ANYWHERE.search(text)
        before = text if found is None else text[: found.start()]
        torn = len(before) > MOST_PREFIX or b"\t" in before or b"{" in before
        if found is None or torn:
            self._stray(before, line)
        if found is not None:
            prefix = b"" if torn else before.translate(_SAME_DIGIT)
            self._begin(prefix, line, int(found[1]), text[found.end() :])

    def _stray(self, text: bytes, line: int) -> None:
        self._damaged(DamageKind.NOT_A_RECORD, line, text[:MOST_PREFIX])
        record = self._open.get(self._last)
        if record is not None:
            record.groups.append([])
        else:
            self._orphaned = True

    def _finish(self, prefix: bytes) -> None:
        record = self._open.pop(prefix, None)
        if record is not None:
            self._odd = True
            self._tell(record.record())

    def _finish_all(self) -> None:
        for prefix in list(self._open):
            self._finish(prefix)


def _record_of(line: int, pid: int, lines: bytes) -> Record:
    text, end, payload = lines.partition(b"\n\t")
    return Record(line, pid, text, (payload,) if end else ())


def _is_whole(record: Record) -> bool:
    """Whether nothing is missing of a record, as far as it can be told."""
    told = _CHECKSUM.search(record.text)
    if told is not None:
        return any(checksum(plain(held)).encode() == told[1] for held in record.payloads)
    try:
        msgspec.json.decode(record.text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False
    return not record.payloads
