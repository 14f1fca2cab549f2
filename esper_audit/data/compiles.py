"""What torch.compile did: compiles, skips, stances, and work outside Dynamo's own call.

Seconds are floats, latencies are in microseconds, lines count from 1.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.data.numbers import Count, Moment, Whole
from esper_audit.data.numbers import Seconds as Duration
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason
from esper_audit.data.stages import Seconds, Stage
from esper_audit.data.steps import Phase


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


ENDLESS = 1 << 30
"""Compiles: a limit as high as this, such as ``sys.maxsize``, is set so that none is hit."""


class RunsAfter(StrEnum):
    """What torch does with later calls of the same code object."""

    COMPILE = "compile"
    EAGER = "eager"
    CACHED_ONLY = "cached-only"


class ValueKind(StrEnum):
    """What a guarded value is, as far as a cause depends on it."""

    NONE = "none"
    BOOL = "bool"
    INT = "int"
    FLOAT = "float"
    STR = "str"
    ENUM = "enum"
    TORCH = "torch"
    """A value of torch's own: a dtype, a device, a layout."""
    TENSOR = "tensor"
    COLLECTION = "collection"
    PRESENT = "present"
    ABSENT = "absent"
    NO_KEY = "no-key"
    """A key or an index that is not there any more."""
    GONE = "gone"
    """What the source named can't be read any more for another reason."""
    OTHER = "other"


class Held(StrEnum):
    """What holds a guarded value that the user did not reach by a path."""

    CLOSURE = "closure"
    """A variable that the function ``owner`` captures."""
    DEFAULT = "default"
    """A default argument of the function ``owner``."""
    PARTIAL = "partial"
    """An argument that the ``functools.partial`` in ``owner`` holds."""
    RESULT = "result"
    """The result of the code that is the source, which a graph break left on the stack."""
    STACK = "stack"
    """A value that a graph break left on the stack; what made it is not known."""


@dataclass(frozen=True, slots=True)
class Origin:
    """Where the value of a source lives, past what the source says.

    ``owner`` is a source, too; of a value on the stack, torch's name for it. ``location`` is the
    line of the function, of the code that made the value, or of the break.
    """

    held: Held
    owner: str = ""
    location: Location | None = None


MODE_STACK, DEFAULT_DEVICE = "TORCH_FUNCTION_MODE_STACK", "DEFAULT_DEVICE"
STATE_KINDS = ("GLOBAL_STATE", MODE_STACK, DEFAULT_DEVICE)
"""Kinds of guards on torch's own state, which no variable holds."""


def told_apart(origin: Origin | None) -> str:
    """What tells a source apart from another of the same name; empty where its path does."""
    if origin is None:
        return ""
    line = origin.location.line if origin.location is not None else 0
    return f"{origin.held.value} {origin.owner} {line}"


