"""What judging yields of causes and frames. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Frame, Location


class Pattern(StrEnum):
    """How the recompiles of one cause went on.

    ``storm``: with every new value, until the limit. ``convergence``: a few, then none, for any
    value. ``alternation``: between a few variants, each compiled once. ``single``: one.
    """

    STORM = "storm"
    CONVERGENCE = "convergence"
    ALTERNATION = "alternation"
    SINGLE = "single"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause that we name: of recompiles, of eager execution, of wrong output.

    ``sources`` are guard sources that failed together, ``source`` is the first. ``expected`` and
    ``actual`` are those of the first recompile; ``values`` the actual values of all, in order.
    ``seconds`` is what these compiles cost together, ``text`` is torch's own.

    ``written_by`` is the line that changed the guarded state last before a failing call, and
    ``called_from`` the user's line that called its function; without a writer,
    ``written_by_unknown`` says why, and ``called_from`` is the line of the call itself. ``since``
    says when eager execution began.

    ``compiles`` are recompiles, ``refused`` those that torch refused. Of attempts that failed or
    were refused: ``attempts`` is how many, ``refused_by`` what refused them, and ``raised`` says
    that their error reached the caller; else the code ran eagerly instead. ``limit`` is the limit
    that was hit, as torch names it. ``unanswered``: calls that matched no cache entry, and nothing
    was compiled.
    """

    id: Diagnosis
    frame: Frame
    source: str = ""
    sources: tuple[str, ...] = ()
    kind: str = ""
    expected: str = ""
    actual: str = ""
    text: str = ""
    values: tuple[str, ...] = ()
    pattern: Pattern | None = None
    compiles: int = 0
    seconds: float = 0.0
    limit_hit: bool = False
    forecast: str = ""
    since: str = ""
    user_line: Location | None = None
    written_by: Location | None = None
    called_from: Location | None = None
    written_by_unknown: str = ""
    refused: int = 0
    attempts: int = 0
    refused_by: str = ""
    raised: bool = False
    limit: str = ""
    unanswered: int = 0


class FrameState(StrEnum):
    """What later calls of a frame do."""

    COMPILED = "compiled"
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
    attempts: int = 0
    compiles: int = 0
    recompiles: int = 0
    recompiles_after_warm_up: int = 0
    compiles_after_warm_up: int = 0
    reused: int | None = None
    seconds: float = 0.0
    recompiles_left: int | None = None
    instances: int = 0
    graph_breaks: int = 0
    state: FrameState = FrameState.COMPILED
    reason: str = ""
    since: str = ""
    direct: bool = True
