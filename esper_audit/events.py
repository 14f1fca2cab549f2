"""What a recording holds: plain frozen data, saved as JSON; the field names are the format.

Seconds are floats, latencies are in microseconds, lines count from 1, steps from 0.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.comparisons import Comparison
from esper_audit.notices import HookError, LostEvidence, Unrecognized


class Phase(StrEnum):
    """Warm-up: compiles are expected. Steady: none are."""

    WARM_UP = "warm-up"
    STEADY = "steady"


class Outcome(StrEnum):
    """How one attempt of Dynamo to compile a frame ended.

    ``refused``: torch had to compile and raised instead, as it was told to (``error_on_recompile``,
    the stance ``fail_on_recompile``, ``fullgraph=True`` at a recompile limit).
    """

    COMPILED = "compiled"
    RECOMPILED = "recompiled"
    SKIPPED = "skipped"
    FAILED = "failed"
    LIMIT = "limit"
    REFUSED = "refused"


GUARDS_FAILED = (Outcome.RECOMPILED, Outcome.LIMIT, Outcome.REFUSED)
"""The outcomes of an attempt that was made because guards of every cache entry failed."""


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
    actual value acceptable. ``user_line`` is the line that made the guard. ``captured``: the source
    is a variable of an enclosing function.
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
    captured: bool = False


@dataclass(frozen=True, slots=True)
class Write:
    """The last write to a guarded value before the call in which its guard failed.

    ``source`` is in torch's terms. ``location`` is the line that wrote, ``called_from`` the user's
    line that called its function. Where the line is not known, ``unknown`` says why.
    """

    source: str
    location: Location | None = None
    called_from: Location | None = None
    unknown: str = ""


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

    ``at`` is seconds since the recording began, ``label`` the step that the program named last.
    ``direct``: the frame is the one that the user compiled, not one that it calls. ``graph_runs``
    is how often its compiled graph ran, up to the end of the recording; None where it has none.
    ``calls_before`` counts the runs of the frame's graphs before. ``count``: how many equal
    attempts this one stands for.

    ``limit`` is the limit that the attempt hit, as torch names it: ``recompile_limit`` or
    ``accumulated_recompile_limit``. ``refused_by`` is what made torch refuse:
    ``error_on_recompile``, ``fail_on_recompile``, ``fullgraph`` or ``fail_on_recompile_limit_hit``.
    ``raised``: its error reached the caller; ``unsupported``: Dynamo can't trace the code.
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
    at: float = 0.0
    label: str = ""
    direct: bool = True
    graph_runs: int | None = None
    calls_before: int = 0
    writes: tuple[Write, ...] = ()
    count: int = 1
    limit: str = ""
    refused_by: str = ""
    raised: bool = False
    unsupported: bool = False

    @property
    def limit_hit(self) -> bool:
        """Whether a limit of torch's kept it from being compiled."""
        return self.outcome is Outcome.LIMIT or bool(self.limit)

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
    count: int = 1
    phase: Phase = Phase.STEADY


@dataclass(frozen=True, slots=True)
class Stance:
    """A call of ``torch.compiler.set_stance``: from here on, compiled functions behave so."""

    stance: str
    location: Location | None
    at: float = 0.0
    count: int = 1


@dataclass(frozen=True, slots=True)
class Skip:
    """A user frame that torch refused before it tried to compile it.

    ``sequence`` is that of the next compile. ``for_good``: every later call of the same code object
    runs eagerly too. ``direct``, ``at``, ``label`` and ``count`` are as of a compile.
    """

    frame: Frame
    reason: str
    step: int | None
    for_good: bool
    sequence: int = 0
    called_from: Location | None = None
    direct: bool = True
    at: float = 0.0
    label: str = ""
    count: int = 1


@dataclass(frozen=True, slots=True)
class Lookups:
    """Calls of frames that had cache entries: how many matched one, how many matched none."""

    hits: int = 0
    misses: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One call of the compiled code in a replay, and the evidence of what it did.

    ``callable_index`` tells apart the callables that one scenario compiled. ``seconds`` is the
    wall time of the call, compiles included. ``operations`` are the user's lines that run a tensor
    operation in this step, as seen in its eager twin; known only once torch has given up on a
    frame. ``error`` is what the call raised, if it did. ``shares``: its eager twin ran in the same
    process; then ``checksum`` holds the sums of its output's tensors, to be held against those of
    a replay without a twin.
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
    shares: bool = False
    checksum: tuple[float, ...] = ()


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
class Program:
    """The program that was recorded, and how it ended.

    ``ended`` is ``exit 0``, an exception or a signal in words; empty while it runs, or where the
    process ended without a word. ``exit_code`` is what plain Python would have ended with.
    """

    argv: tuple[str, ...]
    folder: str = ""
    ended: str = ""
    exit_code: int | None = None
    rank: int | None = None
    world_size: int | None = None

    @property
    def title(self) -> str:
        """Its command line, and its rank where it has one."""
        rank = f" (rank {self.rank})" if self.rank is not None else ""
        return f"{' '.join(self.argv)}{rank}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that was seen of torch.compile while some code ran.

    ``torch_counters`` is torch's own count of the same time (``unique_graphs`` and the like).
    ``watched`` says whether the writers of guarded state were looked for, ``steps_marked`` how
    many steps the program named, ``steady_at`` after how many seconds it said that warm-up is over,
    ``steady_hits`` how many lookups had matched by then, ``steady_runs`` how often graphs had run.
    ``graphs_before`` is how many graphs torch had compiled before the recording began, or None.
    ``earlier_runs``: of a part of a recording, runs in it of graphs that were compiled before it.
    ``complete`` is False for what a process left behind that ended without a word.
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
    stances: tuple[Stance, ...] = ()
    program: Program | None = None
    watched: bool = False
    steps_marked: int = 0
    steady_at: float | None = None
    steady_hits: int | None = None
    steady_runs: int | None = None
    graphs_before: int | None = None
    earlier_runs: int | None = None
    seconds: float = 0.0
    complete: bool = True
