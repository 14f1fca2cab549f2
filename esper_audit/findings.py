"""What judging a recording yields: verdicts, causes, claims. Plain frozen data, saved as JSON."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

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
    """How the recompiles of one cause went on over the steady steps.

    ``storm``: with every new value, until the limit. ``convergence``: a few, then none.
    ``single``: one.
    """

    STORM = "storm"
    CONVERGENCE = "convergence"
    SINGLE = "single"


@dataclass(frozen=True, slots=True)
class Budget:
    """What a scenario may cost after warm-up before it fails."""

    recompiles: int = 0
    eager_steps: int = 0
    graph_breaks: int | None = None


NO_BUDGET = Budget()


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
    """A step with its verdict and the evidence for it in words."""

    verdict: StepVerdict = StepVerdict.UNKNOWN
    because: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One cause of recompiles after warm-up, over all of them in one audit.

    ``expected`` and ``actual`` are those of the first recompile; ``values`` the actual values of
    all, in order. ``seconds`` is what these compiles cost together.
    """

    frame: Frame
    source: str
    kind: str
    expected: str
    actual: str
    text: str
    values: tuple[str, ...]
    pattern: Pattern
    compiles: int
    seconds: float
    limit_hit: bool
    user_line: Location | None = None
    called_from: Location | None = None


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

    ``root`` is the project's folder, from which reports shorten paths.
    """

    environment: Environment
    root: str = ""
    verdict: AuditVerdict
    audits: tuple[Audit, ...] = ()
    claims: tuple[ClaimResult, ...] = ()
    question: Question = Question()
    control: Control | None = None
    columns: str = ""
    interrupted: bool = False
    wall_seconds: float = 0.0