@dataclass(frozen=True, slots=True)
class GuardFailure:
    """One guard of one cache entry that was false at a lookup.

    ``source`` is in the user's terms, ``torch_source`` in torch's. ``text`` is torch's own text of
    the guard. ``accepted_by`` lists the cache entries that also guard this source and found its
    actual value acceptable. ``user_line`` is the line that made the guard. ``captured``: the source
    is a variable of an enclosing function. ``own``: it lies under the called object itself: under
    ``self``, a wrapped callable, a variable of a closure. ``origin`` tells more of a source that is
    no path.

    ``expected`` and ``actual`` are for readers; ``expected_kind`` and ``actual_kind`` say what
    these values are. ``fields`` are what differs of a tensor (size, stride, dtype, device,
    requires_grad, type, keys) or of the global state, by name, as (expected, actual); a text is
    empty where torch does not tell it. ``hint`` is torch's own advice.
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
    own: bool = False
    expected_kind: ValueKind = ValueKind.OTHER
    actual_kind: ValueKind = ValueKind.OTHER
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)
    origin: Origin | None = None
    hint: str = ""

    @property
    def written(self) -> str:
        """What is written to make this guard fail: its source, or the settings that differ."""
        if self.kind not in STATE_KINDS:
            return self.torch_source
        return f"<{self.kind}>{', '.join(self.fields)}"

    @property
    def subject(self) -> tuple[str, str]:
        """What tells its source apart from others of one name."""
        return self.source, told_apart(self.origin)


@dataclass(frozen=True, slots=True)
class Write:
    """The last write to a guarded value before the call in which its guard failed.

    ``source`` is what a guard failure calls ``written``. ``location`` is the line that wrote,
    ``called_from`` the user's line that called its function. Where the line is not known,
    ``unknown`` says why. Of an argument, ``bound`` is the line that assigned the variable which
    was passed.
    """

    source: str
    location: Location | None = None
    called_from: Location | None = None
    unknown: Reason | None = None
    bound: Location | None = None


@dataclass(frozen=True, slots=True)
class GraphBreak:
    """A place where Dynamo ended a graph and resumed after it.

    ``reason`` is torch's whole text; ``kind`` (of torch's registry of graph breaks),
    ``explanation``, ``hints`` and ``context`` are its parts, ``called`` is what broke the graph, as
    far as torch names it. ``in_library``: ``location`` is in torch's or Python's own code; then
    ``called_from`` is the user's line in the traced code that led there, if any is. ``on_purpose``:
    torch's own code breaks the graph there by design.
    """

    reason: str
    location: Location | None
    compile_id: str = ""
    kind: str = ""
    explanation: str = ""
    hints: tuple[str, ...] = ()
    context: str = ""
    called: str = ""
    in_library: bool = False
    on_purpose: bool = False
    called_from: Location | None = None


@dataclass(frozen=True, slots=True)
class Compile:
    """One attempt of Dynamo to compile a frame, successful or not.

    ``sequence`` orders the attempts of a recording; ``id`` is torch's compile id, which starts
    over after a reset. ``step`` is None outside every step. ``recompiles_left`` and
    ``accumulated_recompiles_left`` count down to ``recompile_limit`` and
    ``accumulated_recompile_limit``. ``torch_reasons`` is what torch itself would print.

    ``at`` is seconds since the recording began, ``label`` the step that the program named last.
    ``direct``: the frame is the one that the user compiled, not one that it calls. ``dynamic``: it
    was compiled with ``dynamic=True``. ``graph_runs`` is how often its compiled graph ran, up to
    the end of the recording; None where it has none. ``calls_before`` counts the runs of the
    frame's graphs before. ``ran_after`` is the sequence of the latest compile of its frame after
    which its graph still ran: if that is not its own, the values that it was compiled for came
    back; None where nothing tells. ``count``: how many equal attempts this one stands for.

    ``limit`` is the limit that the attempt hit, as torch names it: ``recompile_limit`` or
    ``accumulated_recompile_limit``. ``refused_by`` is what made torch refuse:
    ``error_on_recompile``, ``fail_on_recompile``, ``fullgraph`` or ``fail_on_recompile_limit_hit``.
    ``raised``: its error reached the caller; ``unsupported``: Dynamo can't trace the code. Of an
    error, ``reason`` is torch's first line, ``detail`` what else it says, such as shapes that don't
    fit, ``hints`` are torch's, and ``stopped_at`` is the user's line that it stopped at. ``stages``
    are in the order of their beginnings; one may lie inside of another.
    """

    sequence: Whole
    id: str
    frame: Frame
    outcome: Outcome
    step: Count | None
    phase: Phase
    seconds: Seconds
    guard_failures: tuple[GuardFailure, ...] = ()
    torch_reasons: tuple[str, ...] = ()
    guard_count: Count | None = None
    guard_latency_us: Moment | None = None
    graph_ops: Count | None = None
    cache_entries_before: Count = 0
    cache_entries_after: Count = 0
    recompiles_left: Whole | None = None
    accumulated_recompiles_left: Whole | None = None
    graph_breaks: tuple[GraphBreak, ...] = ()
    restarts: tuple[str, ...] = ()
    stack: tuple[Location, ...] = ()
    reason: str = ""
    runs_after: RunsAfter = RunsAfter.COMPILE
    instance: str = ""
    thread: str = ""
    at: Moment = 0.0
    label: str = ""
    direct: bool = True
    dynamic: bool = False
    graph_runs: Count | None = None
    calls_before: Count = 0
    ran_after: Count | None = None
    writes: tuple[Write, ...] = ()
    count: Count = 1
    limit: str = ""
    refused_by: str = ""
    raised: bool = False
    unsupported: bool = False
    detail: str = ""
    hints: tuple[str, ...] = ()
    stopped_at: Location | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def limit_hit(self) -> bool:
        """Whether a limit of torch's kept it from being compiled."""
        return self.outcome is Outcome.LIMIT or bool(self.limit)

    @property
    def succeeded(self) -> bool:
        """Whether there is a new cache entry."""
        return self.outcome in (Outcome.COMPILED, Outcome.RECOMPILED)


@dataclass(frozen=True, slots=True)
class DeferredWork:
    """Compile work outside Dynamo's own call: a backward compiled later, a CUDA-graph recording.

    ``at``, ``thread``, ``count`` and ``stages`` are as of a compile; ``at`` is None where torch
    does not tell it.
    """

    kind: str
    compile_id: str
    step: Count | None
    seconds: Duration | None
    count: Count = 1
    phase: Phase = Phase.STEADY
    at: Moment | None = None
    thread: str = ""
    stages: tuple[Stage, ...] = ()


@dataclass(frozen=True, slots=True)
class Stance:
    """A stance that the program set: from then on, compiled functions behave so.

    ``until``: when another took its place, as a context manager that is left sets; None where it
    held to the end. Of one that is not the default, the ``calls`` of compiled functions in its
    time, and the lookups among them that matched (``hits``) or not (``misses``); None where nobody
    counted. ``count``: how many equal periods this one stands for.
    """

    stance: str
    location: Location | None
    at: Moment = 0.0
    count: Count = 1
    until: Moment | None = None
    calls: Count | None = None
    hits: Count | None = None
    misses: Count | None = None


@dataclass(frozen=True, slots=True)
class SkippedFrame:
    """A user frame that torch refused before it tried to compile it.

    ``sequence`` is that of the next compile. ``for_good``: every later call of the same code object
    runs eagerly too. ``direct``, ``at``, ``label`` and ``count`` are as of a compile.

    ``by_rule``: it is library code, which torch compiles as a part of what calls it, never on its
    own. ``ran`` is then the module of torch's whose operations ran eagerly in it, empty for none
    seen, and ``within`` are the frames around it, from what the user compiled down.
    ``operation`` is a line of the frame itself that computes with a tensor, where torch skips it
    for want of tensors.
    """

    frame: Frame
    reason: str
    step: Count | None
    for_good: bool
    sequence: Whole = 0
    called_from: Location | None = None
    direct: bool = True
    at: Moment = 0.0
    label: str = ""
    count: Count = 1
    by_rule: bool = False
    ran: str = ""
    within: tuple[Location, ...] = ()
    operation: Location | None = None
