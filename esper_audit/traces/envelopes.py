"""What is read of a record: the envelope, typed, and of the metrics only what somebody asks for.

Every record has one key of its own (``torch/_logging/_internal.py``, ``trace_structured``); keys
that are not named here are skipped without being made.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Struct, UnsetType

from esper_audit.data.numbers import Whole
from esper_audit.traces.metrics import Metrics


class Artifact(Struct):
    """The record of a text that torch logs by a name."""

    name: str


class Line(Struct):
    """A line of a stack, in a file that has a number or a name."""

    line: Any = None
    name: Any = ""
    filename: Any = None
    uninterned_filename: Any = None


class Start(Struct):
    """``dynamo_start``."""

    stack: list[Line] | None = None


class Symbol(Struct):
    """``create_symbol``, but for its stacks: they are long, and nobody asks for them."""

    symbol: Any = UNSET
    val: Any = UNSET
    source: Any = UNSET


class Envelope(Struct):
    """A record, as far as it is read."""

    rank: Whole | None = None
    frame_id: int | None = None
    frame_compile_id: int | None = None
    attempt: int | None = None
    compiled_autograd_id: int | None = None
    has_payload: str | None = None
    named: tuple[str, int] | UnsetType = msgspec.field(name="str", default=UNSET)
    dynamo_start: Start | UnsetType = UNSET
    dynamo_cpp_guards_str: Any = UNSET
    chromium_event: Any = UNSET
    artifact: Artifact | UnsetType = UNSET
    create_symbol: Symbol | UnsetType = UNSET
    compilation_metrics: Metrics | UnsetType = UNSET
    bwd_compilation_metrics: Metrics | UnsetType = UNSET
    compilation_metrics_runtime: Metrics | UnsetType = UNSET
    bwd_compilation_metrics_runtime: Metrics | UnsetType = UNSET
    aot_autograd_backward_compilation_metrics: Metrics | UnsetType = UNSET

    @property
    def compile_id(self) -> str | None:
        """The id as torch prints it; None where the record belongs to no compile."""
        return _compile_id(self.compiled_autograd_id, self.frame_id, self.frame_compile_id)

    @property
    def later(self) -> Any:
        """Metrics of a backward, or of a run time; UNSET of another record."""
        for metrics in (
            self.bwd_compilation_metrics,
            self.compilation_metrics_runtime,
            self.bwd_compilation_metrics_runtime,
            self.aot_autograd_backward_compilation_metrics,
        ):
            if metrics is not UNSET:
                return metrics
        return UNSET


class EventEnvelope(Struct):
    """The same of a ``chromium_event``: most records are one."""

    rank: Whole | None = None
    frame_id: int | None = None
    frame_compile_id: int | None = None
    compiled_autograd_id: int | None = None
    has_payload: str | None = None

    @property
    def compile_id(self) -> str | None:
        """The id as torch prints it; None where the record belongs to no compile."""
        return _compile_id(self.compiled_autograd_id, self.frame_id, self.frame_compile_id)


class Unread(EventEnvelope):
    """The same of a record of a kind that is not read."""

    attempt: int | None = None


class Event(Struct):
    """The payload of a ``chromium_event``; ``ts`` and ``dur`` are in microseconds, by the clock."""

    name: str
    ph: str
    ts: float
    dur: float = 0.0


class _Args(Struct):
    compile_id: str | None = None


class _EventArgs(Struct):
    args: _Args | None = None


class Version(Struct):
    """The payload of the artifact ``torch_version`` (torch 2.12 and newer)."""

    pytorch_version: str = ""


class NotJsonError(Exception):
    """The text is no JSON."""


class UnknownFormError(Exception):
    """The text is JSON, but not as any known torch writes it."""


_envelope = msgspec.json.Decoder(Envelope)
_event_envelope = msgspec.json.Decoder(EventEnvelope)
_unread = msgspec.json.Decoder(Unread)
_event_args = msgspec.json.Decoder(_EventArgs)
event_decoder = msgspec.json.Decoder(Event)
version_decoder = msgspec.json.Decoder(Version)


_SKIPS = re.compile(rb'\{"(?:create_symbol|dynamo_start)"')
_READ = frozenset(name.encode() for name in Envelope.__struct_encode_fields__)


def is_read(text: bytes) -> bool:
    """Whether a record is of a kind that is read: torch writes its own key first."""
    return text[2 : text.find(b'"', 2)] in _READ


def unread_of(text: bytes) -> Unread:
    """What is read of the others; raises NotJsonError or UnknownFormError."""
    try:
        return _unread.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        envelope: Unread = decoded(_unread, text)
        return envelope


def envelope_of(text: bytes) -> Envelope:
    """The envelope; raises NotJsonError or UnknownFormError.

    The decoder does not check what it skips, as the lines of stacks: bytes that are no text there
    are damage, too.
    """
    if not text.isascii() and _SKIPS.match(text):
        try:
            text.decode()
        except UnicodeDecodeError as error:
            raise NotJsonError(str(error)) from error
    envelope: Envelope = decoded(_envelope, text)
    return envelope


def event_envelope_of(text: bytes) -> EventEnvelope:
    """That of a ``chromium_event``; raises NotJsonError or UnknownFormError."""
    try:
        return _event_envelope.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError):
        envelope: EventEnvelope = decoded(_event_envelope, text)
        return envelope


def event_of(payload: bytes) -> Event:
    """Its payload; raises NotJsonError or UnknownFormError."""
    try:
        return event_decoder.decode(payload)
    except (msgspec.DecodeError, UnicodeDecodeError):
        event: Event = decoded(event_decoder, payload)
        return event


def compile_of_event(payload: bytes) -> str:
    """The compile that an event tells in its arguments; empty where there is none."""
    held = decoded(_event_args, payload)
    return (held.args.compile_id or "") if held.args else ""


def decoded(decoder: msgspec.json.Decoder[Any], text: bytes) -> Any:
    """JSON as Python writes it, with NaN; raises NotJsonError or UnknownFormError."""
    try:
        return decoder.decode(text)
    except msgspec.ValidationError as error:
        raise UnknownFormError(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError):
        pass
    try:
        return msgspec.convert(json.loads(text), decoder.type)
    except msgspec.ValidationError as error:
        raise UnknownFormError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise NotJsonError(str(error)) from error


@lru_cache(maxsize=1 << 16)
def _compile_id(autograd: int | None, frame: int | None, number: int | None) -> str | None:
    """As ``torch._guards.CompileId`` prints it."""
    if frame is None:
        return None if autograd is None else f"!{autograd}"
    own = f"{frame}/{'-' if number is None else number}"
    return own if autograd is None else f"!{autograd}/{own}"
