"""What judging yields of causes and frames. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.data.compiles import Origin, told_apart
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.numbers import Count, Moment, Seconds, Whole
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason


class Advice(StrEnum):
    """What can be tried against a finding. ``usual`` is what its diagnosis advises.

    The others stand where that would do harm, or nothing. ``no-tensor``: torch's own module reads
    this number, and takes no tensor in its place. ``learning-rate``: an optimizer reads it.
    ``module-size``: of a parameter or buffer, whose size stays static whatever ``dynamic`` says.
    ``symbolic-size``: the size was symbolic already, and the code fixes it or relates it to
    another. ``dynamic-set``: compiled with ``dynamic=True``.
    """

    USUAL = "usual"
    NO_TENSOR = "no-tensor"
    LEARNING_RATE = "learning-rate"
    MODULE_SIZE = "module-size"
    SYMBOLIC_SIZE = "symbolic-size"
    DYNAMIC_SET = "dynamic-set"


class Pattern(StrEnum):
    """How the recompiles of one cause went on.

    ``storm``: with every new value, until the limit. ``convergence``: a few, then none, for any
    value. ``alternation``: values come back, each compiled once. ``variants``: a few values, each
    compiled once, and nothing shows that they come back or go on. ``single``: one.
    """

    STORM = "storm"
    CONVERGENCE = "convergence"
    ALTERNATION = "alternation"
    VARIANTS = "variants"
    SINGLE = "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """When something began: in a step, or so many seconds into the recording.

    ``label`` is the program's own name of the step, ``event`` what a scenario did before it.
    Nothing at all: at the start.
    """

    step: Count | None = None
    label: str = ""
    event: str = ""
    seconds: Seconds | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Forecast:
    """Of a storm: how many values are ``left`` until the limit, and the seconds of each."""

    limit_hit: bool = False
    left: Whole = 0
    seconds_each: Moment = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class RankState:
    """What one rank did with a frame; ``recompiles`` is None where it did not compile it.

    ``causes`` are the guard sources whose failures it recompiled for, with what they are.
    ``ranks`` are all that did the same with it, where it is not the only one.
    """

    rank: Whole
    recompiles: Count | None = None
    state: FrameState | None = None
    causes: tuple[tuple[Diagnosis, str], ...] = ()
    ranks: tuple[Whole, ...] = ()

    @property
    def all_ranks(self) -> tuple[int, ...]:
        """The rank, and those that did the same."""
        return self.ranks or (self.rank,)


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGroup:
    """Graph breaks that are told together: of one line, or all that torch's own code makes.

    ``frames`` are the names of the frames that they broke, ``count`` is how many those are.
    ``places`` are the lines in torch's or Python's own code where they broke; ``own`` says that
    no line of the user's can be changed to avoid them. ``called`` is what broke the graph.
    """

    frames: tuple[str, ...] = ()
    count: Count = 0
    places: tuple[Location, ...] = ()
    own: bool = False
    called: str = ""
    explanation: str = ""
    hints: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Writer:
    """A line that wrote guarded state, who called its function first, what recompiles it made."""

    location: Location
    called_from: Location | None = None
    recompiles: Count = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause that we name: of recompiles, of eager execution, of wrong output.

    ``sources`` are guard sources that failed together, ``source`` is the first. ``expected`` and
    ``actual`` are those of the first recompile; ``values`` the actual values of all, in order.
    ``fields`` are what differed of a tensor or of the global state in the first, as (expected,
    actual) by name. ``seconds`` is what these compiles cost together, ``text`` is torch's own and
    ``hint`` its advice; ``advice`` is ours. Where torch says nothing, ``why`` is what this tool has
    seen. ``origin`` tells more of the source.

    ``written_by`` is the line that changed the guarded state last before a failing call, and
    ``called_from`` the user's line that called its function; without a writer,
    ``no_writer`` says why, and ``called_from`` is the line of the call itself. ``writers`` are
    all lines that are known to have written; the first is ``written_by``. ``assigned_at`` is the
    line that assigned the variable which was passed as an argument. ``since``
    says when eager execution began.

    ``callers`` are the lines of the calls that recompiled, with how many each made. ``during`` are
    the steps in which it recompiled, each once, as far as the program or the
    scenario has steps.

    ``compiles`` are recompiles, ``refused`` those that torch refused. Of attempts that failed or
    were refused: ``attempts`` is how many, ``refused_by`` what refused them, and ``raised`` says
    that their error reached the caller; else the code ran eagerly instead, and None where a trace
    log does not tell. ``limit`` is the limit
    that was hit, as torch names it. ``unanswered``: calls that matched no cache entry, and nothing
    was compiled. ``breaks`` are the graph breaks of a finding of them. ``until``: when what
    began at ``since`` was over; None where it held to the end. ``calls`` are the calls of compiled
    functions in that time, where they were counted. ``detail``, ``hints`` and ``stopped_at`` are as
    of a compile.
    """

    id: Diagnosis
    frame: Frame
    source: str = ""
    sources: tuple[str, ...] = ()
    kind: str = ""
    expected: str = ""
    actual: str = ""
    text: str = ""
    why: Reason | None = None
    values: tuple[str, ...] = ()
    fields: dict[str, tuple[str, str]] = field(default_factory=dict)
    ranks: tuple[RankState, ...] = ()
    pattern: Pattern | None = None
    compiles: Count = 0
    seconds: Seconds = 0.0
    limit_hit: bool = False
    forecast: Forecast | None = None
    since: Since | None = None
    during: tuple[Since, ...] = ()
    callers: tuple[Writer, ...] = ()
    user_line: Location | None = None
    written_by: Location | None = None
    writers: tuple[Writer, ...] = ()
    assigned_at: Location | None = None
    called_from: Location | None = None
    no_writer: Reason | None = None
    refused: Count = 0
    attempts: Count = 0
    refused_by: str = ""
    raised: bool | None = False
    limit: str = ""
    unanswered: Count = 0
    breaks: BreakGroup | None = None
    detail: str = ""
    hints: tuple[str, ...] = ()
    stopped_at: Location | None = None
    until: Since | None = None
    calls: Count | None = None
    origin: Origin | None = None
    hint: str = ""
    advice: Advice = Advice.USUAL

    @property
    def subject(self) -> tuple[str, str]:
        """What tells its source apart from others of one name."""
        return self.source, told_apart(self.origin)


class FrameState(StrEnum):
    """What later calls of a frame do. ``no-graph``: what was compiled of it holds no graph."""

    COMPILED = "compiled"
    NO_GRAPH = "no-graph"
    CACHED_ONLY = "cached-only"
    EAGER = "eager"
    FAILED = "failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSummary:
    """What became of one frame over a recording.

    ``reused`` counts runs of compiled graphs past the first of each; None where it holds no graph.
    ``attempts`` counts every try of Dynamo, ``compiles`` those that gave a cache entry. A compile
    after warm-up need not be a recompile: the program may have reset Dynamo, or called it first
    then.
    """

    frame: Frame
    attempts: Count = 0
    compiles: Count = 0
    recompiles: Count = 0
    recompiles_after_warm_up: Count = 0
    compiles_after_warm_up: Count = 0
    reused: Count | None = None
    seconds: Seconds = 0.0
    recompiles_left: Whole | None = None
    instances: Count = 0
    graph_breaks: Count = 0
    state: FrameState = FrameState.COMPILED
    reason: str = ""
    why: Reason | None = None
    limit: str = ""
    since: Since | None = None
    direct: bool = True
