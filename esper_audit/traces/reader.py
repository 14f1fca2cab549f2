"""A trace log, read once and in pieces of any size: bytes in, the logs of its processes out.

Processes are told apart by the process id before each record and by the rank in it, never by file
names: until torch 2.13 a forked child writes into its parent's file. A rank may come after the
first records of its process, as it is in none before torch.distributed is initialised. A process
numbers its file names from 0 (records ``str``): where 0 comes again, another process of the same
id has begun, as in logs that were put together.
"""

from __future__ import annotations

from collections.abc import Callable
from hashlib import md5

from msgspec import UNSET

from esper_audit.data.logs import Damage, DamageKind
from esper_audit.traces.collecting import ARTIFACTS, CACHES, Process, Texts
from esper_audit.traces.envelopes import (
    Envelope,
    NotJsonError,
    UnknownFormError,
    Unread,
    envelope_of,
    event_envelope_of,
    is_read,
    unread_of,
)
from esper_audit.traces.lines import Lines
from esper_audit.traces.process_log import LoggedCompile, ProcessLog
from esper_audit.traces.records import Record, goes_on, is_whole, plain, right_payload

MOST_TEXT = 120
"""Characters of what is damaged that are shown."""


_EVENT = b'{"chromium_event"'
_PAYLOAD = b'"has_payload": "'
_SIGN = len(_PAYLOAD)
_END = _SIGN + len('0123456789abcdef0123456789abcdef"}')
_MOST_HEADS = 4096


