"""What judging a recording yields: verdicts, causes, claims. Plain frozen data, saved as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, fields, replace
from enum import StrEnum

from esper_audit.diagnoses import Diagnosis
from esper_audit.events import Environment, Frame, GraphBreak, Location, Recording, Step


class StepVerdict(StrEnum):
    """What one step of a replay did.

    ``unknown`` is the honest remainder: nothing proves that compiled code ran, nothing proves
    that it did not. It never passes.
    """

    COMPILED = "compiled"
    REUSED = "reused"
    RECOMPILED = "recompiled"
    EAGER = "eager"
    STALE = "stale"
    UNKNOWN = "unknown"


class AuditVerdict(StrEnum):
    """What one scenario with one set of parameters on one backend came to."""

    PASSED = "passed"
    FAILED = "failed"
    SKIPPED = "skipped"
    ERROR = "error"


class ClaimStatus(StrEnum):
    """What the replayed scenarios say of a claim."""

    CONFIRMED = "confirmed"
    REFUTED = "refuted"
    NOT_TESTED = "not tested"


class Pattern(StrEnum):
    """How the recompiles of one cause went on.

    ``storm``: with every new value, until the limit. ``convergence``: a few, then none, for any
    value. ``alternation``: between a few variants, each compiled once. ``single``: one.
    """

    STORM = "storm"
    CONVERGENCE = "convergence"
    ALTERNATION = "alternation"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a scenario may cost before it fails. None says nothing of a bound.

    ``recompiles`` and ``eager_steps`` are those after warm-up, ``compiles`` and ``graph_breaks``
    all. ``compile_share``, the part of the replay's seconds that went into compiling, from 0 to 1,
    is advisory: above it the report says so, and nothing fails.
    """

    recompiles: int | None = None
    eager_steps: int | None = None
    compiles: int | None = None
    graph_breaks: int | None = None
    compile_share: float | None = None

    def over(self, other: Budget) -> Budget:
        """This budget, with the bounds of the other where this one says nothing."""
        own = {each.name: getattr(self, each.name) for each in fields(self)}
        return replace(other, **{name: value for name, value in own.items() if value is not None})


NO_BUDGET = Budget()
DEFAULT_BUDGET = Budget(recompiles=0, eager_steps=0)
"""What holds where neither command line nor scenario nor configuration says more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that scenarios confirm or refute.

    ``about`` restricts it to audits with these parameters. ``untestable`` says why no run can
    decide it; such a claim is listed as not tested.
    """

    id: str
    text: str
    source: str = ""
    about: dict[str, str] = field(default_factory=dict)
    untestable: str = ""


@dataclass(frozen=True, slots=True)
class JudgedStep(Step):
    """A step with its verdict and the evidence for it in words; ``eager`` is why it was eager."""

    verdict: StepVerdict = StepVerdict.UNKNOWN
    because: str = ""
    eager: Diagnosis | None = None


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


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramBudget:
    """What a program may cost before it fails; None sets no bound.

    Recompiles are compiles in which every cache entry failed a guard; ``compiles_after_warm_up``
    are compiles of any kind.

    ``warm_up_calls``: calls of a frame in which compiles are expected, instead of what the program
    says. ``fail_on`` are kinds of findings that fail it.
    """

    recompiles: int | None = None
    recompiles_after_warm_up: int | None = None
    compiles_after_warm_up: int | None = None
    warm_up_calls: int | None = None
    fail_on: tuple[str, ...] = ()

    @property
    def bounds(self) -> tuple[int, ...]:
        """Every bound that is set."""
        every = (self.recompiles, self.recompiles_after_warm_up, self.compiles_after_warm_up)
        return tuple(bound for bound in every if bound is not None)

    @property
    def needs_warm_up(self) -> bool:
        """Whether a bound is one after warm-up."""
        return (self.recompiles_after_warm_up, self.compiles_after_warm_up) != (None, None)

    @property
    def is_set(self) -> bool:
        """Whether there is anything to fail."""
        return bool(self.fail_on or self.bounds)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramAudit(Recording):
    """A judged recording of a program. ``verdict`` is None where no budget was set."""

    budget: ProgramBudget = ProgramBudget()
    verdict: AuditVerdict | None = None
    reasons: tuple[str, ...] = ()
    frames: tuple[FrameSummary, ...] = ()
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport:
    """One recorded program, or each rank of a distributed one.

    ``differences`` are findings where ranks differ.
    """

    root: str = ""
    audits: tuple[ProgramAudit, ...]
    differences: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit(Recording):
    """A judged replay: one scenario, one set of parameters, one backend."""

    scenario: str
    question: str = ""
    file: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    options: dict[str, str] = field(default_factory=dict)
    budget: Budget = NO_BUDGET
    claims: tuple[str, ...] = ()
    verdict: AuditVerdict
    reason: str = ""
    advice: tuple[str, ...] = ()
    steps: tuple[JudgedStep, ...] = ()
    graph_breaks: tuple[GraphBreak, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: str = ""
    wall_seconds: float = 0.0

    @property
    def title(self) -> str:
        """``scenario [value-value]``: one word or two, so that a table can break it well."""
        values = "-".join(self.parameters.values())
        return f"{self.scenario} [{values}]" if values else self.scenario


@dataclass(frozen=True, slots=True)
class ClaimResult:
    """A claim, what became of it on one backend, and by which audits."""

    claim: Claim
    backend: str
    status: ClaimStatus
    confirmed_by: tuple[str, ...] = ()
    refuted_by: tuple[str, ...] = ()
    because: str = ""


@dataclass(frozen=True, slots=True)
class Question:
    """What the whole report answers, about the audits with these parameters."""

    text: str = ""
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Control:
    """Audits that must fail in this way, or the audit itself can't be trusted.

    Not ``required`` in a part of the suite, which may hold nothing that the control gets wrong.
    """

    params: dict[str, str] = field(default_factory=dict)
    verdict: StepVerdict = StepVerdict.STALE
    required: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run: what ``esper-audit run`` saves and ``esper-audit show`` prints again.

    ``root`` is the project's folder, from which reports shorten paths. ``declared`` are the
    scenarios of the configured suite with the values of their parameters, whichever of them were
    replayed; None where the run was of other paths, or a file could not be imported.
    ``control_missed``: a backend caught no negative control, so the run proves nothing.
    """

    environment: Environment
    root: str = ""
    verdict: AuditVerdict
    audits: tuple[Audit, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    question: Question = Question()
    control: Control | None = None
    columns: str = ""
    declared: dict[str, dict[str, tuple[str, ...]]] | None = None
    control_missed: bool = False
    interrupted: bool = False
    wall_seconds: float = 0.0


def backends_of(audits: Iterable[Audit]) -> list[str]:
    """Backends in the order of their coming; "" stands for none where no file could be loaded."""
    found = list(dict.fromkeys(each.backend for each in audits))
    return [each for each in found if each] or found
