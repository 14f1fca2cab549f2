"""What a replay hands to the judge: the recording of one scenario, and how it ended."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.data.audits import Audit
from esper_audit.data.expectations import NO_BUDGET, Budget, Claim
from esper_audit.data.numbers import Count, Seconds, Whole
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.remedies import Lever


class ReplayStatus(StrEnum):
    """How the scenario's function ended."""

    COMPLETED = "completed"
    SKIPPED = "skipped"
    ERROR = "error"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompileOptions:
    """What ``torch.compile`` is called with, and the recompile limit that is set before."""

    backend: str = "aot_eager"
    dynamic: bool | None = None
    fullgraph: bool = False
    mode: str | None = None
    recompile_limit: Count | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """How a further run of a job differs from its first.

    ``watch`` are guard sources, by frame, whose writers are looked for. ``checksums``: keep those
    of each step's output and gradients. ``enough``: end after the step in which Dynamo has made so
    many attempts to compile. ``record`` is False for a replay that is only timed. ``levers`` are
    pulled, and ``overlay`` holds texts of files, by path, that are imported in place of those on
    disk.
    """

    watch: dict[str, tuple[str, ...]] = field(default_factory=dict)
    checksums: bool = False
    enough: Count | None = None
    record: bool = True
    levers: tuple[Lever, ...] = ()
    overlay: dict[str, str] = field(default_factory=dict)


FIRST_RUN = Variant()


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One scenario with one set of parameters on one backend, to be replayed in its own process.

    ``tolerances`` map a dtype's name to (rtol, atol). ``parameters`` are the texts of the values;
    ``choices`` their places in the declared lists. ``root`` is the project's folder, from which
    frames are named. ``compare``: each step with its eager twin.
    """

    scenario: str
    file: str
    question: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    choices: dict[str, Whole] = field(default_factory=dict)
    options: CompileOptions = CompileOptions()
    compare: bool = True
    variant: Variant = FIRST_RUN
    budget: Budget = NO_BUDGET
    fail_on: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    tolerances: dict[str, tuple[float, float]] = field(default_factory=dict)
    time_limit: Seconds = 120.0
    spawn: bool = False
    pythonpath: tuple[str, ...] = ()
    root: str = ""
    log_path: str = ""

    @property
    def title(self) -> str:
        """``scenario[value-value]``, as pytest writes it."""
        values = "-".join(self.parameters.values())
        return f"{self.scenario}[{values}]" if values else self.scenario


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """The recording of one job, and how it ended. ``cut``: early, with all that was asked.

    ``callables`` is how many the scenario has compiled with ``replay.compile``.
    """

    job: Job
    status: ReplayStatus
    cut: bool = False
    callables: Count | None = None
    reason: Reason | None = None
    recording: Recording | None = None
    log: str = ""
    wall_seconds: Seconds = 0.0


def not_run(job: Job) -> Replay:
    """What an interrupted run has of a job that it never came to, or not to the end of."""
    return Replay(job=job, status=ReplayStatus.ERROR, reason=Reason(why=Why.NOT_RUN))


def was_run(audit: Audit) -> bool:
    """Whether the run came to it before it was interrupted."""
    return all(reason.why is not Why.NOT_RUN for reason in audit.reasons)


@dataclass(frozen=True, slots=True, kw_only=True)
class ScenarioInfo:
    """What is known of a scenario without running it. Parameter values are texts."""

    name: str
    file: str
    question: str
    params: dict[str, tuple[str, ...]] = field(default_factory=dict)
    budget: Budget = NO_BUDGET
    claims: tuple[str, ...] = ()
    tolerances: dict[str, tuple[float, float]] = field(default_factory=dict)
    time_limit: Seconds | None = None
    spawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Collection:
    """All scenarios and claims of the given paths, and why which files could not be imported.

    ``backends`` are those that torch.compile knows once the files are imported.
    """

    scenarios: tuple[ScenarioInfo, ...] = ()
    claims: tuple[Claim, ...] = ()
    backends: tuple[str, ...] = ()
    broken: dict[str, Reason] = field(default_factory=dict)
