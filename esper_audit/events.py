"""What a recording holds: plain frozen data, known to torch in no way.

Every class here is saved as JSON by :mod:`esper_audit.storage`; the field names are the format.
Seconds are floats, latencies are in microseconds, lines count from 1, steps from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum


class Phase(StrEnum):
    """Warm-up: compiles are expected. Steady: none are."""

    WARM_UP = "warm-up"
    STEADY = "steady"


class Outcome(StrEnum):
    """How one attempt of Dynamo to compile a frame ended."""

    COMPILED = "compiled"
    RECOMPILED = "recompiled"
    SKIPPED = "skipped"
    FAILED = "failed"
    LIMIT = "limit"


class RunsAfter(StrEnum):
    """What torch does with later calls of the same code object."""

    COMPILE = "compile"
    EAGER = "eager"
    CACHED_ONLY = "cached-only"


@dataclass(frozen=True, slots=True)
class Location:
    """A line of source."""

    file: str
    line: int
    function: str = ""


@dataclass(frozen=True, slots=True)
class Frame:
    """What Dynamo compiles: the execution of one code object.

    ``key`` names the frame without line numbers, so that it survives an edit elsewhere in the
    file. ``name`` is the user's module where torch compiles a wrapper of its own; ``raw_name`` is
    always torch's.
    """

    name: str
    file: str
    line: int
    key: str
    raw_name: str


@dataclass(frozen=True, slots=True)
class GuardFailure:
    """One guard of one cache entry that was false at a lookup.

    ``source`` is in the user's terms, ``torch_source`` in torch's. ``text`` is torch's own text of
    the guard. ``accepted_by`` lists the cache entries that also guard this source and found its
    actual value acceptable. ``user_line`` is the line that made the guard.
    """

    cache_entry: str
    kind: str
    source: str
    expected: str
    actual: str
    text: str
    torch_source: str = ""
    accepted_by: tuple[str, ...] = ()
    user_line: Location | None = None
    recognized: bool = True


@dataclass(frozen=True, slots=True)
class GraphBreak:
    """A place where Dynamo ended a graph and resumed after it."""

    reason: str
    location: Location | None
    compile_id: str = ""


@dataclass(frozen=True, slots=True)
class Seconds:
    """Time of one compile. ``total`` is wall time; the parts are torch's own and may be unknown."""

    total: float
    dynamo: float | None = None
    aot_autograd: float | None = None
    backend: float | None = None


@dataclass(frozen=True, slots=True)
class Compile:
    """One attempt of Dynamo to compile a frame, successful or not.

    ``sequence`` orders the attempts of a recording; ``id`` is torch's compile id, which starts
    over after a reset. ``step`` is None outside every step. ``recompiles_left`` and
    ``accumulated_recompiles_left`` count down to ``recompile_limit`` and
    ``accumulated_recompile_limit``. ``torch_reasons`` is what torch itself would print.
    """

    sequence: int
    id: str
    frame: Frame
    outcome: Outcome
    step: int | None
    phase: Phase
    seconds: Seconds
    guard_failures: tuple[GuardFailure, ...] = ()
    torch_reasons: tuple[str, ...] = ()
    guard_count: int | None = None
    guard_latency_us: float | None = None
    graph_ops: int | None = None
    cache_entries_before: int = 0
    cache_entries_after: int = 0
    recompiles_left: int | None = None
    accumulated_recompiles_left: int | None = None
    graph_breaks: tuple[GraphBreak, ...] = ()
    restarts: tuple[str, ...] = ()
    stack: tuple[Location, ...] = ()
    reason: str = ""
    runs_after: RunsAfter = RunsAfter.COMPILE
    instance: str = ""
    thread: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether there is a new cache entry."""
        return self.outcome in (Outcome.COMPILED, Outcome.RECOMPILED)


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Compile work outside Dynamo's own call: a backward compiled later, a CUDA-graph recording."""

    kind: str
    compile_id: str
    step: int | None
    seconds: float | None


@dataclass(frozen=True, slots=True)
class Skip:
    """A user frame that torch refused before it tried to compile it.

    ``sequence`` is that of the next compile. ``for_good``: every later call of the same code object
    runs eagerly too.
    """

    frame: Frame
    reason: str
    step: int | None
    for_good: bool
    sequence: int = 0


@dataclass(frozen=True, slots=True)
class Lookups:
    """Calls of frames that had cache entries: how many matched one, how many matched none."""

    hits: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True)
class Comparison:
    """The result of a step held against what it should have been.

    ``against`` is ``eager`` or ``reference``; ``what`` is ``output`` or ``gradients``. ``equal``
    is None where the comparison could not be made; ``detail`` then says why.
    """

    against: str
    what: str
    equal: bool | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the compiled code in a replay, and the evidence of what it did.

    ``callable_index`` tells apart the callables that one scenario compiled. ``seconds`` is the
    wall time of the call, compiles included. ``operations`` are the user's lines that run a tensor
    operation in this step, as seen in its eager twin; known only once torch has given up on a
    frame. ``error`` is what the call raised, if it did.
    """

    index: int
    phase: Phase
    label: str
    callable_index: int
    lookups: Lookups
    seconds: float
    comparisons: tuple[Comparison, ...] = ()
    operations: tuple[Location, ...] = ()
    error: str = ""


@dataclass(frozen=True, slots=True)
class Unrecognized:
    """Something that torch said and the recorder could not parse, kept word for word."""

    where: str
    text: str


@dataclass(frozen=True, slots=True)
class HookError:
    """An error inside one of the recorder's own hooks. It never reached the user's program."""

    hook: str
    traceback: str


@dataclass(frozen=True, slots=True)
class LostEvidence:
    """A name of torch that this version lacks, and what can't be recorded without it.

    ``key`` is our own name for it: ``lookup``, ``compile``, …
    """

    name: str
    torch_version: str
    lost: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Observation:
    """What a scenario saw for or against one claim while it ran."""

    claim: str
    holds: bool
    because: str


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a recording was made."""

    torch: str
    python: str
    device: str
    platform: str = ""
    esper_audit: str = ""
    settings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that was seen of torch.compile while some code ran.

    ``torch_counters`` is torch's own count of the same time (``unique_graphs`` and the like).
    """

    environment: Environment
    steps: tuple[Step, ...] = ()
    compiles: tuple[Compile, ...] = ()
    ledger: tuple[LedgerRow, ...] = ()
    skips: tuple[Skip, ...] = ()
    lookups: Lookups = Lookups()
    observations: tuple[Observation, ...] = ()
    unrecognized: tuple[Unrecognized, ...] = ()
    hook_errors: tuple[HookError, ...] = ()
    lost: tuple[LostEvidence, ...] = ()
    torch_counters: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
