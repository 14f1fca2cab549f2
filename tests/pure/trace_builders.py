"""Trace logs as torch writes them, by a few calls: no torch is needed, and no file."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from esper_audit.traces.process_log import ProcessLog
from esper_audit.traces.reader import Reader

TREE = (
    "",
    "TREE_GUARD_MANAGER:",
    "+- RootGuardManager",
    "| +- GLOBAL_STATE: ___check_global_state()",
    "| +- GuardManager: source=L['x'], accessed_by=FrameLocalsGuardAccessor(key='x', framelocals_idx=0)",
    "| | +- TENSOR_MATCH: check_tensor(L['x'], Tensor, DispatchKeySet(CPU), torch.float32, device=None, requires_grad=False, size=[3], stride=[1])",
    "| +- GuardManager: source=L['n'], accessed_by=FrameLocalsGuardAccessor(key='n', framelocals_idx=1)",
    "| | +- EQUALS_MATCH: L['n'] == 1",
    "",
    "Guard latency = 87.13 us",
)
"""The guards of a frame that takes a tensor and a number, as torch 2.14 writes them."""


@dataclass
class Log:
    """The log of one process. ``torch`` is the version that writes it, as (2, 13)."""

    pid: int = 100
    rank: int | None = None
    torch: tuple[int, int] = (2, 13)
    lines: list[str] = field(default_factory=list)
    names: dict[str, int] = field(default_factory=dict)
    clock: float = 1_700_000_000.0

    def __bytes__(self) -> bytes:
        return self.text.encode()

    @property
    def text(self) -> str:
        return "".join(f"{line}\n" for line in self.lines)

    def record(
        self,
        kind: str,
        about: Any = None,
        payload: Any = None,
        ident: str | None = None,
        attempt: int | None = 0,
        **more: Any,
    ) -> Log:
        """One record; ``id`` is that of a compile, as 0/1 or !0/0/1."""
        envelope: dict[str, Any] = {kind: {} if about is None else about}
        if self.rank is not None and kind != "str":
            envelope["rank"] = self.rank
        envelope |= _ids(ident, attempt) | more
        text = payload if payload is None or isinstance(payload, str) else _json(payload)
        if text is not None:
            envelope["has_payload"] = hashlib.md5(text.encode()).hexdigest()
        self.lines.append(f"{self._prefix()} {json.dumps(envelope)}")
        if text is not None:
            self.lines += [f"\t{line}" for line in text.split("\n")]
        return self

    def artifact(self, name: str, payload: Any, ident: str | None = None, **more: Any) -> Log:
        encoding = "string" if isinstance(payload, str) else "json"
        return self.record("artifact", {"name": name, "encoding": encoding}, payload, ident, **more)

    def name(self, file: str) -> int:
        """The number of a file's name: told once."""
        if file not in self.names:
            self.names[file] = len(self.names)
            self.record("str", [file, self.names[file]])
        return self.names[file]

    def event(self, phase: str, name: str, ident: str | None = None, **args: Any) -> Log:
        self.clock += 0.5
        payload = {
            "name": name,
            "ts": self.clock * 1e6,
            "ph": phase,
            "args": {"compile_id": ident} | args,
        }
        return self.record("chromium_event", {}, payload, ident)

    def reasons(self, ident: str, *reasons: str) -> Log:
        """As each version writes them: since 2.11, one reason is bare text."""
        bare = self.torch >= (2, 11) and len(reasons) == 1
        return self.record(
            "artifact",
            {"name": "recompile_reasons", "encoding": "json"},
            reasons[0] if bare else list(reasons),
            ident,
        )

    def start(
        self,
        ident: str,
        file: str = "train.py",
        line: int = 7,
        function: str = "main",
        attempt: int = 0,
    ) -> Log:
        stack = [{"line": line, "name": function, "filename": self.name(file)}]
        return self.record("dynamo_start", {"stack": stack}, None, ident, attempt)

    def guards(self, ident: str, *lines: str, attempt: int = 0) -> Log:
        return self.record("dynamo_cpp_guards_str", {}, "\n".join(lines or TREE), ident, attempt)

    def metrics(
        self, ident: str, attempt: int = 0, kind: str = "compilation_metrics", **fields: Any
    ) -> Log:
        number = int(ident.split("/")[-1]) if "/" in ident else 0
        whole = {
            "compile_id": ident,
            "co_name": "f",
            "co_filename": "train.py",
            "co_firstlineno": 3,
            "cache_size": number,
            "accumulated_cache_size": number,
            "guard_count": 5,
            "graph_op_count": 2,
            "start_time": self.clock,
            "entire_frame_compile_time_s": 0.25,
            "fail_type": None,
            "has_guarded_code": True,
            "inductor_config": "{}",
        }
        if self.torch >= (2, 10):
            whole["pytorch_version"] = f"{self.torch[0]}.{self.torch[1]}.0"
        return self.record(kind, whole | fields, None, ident, attempt)

    def compile(
        self, ident: str, *reasons: str, guards: tuple[str, ...] = TREE, **fields: Any
    ) -> Log:
        """A whole compile, in the order in which torch writes it."""
        self.event("B", "dynamo", ident).event("B", "entire_frame_compile", ident)
        if reasons:
            self.reasons(ident, *reasons)
        self.start(ident).event("B", "backend_compile", ident).event("E", "backend_compile", ident)
        self.guards(ident, *guards)
        self.event("E", "entire_frame_compile", ident).metrics(ident, **fields)
        return self.event("E", "dynamo", ident)

    def _prefix(self) -> str:
        return f"V1125 03:16:01.123000 {self.pid} torch/_logging/structured.py:28]"


def read(data: bytes | Log, file: str = "trace.log", size: int = 1 << 20) -> list[ProcessLog]:
    """The processes of a log, fed in blocks of ``size`` bytes."""
    data = bytes(data)
    reader = Reader(file)
    for start in range(0, len(data), size):
        reader.feed(data[start : start + size])
    return reader.close()


def _json(payload: Any) -> str:
    if isinstance(payload, list):
        return "[\n" + ",\n".join(json.dumps(held) for held in payload) + "\n]"
    return json.dumps(payload, indent=0)


def _ids(ident: str | None, attempt: int | None) -> dict[str, int]:
    if ident is None:
        return {}
    numbers = [int(number) for number in ident.removeprefix("!").split("/")]
    ids = {"compiled_autograd_id": numbers.pop(0)} if ident.startswith("!") else {}
    ids |= dict(zip(("frame_id", "frame_compile_id"), numbers, strict=False))
    return ids | ({} if attempt is None else {"attempt": attempt})
