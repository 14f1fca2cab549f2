"""What the hooks tell a listener, in plain words. Moments are those of ``time.perf_counter``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from esper_audit.data.compiles import GraphBreak, GuardFailure, RunsAfter, Write
from esper_audit.data.places import Location
from esper_audit.data.stages import Stage


@dataclass(frozen=True, slots=True)
class Code:
    """A code object in plain words; ``module`` is set where torch wraps the user's callable."""

    name: str
    file: str
    line: int
    module: str = ""


@dataclass(frozen=True, slots=True)
class Begin:
    """What is known as a compile starts."""

    code: Code
    compile_id: str
    cache_entries: int
    recompiles_left: int | None
    accumulated_recompiles_left: int | None
    guard_failures: tuple[GuardFailure, ...]
    stack: tuple[Location, ...]
    instance: str
    thread: str
    writes: tuple[Write, ...] = ()
    direct: bool = True
    dynamic: bool = False


@dataclass(frozen=True, slots=True)
class End:
    """How a compile ended. ``seconds`` is wall time.

    ``limit`` names the limit that was hit, ``refused_by`` what told torch to raise instead of
    compiling; empty for none. ``failed``: it ended with an error; ``unsupported``: with one that
    says that Dynamo can't trace the code. ``detail``, ``hints`` and ``stopped_at`` are as of a
    compile.
    """

    compiled: bool
    limit: str
    failed: bool
    reason: str
    graph_breaks: tuple[GraphBreak, ...]
    seconds: float
    refused_by: str = ""
    unsupported: bool = False
    detail: str = ""
    hints: tuple[str, ...] = ()
    stopped_at: Location | None = None
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Stages:
    """Torch's own figures of a compile (CompilationMetrics, torch/_dynamo/utils.py).

    ``parts`` are the stages of a backward that is compiled outside of any other compile.
    """

    compile_id: str
    backward: bool
    total: float | None
    dynamo: float | None
    aot_autograd: float | None
    backend: float | None
    guard_count: int | None
    guard_latency_us: float | None
    graph_ops: int | None
    restarts: tuple[str, ...]
    torch_reason: str
    began: float | None = None
    parts: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Returned:
    """What torch decided of a frame, once it is done with it, and which line called the frame."""

    code: Code
    runs_after: RunsAfter
    reason: str
    direct: bool
    called_from: Location | None = None
    by_rule: bool = False
    ran: str = ""
    within: tuple[Location, ...] = ()
    operation: Location | None = None


class Listener(Protocol):
    """Who is told. Methods run inside torch's compile lock and must be quick."""

    def compile_began(self, begin: Begin | None) -> object:
        """Returns a token that comes back with the end; ``begin`` is None if a hook failed."""

    def compile_ended(self, token: object, end: End) -> None: ...
    def graph_made(self, token: object, runs: Callable[[], int]) -> None:
        """``runs`` gives how often the compiled graph ran up to now."""

    def stages_known(self, stages: Stages) -> None: ...
    def frame_returned(self, returned: Returned, token: object) -> None: ...
    def stance_set(self, stance: str, location: Location | None) -> None: ...
    def device_work(self, kind: str, compile_id: str, began: float, seconds: float) -> None: ...
    def hook_failed(self, hook: str, trace: str) -> None: ...