class Reader:
    """Reads one log as it grows: ``feed`` it, ``settle`` where it may have grown last, ``close``.

    ``ended`` is told each process whose log is at its end, so that it need not be kept.
    """

    def __init__(self, file: str, ended: Callable[[ProcessLog], None] | None = None) -> None:
        self.file = file
        self._lines = Lines(self._take, self._damage)
        self._texts = Texts()
        self._ended = ended
        self._logs: list[ProcessLog] = []
        self._now: dict[int, list[Process]] = {}  # by pid, the last to write is the last
        self._last: Process | None = None
        self._found: dict[tuple[int, DamageKind], Damage] = {}
        self._closing = False
        self._heads: dict[bytes, tuple[int | None, str | None]] = {}
        self._told: dict[int, int] = {}

    def feed(self, data: bytes) -> None:
        """The next bytes."""
        self._lines.feed(data)

    def settle(self) -> None:
        """Read the last record, if it is whole, though nothing has come after it yet."""
        self._lines.settle()

    def close(self) -> list[ProcessLog]:
        """The log has ended."""
        self._closing = True
        self._lines.close()
        for processes in self._now.values():
            for process in processes:
                self._end(process)
        self._now = {}
        return self.logs()

    def broke(self, text: str) -> None:
        """The file could not be read any further."""
        self._note(DamageKind.UNREADABLE, 0, text)

    def logs(self) -> list[ProcessLog]:
        """All processes so far, in order of their first records."""
        logs = list(self._logs)
        if not logs and self._found:
            logs = [ProcessLog(pid=None, files=(self.file,))]
        for log in logs:
            self._with_damage(log)
        return logs

    def new(self) -> list[tuple[ProcessLog, LoggedCompile]]:
        """Compiles that have their metrics, and were not in an answer before."""
        found = []
        for log in self._logs:
            seen = self._told.get(id(log), 0)
            while seen < len(log.compiles) and log.compiles[seen].metrics:
                found.append((log, log.compiles[seen]))
                seen += 1
            self._told[id(log)] = seen
        return found

    # --- records ---

    def _take(self, record: Record) -> None:
        try:
            if record.text.startswith(_EVENT):
                self._event(record)
            elif is_read(record.text):
                self._other(record, envelope_of(record.text))
            else:
                self._unread_kind(record, unread_of(record.text))
        except NotJsonError:
            if not self._lines.split(record):
                self._note_record(DamageKind.NOT_JSON, record)
        except UnknownFormError:
            self._count(self._process(record.pid, None), record)
            self._note_record(DamageKind.UNKNOWN_FORM, record)

    def _count(self, process: Process, record: Record) -> None:
        log = process.log
        log.records += 1
        log.size += len(record.text) + (len(record.payloads[-1]) if record.payloads else 0)

    def _event(self, record: Record) -> None:
        """Most records are events: what they need is written out, and little is called.

        But for the checksum, that is the last of it, an event's envelope is that of many others.
        """
        text = record.text.removesuffix(b"\r")
        head = text[:-_END] if text[-_END : _SIGN - _END] == _PAYLOAD else b""
        known = self._heads.get(head)
        payload: bytes | None = None
        if known is not None and len(record.payloads) == 1:
            rank, ident = known
            held = record.payloads[0]
            payload = plain(held)
            if md5(payload, usedforsecurity=False).hexdigest().encode() == text[-34:-2]:
                process = self._process(record.pid, rank)
                log = process.log
                log.records += 1
                log.size += len(text) + len(held)
            else:
                payload = None
        if payload is None:
            envelope = event_envelope_of(text)
            ident = envelope.compile_id
            process = self._process(record.pid, envelope.rank)
            if envelope.has_payload is None:
                self._count(process, record)
                self._note_record(DamageKind.UNKNOWN_FORM, record)
                return
            payload = self._payload(process, record, envelope.has_payload)
            if payload is None:
                return
            if head and len(self._heads) < _MOST_HEADS:
                self._heads[head] = (envelope.rank, ident)
        try:
            process.event(ident, record.line, payload)
        except (UnknownFormError, NotJsonError):
            self._note_record(DamageKind.UNKNOWN_FORM, record)

    def _known(self, record: Record, read: Callable[..., None], *args: object) -> None:
        """Read what may have another form than any torch writes."""
        try:
            read(*args)
        except (UnknownFormError, NotJsonError):
            self._note_record(DamageKind.UNKNOWN_FORM, record)

    def _unread_kind(self, record: Record, envelope: Unread) -> None:
        """A record of which nothing but its process is asked for."""
        process = self._process(record.pid, envelope.rank)
        if envelope.has_payload is None:
            self._count(process, record)
            if record.payloads:
                self._note_record(DamageKind.NOT_A_RECORD, record)
        elif self._closing:
            self._payload(process, record, envelope.has_payload)
        else:
            self._unread(process, record)

    def _other(self, record: Record, envelope: Envelope) -> None:
        process = self._process(record.pid, envelope.rank)
        if envelope.has_payload is not None:
            self._read_payload(process, record, envelope, envelope.has_payload)
            return
        self._count(process, record)
        if record.payloads:
            self._note_record(DamageKind.NOT_A_RECORD, record)
        if envelope.named is not UNSET:
            self._name(process, *envelope.named)
        elif envelope.dynamo_start is not UNSET:
            process.start(envelope, record.line, envelope.dynamo_start.stack or [])
        elif envelope.compilation_metrics is not UNSET:
            process.metrics(envelope, record.line, envelope.compilation_metrics)
        elif envelope.create_symbol is not UNSET:
            process.symbol(envelope, record.line, envelope.create_symbol)
        elif (later := envelope.later) is not UNSET:
            process.later(envelope, record.line, later)

    def _read_payload(
        self, process: Process, record: Record, envelope: Envelope, told: str
    ) -> None:
        artifact = envelope.artifact.name if envelope.artifact is not UNSET else ""
        guards = envelope.dynamo_cpp_guards_str is not UNSET
        if not (guards or artifact in ARTIFACTS or self._closing):
            self._unread(process, record)
        elif (payload := self._payload(process, record, told)) is None:
            return
        elif guards:
            process.guards(envelope, record.line, payload)
        elif artifact in ARTIFACTS:
            self._known(record, process.artifact, envelope, record.line, artifact, payload)
        if artifact in CACHES:
            process.cache(envelope, record.line, artifact)

    def _unread(self, process: Process, record: Record) -> None:
        """A payload that nobody reads: only where another record may begin in it, it is checked."""
        if not record.payloads:
            self._note_record(DamageKind.NO_PAYLOAD, record)
        elif goes_on(record.payloads[-1]) and not is_whole(record) and self._lines.split(record):
            return
        self._count(process, record)

    def _payload(self, process: Process, record: Record, told: str) -> bytes | None:
        """The payload, if it is the one that was written."""
        payload = right_payload(record, told)
        if payload is not None:
            self._count(process, record)
            return payload
        if not record.payloads:
            self._count(process, record)
            self._note_record(DamageKind.NO_PAYLOAD, record)
        elif not self._lines.split(record):
            self._count(process, record)
            self._note_record(DamageKind.OTHER_PAYLOAD, record)
        return None

    # --- processes ---

    def _process(self, pid: int, rank: int | None) -> Process:
        last = self._last
        if last is not None and last.log.pid == pid and (rank is None or rank == last.log.rank):
            return last
        processes = self._now.setdefault(pid, [])
        found = processes[-1] if processes else None
        if found is None:
            found = self._begin(pid)
        elif rank is not None and found.log.rank not in (None, rank):
            same = [process for process in processes if process.log.rank == rank]
            found = same[-1] if same else self._begin(pid)
            processes.remove(found)
            processes.append(found)
        if rank is not None:
            found.log.rank = rank
        self._last = found
        return found

    def _begin(self, pid: int) -> Process:
        others = [process for held in self._now.values() for process in held]

        def inherited(number: int) -> str | None:
            names = (process.names.get(number) for process in reversed(others))
            return next((name for name in names if name is not None), None)

        process = Process(pid, self.file, self._texts, inherited)
        self._now[pid].append(process)
        self._logs.append(process.log)
        return process

    def _name(self, process: Process, name: str, number: int) -> None:
        if number == 0 and 0 in process.names:
            process = self._unnamed(process) or self._after(process)
        process.names[number] = self._texts.one(name)

    def _unnamed(self, process: Process) -> Process | None:
        """Another rank with the same pid that has named no file yet: a name comes without rank."""
        others = self._now[process.log.pid or 0]
        return next((other for other in others if 0 not in other.names), None)

    def _after(self, process: Process) -> Process:
        """The process that has begun: its first records came before it named a file."""
        pid = process.log.pid or 0
        later = self._begin(pid)
        later.take_over(process)
        self._now[pid].remove(process)
        self._end(process)
        self._last = later
        return later

    def _end(self, process: Process) -> None:
        if self._ended is not None:
            self._with_damage(process.log)
            self._ended(process.log)
            self._logs.remove(process.log)
            self._told.pop(id(process.log), None)

    # --- damage ---

    def _damage(self, kind: DamageKind, line: int, text: bytes) -> None:
        self._note(kind, line, text.decode("utf-8", "replace"))

    def _note_record(self, kind: DamageKind, record: Record) -> None:
        if self._closing and kind is not DamageKind.UNKNOWN_FORM:
            kind = DamageKind.CUT_OFF
        self._note(kind, record.line, record.text[:MOST_TEXT].decode("utf-8", "replace"))

    def _note(self, kind: DamageKind, line: int, text: str) -> None:
        owner = id(self._last.log) if self._last is not None else 0
        known = self._found.get((owner, kind))
        if known is None:
            known = Damage(kind=kind, file=self.file, line=line, text=text[:MOST_TEXT], count=0)
        self._found[owner, kind] = Damage(
            kind=kind, file=self.file, line=known.line, text=known.text, count=known.count + 1
        )

    def _with_damage(self, log: ProcessLog) -> None:
        """The damage among its records; what no process had begun before is of the first."""
        first = not self._logs or log is self._logs[0]
        log.damage = [
            damage
            for (owner, _), damage in self._found.items()
            if owner == id(log) or (first and owner == 0)
        ]
