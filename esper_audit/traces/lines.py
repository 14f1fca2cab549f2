"""The lines of a trace log, as its records: at the speed of searching bytes, and however damaged.

A record is a line that begins as ``V1125 03:16:01.123000 PID path/in/torch.py:LINE] {json}``
(``torch/_logging/_internal.py``, TorchLogsFormatter), and a payload: the lines after it that begin
with a tab. One search finds the lines that don't; only where one of them is no head, lines are read
one by one. Empty lines are nothing: collectors of logs write some.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from esper_audit.data.logs import DamageKind
from esper_audit.traces.records import ANYWHERE, Record, is_whole, record_of

MOST_OPEN = 8 << 20
"""Bytes of a record that are kept before they are read line by line."""
MOST_PAYLOAD = 64 << 20
"""Bytes of a payload or a line: more are of no use to anybody, and could fill the memory."""
MOST_PREFIX = 200
"""What a launcher writes before each line is shorter."""

_LINES = re.compile(rb"\n(?:V\d{4} \d\d:\d\d:\d\d\.\d+ +(\d{1,18}) [^\]\n]*\] (?=\{)|(?=[^\t\n]))")
"""Where lines begin that do so with no tab: heads, with their process, and whatever else is there.

The ends of lines are searched for apart: some have tens of thousands of characters.
"""
_TAB = b"\n\t"
_MOST_TORN = 64
_MOST_PREFIXES = 4096
_SAME_DIGIT = bytes.maketrans(b"123456789", b"000000000")


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
                payloads.append(b"\n\t" + b"\n\t".join(lines))
        return Record(self.line, self.pid, self.text, tuple(payloads))


class Lines:
    """Cuts what it is fed into records, and tells each, and each line that is none.

    ``record`` is called with each record, and may ask to :meth:`split` it; ``damaged`` is called
    with a kind, a line and what stands there.
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
        self._head: tuple[int, bytes] | None = None  # the process and the text of a record
        self._began = 0  # the line before the rest, or of the head
        self._rest: list[bytes] = []  # the lines after it, each with the line's end before it
        self._size = 0
        self._regular = True  # all of them begin with a tab
        self._open: dict[bytes, _Open] = {}  # by the prefix of a launcher; mostly none
        self._timed: set[bytes] = set()  # prefixes that differ in digits alone, as times do
        self._last = b""
        self._orphaned = False
        self._splitting = False

    def feed(self, data: bytes) -> None:
        """The next bytes of the log."""
        cut = data.rfind(b"\n")
        if cut < 0:
            self._unended(data)
            return
        first = data.find(b"\n")
        line = b"".join((b"\n", *self._tail, data[:first]))
        self._tail, self._tail_size = [data[cut + 1 :]], len(data) - cut - 1
        self._block(line, 0, len(line))
        if first < cut:
            self._block(data, first, cut)

    def close(self) -> None:
        """The log has ended: what is open is whole, or cut off."""
        rest = b"".join(self._tail)
        self._tail, self._tail_size = [], 0
        if rest:
            self._block(b"\n" + rest, 0, len(rest) + 1)
        self._flush()
        self._finish_all()

    def settle(self) -> None:
        """Tell the last record now, if it is whole: for long, nothing may come after it."""
        if self._tail_size or self._head is None or self._open or not self._regular:
            return
        if is_whole(self._as_record(self._head)):
            self._flush()
            self._began = self._line - 1

    def _unended(self, data: bytes) -> None:
        if self._tail_size <= MOST_PAYLOAD < self._tail_size + len(data):
            self._damaged(DamageKind.NOT_A_RECORD, self._line, self._tail[0][:MOST_PREFIX])
        self._tail_size += len(data)
        if self._tail_size > MOST_PAYLOAD:
            self._tail = [b""]
        else:
            self._tail.append(data)

    # --- pieces: from one head to the next ---

    def _block(self, block: bytes, begin: int, stop: int) -> None:
        """Whole lines, a line's end before each; what is after ``stop`` is none of them."""
        done = counted = begin
        line = self._line - 1
        take = self._record
        for found in _LINES.finditer(block, begin, stop):
            start, text_start = found.span()
            end = block.find(b"\n", text_start, stop)
            if end < 0:
                end = stop
            pid = found[1]
            if pid is None:
                self._rest.append(block[done:end])
                self._regular = False
                done = end
                continue
            head = self._head
            if head is not None and self._regular and not self._rest and not self._open:
                # The usual case, written out: a head, and its payload in the same block.
                if done == start:
                    self._head = None
                    take(Record(self._began, head[0], head[1], ()))
                elif block.startswith(_TAB, done):
                    self._head = None
                    take(Record(self._began, head[0], head[1], (block[done:start],)))
                    done = start
            if done < start:
                self._rest.append(block[done:start])
            if self._head is not None or self._rest:
                self._flush()
            if done == start == counted:  # a head alone, after another
                line += 1
            else:
                line += block.count(b"\n", counted, start + 1)
            done = end
            counted = end
            self._head = (int(pid), block[text_start:end])
            self._orphaned = False
            self._began = line
        if done < stop:
            self._rest.append(block[done:stop])
        self._line = line + 1 + block.count(b"\n", counted, stop)
        self._size += stop - done
        if self._size > MOST_OPEN:
            self._read_lines()

    def _flush(self) -> None:
        if self._head is None or not self._regular:
            if self._rest or self._head:
                self._read_lines()
            return
        if self._open:
            self._finish_all()
        self._orphaned = False
        record = self._as_record(self._head)
        self._rest, self._head, self._size = [], None, 0
        self._record(record)

    def _as_record(self, head: tuple[int, bytes]) -> Record:
        rest = self._rest
        if not rest:
            return Record(self._began, head[0], head[1], ())
        payload = rest[0] if len(rest) == 1 else b"".join(rest)
        if payload[1:2] != b"\t":  # empty lines before it, or alone
            payload = payload.lstrip(b"\n")
            payload = b"\n" + payload if payload else b""
        return Record(self._began, head[0], head[1], (payload,) if payload else ())

    def split(self, record: Record) -> bool:
        """Tell the records that begin inside of the lines of one, and what is left of it.

        Two processes wrote at once, or the end of a line is missing. False where none begins there.
        """
        lines = record.text + (record.payloads[-1] if record.payloads else b"")
        found = None if self._splitting else ANYWHERE.search(lines)
        if found is None:
            return False
        self._splitting = True
        self._record(record_of(record.line, record.pid, lines[: found.start()]))
        for _ in range(_MOST_TORN):
            line = record.line + lines.count(b"\n", 0, found.start())
            rest = record_of(line, int(found[1]), lines[found.end() :])
            again = ANYWHERE.search(lines, found.end())
            if again is None or is_whole(rest):
                break
            self._record(record_of(line, int(found[1]), lines[found.end() : again.start()]))
            found = again
        self._record(rest)
        self._splitting = False
        return True

    # --- line by line: what is damaged, and what a launcher has put a prefix before ---

    def _read_lines(self) -> None:
        """Read what is open line by line; its last record stays open."""
        line = self._began
        if self._head is not None:
            self._finish_all()
            self._begin(b"", line, *self._head)
        for number, text in enumerate(b"".join(self._rest).split(b"\n"), line):
            if text.strip(b"\r") and not self._continues(text, number):
                self._odd_line(text, number)
        self._rest, self._head, self._size, self._regular = [], None, 0, True
        self._began = self._line - 1

    def _begin(self, prefix: bytes, line: int, pid: int, text: bytes) -> None:
        alike = prefix.translate(_SAME_DIGIT)
        prefix = alike if alike in self._timed else prefix
        self._finish(prefix)
        if len(self._open) > _MOST_PREFIXES:
            self._finish_all()
        self._orphaned = False
        self._open[prefix] = _Open(line, pid, text)
        self._last = prefix

    def _continues(self, text: bytes, line: int) -> bool:
        """Whether it is a line of a payload: of the record with the same prefix."""
        tab = text.find(b"\t", 0, MOST_PREFIX)
        if tab < 0:
            return False
        record = self._open_record(text[:tab])
        if record is None:
            return self._is_orphan(text, line) if tab == 0 else False
        record.size += len(text)
        if record.size <= MOST_PAYLOAD:
            record.groups[-1].append(text[tab + 1 :])
        else:
            record.groups = [[b""]]  # there is one, and it is not kept
        return True

    def _open_record(self, prefix: bytes) -> _Open | None:
        """The record whose lines have this prefix, or one that has other digits: a time."""
        record = self._open.get(prefix)
        if record is None and prefix:
            alike = prefix.translate(_SAME_DIGIT)
            keys = [key for key in self._open if key.translate(_SAME_DIGIT) == alike]
            if keys and alike not in keys:
                self._timed.add(alike)
                self._open[alike] = self._open.pop(keys[-1])
                for key in keys[:-1]:
                    self._finish(key)
            record = self._open.get(alike)
            self._last = alike if record else self._last
        return record

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
            prefix = b"" if torn else before
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
            told = record.record()
            inside = any(ANYWHERE.search(payload) for payload in told.payloads)
            if not inside or is_whole(told) or not self.split(told):
                self._record(told)

    def _finish_all(self) -> None:
        for prefix in list(self._open):
            self._finish(prefix)
