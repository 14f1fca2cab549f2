"""A whole recording: plain frozen data, saved as JSON; the field names are the format."""

from __future__ import annotations

from dataclasses import dataclass, field

from esper_audit.data.compiles import Compile, DeferredWork, SkippedFrame, Stance
from esper_audit.data.logs import CacheUse, GraphSkip, LogSource
from esper_audit.data.notices import HookError, LostEvidence, Unrecognized
from esper_audit.data.numbers import Count, Seconds, Whole
from esper_audit.data.reasons import Reason
from esper_audit.data.steps import Lookups, NamedStep, Observation, Step


@dataclass(frozen=True, slots=True)
class Environment:
    """Where a recording was made."""

    torch: str
    python: str
    device: str
    platform: str = ""
    esper_audit: str = ""
    settings: dict[str, str] = field(default_factory=dict)


UNKNOWN = Environment(torch="unknown", python="unknown", device="")
"""Of a recording that has lost its beginning."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """The program that was recorded, and how it ended.

    ``ended`` is ``exit 0``, an exception or a signal in words; empty while it runs, or where the
    process ended without a word. ``exit_code`` is what plain Python would have ended with.
    ``recompile_limit`` is what the recorder was told to set torch's limit to; None for nothing.
    ``name`` is what ``--as`` calls it.
    """

    argv: tuple[str, ...]
    folder: str = ""
    ended: str = ""
    exit_code: Whole | None = None
    rank: Whole | None = None
    world_size: Count | None = None
    recompile_limit: Count | None = None
    name: str = ""

    @property
    def title(self) -> str:
        """Its name, else its command line; and its rank where it has one."""
        rank = f" (rank {self.rank})" if self.rank is not None else ""
        return f"{self.name or ' '.join(self.argv)}{rank}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """Everything that was seen of torch.compile while some code ran.

    ``torch_counters`` is torch's own count of the same time (``unique_graphs`` and the like).
    ``watched`` says whether the writers of guarded state were looked for, ``steps_marked`` how
    many steps the program named (``named_steps`` are the first 10,000 of them), ``steady_at`` after
    how many seconds it said that warm-up is over, ``steady_hits`` how many lookups had matched by
    then, ``steady_runs`` how often graphs had run.
    ``graphs_before`` is how many graphs torch had compiled before the recording began, or None.
    ``earlier_runs``: of a part of a recording, runs in it of graphs that were compiled before it.
    ``complete`` is False for what a process left behind that ended without a word.
    ``began_at`` is the time of its beginning in seconds since 1970 (UTC), None where nobody knows.
    ``trace_log`` is what it was made of, where that is a trace log; of what was recorded, None.
    """

    environment: Environment
    steps: tuple[Step, ...] = ()
    compiles: tuple[Compile, ...] = ()
    deferred: tuple[DeferredWork, ...] = ()
    skips: tuple[SkippedFrame, ...] = ()
    lookups: Lookups = Lookups()
    observations: tuple[Observation, ...] = ()
    unrecognized: tuple[Unrecognized, ...] = ()
    hook_errors: tuple[HookError, ...] = ()
    lost: tuple[LostEvidence, ...] = ()
    torch_counters: dict[str, Whole] = field(default_factory=dict)
    notes: tuple[Reason, ...] = ()
    stances: tuple[Stance, ...] = ()
    program: Program | None = None
    watched: bool = False
    steps_marked: Count = 0
    named_steps: tuple[NamedStep, ...] = ()
    steady_at: Seconds | None = None
    steady_hits: Count | None = None
    steady_runs: Count | None = None
    graphs_before: Count | None = None
    earlier_runs: Count | None = None
    seconds: Seconds = 0.0
    complete: bool = True
    began_at: Seconds | None = None
    trace_log: LogSource | None = None
    caches: tuple[CacheUse, ...] = ()
    graph_skips: tuple[GraphSkip, ...] = ()
