"""Judged recordings and the reports that hold them. Plain frozen data, saved as JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Annotated

from msgspec import Meta

from esper_audit.data.compiles import GraphBreak
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import NO_BUDGET, Budget, Claim, Control, ProgramBudget, Question
from esper_audit.data.findings import Finding, FrameSummary
from esper_audit.data.logs import Damage, RankClass
from esper_audit.data.numbers import Seconds
from esper_audit.data.reasons import Reason
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.steps import Phase, Step
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus, StepVerdict


@dataclass(frozen=True, slots=True)
class JudgedStep:
    """A step with its verdict and the evidence for it; ``eager`` is what made it eager."""

    step: Step
    verdict: StepVerdict = StepVerdict.UNKNOWN
    because: Reason | None = None
    eager: Diagnosis | None = None

    @property
    def index(self) -> int:
        """Of the step, from 0."""
        return self.step.index

    @property
    def label(self) -> str:
        """The last event before the step, in the scenario's words."""
        return self.step.label

    @property
    def phase(self) -> Phase:
        """Of the step."""
        return self.step.phase


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramAudit:
    """A judged recording of a program. ``verdict`` is None where no budget was set."""

    recording: Recording
    budget: ProgramBudget = ProgramBudget()
    verdict: AuditVerdict | None = None
    reasons: tuple[Reason, ...] = ()
    frames: tuple[FrameSummary, ...] = ()
    findings: tuple[Finding, ...] = ()

    @property
    def title(self) -> str:
        """The program's; of a recording without one, a general word."""
        return self.recording.program.title if self.recording.program is not None else "recording"

    @property
    def rank(self) -> int | None:
        """The program's, where it has one."""
        return self.recording.program.rank if self.recording.program is not None else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramReport:
    """One recorded program, or the ranks of a distributed one.

    ``differences`` are findings where ranks differ. ``classes`` are ranks that did the same, the
    largest first: one for each of ``audits``, in the same order; none of a report of one process.
    ``damage`` is that of all trace logs that the report was made of.
    """

    root: str = ""
    audits: Annotated[tuple[ProgramAudit, ...], Meta(min_length=1)]
    differences: tuple[Finding, ...] = ()
    classes: tuple[RankClass, ...] = ()
    damage: tuple[Damage, ...] = ()

    @property
    def parts(self) -> tuple[tuple[ProgramAudit, RankClass], ...]:
        """Each audit with the class that it stands for, which may be of one rank."""
        if len(self.classes) == len(self.audits):
            return tuple(zip(self.audits, self.classes, strict=True))
        return tuple((audit, class_of(audit)) for audit in self.audits)


def class_of(audit: ProgramAudit) -> RankClass:
    """The class that holds the rank of this audit alone."""
    ranks = (audit.rank,) if audit.rank is not None else ()
    log = audit.recording.trace_log
    pids = (log.pid,) if log is not None and log.pid is not None else ()
    seconds = sum(made.seconds.total for made in audit.recording.compiles)
    own = next(iter(ranks or pids), 0)
    return RankClass(
        ranks=ranks,
        pids=() if ranks else pids,
        shown=own,
        slowest=own,
        most_seconds=seconds,
        least_seconds=seconds,
        began_at=audit.recording.began_at,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Audit:
    """A judged replay: one scenario, one set of parameters, one backend.

    ``fail_on`` are kinds of findings that failed it, in place of the default budget.
    """

    recording: Recording
    scenario: str
    question: str = ""
    file: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    options: dict[str, str] = field(default_factory=dict)
    budget: Budget = NO_BUDGET
    fail_on: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    verdict: AuditVerdict
    reasons: tuple[Reason, ...] = ()
    advice: tuple[Reason, ...] = ()
    steps: tuple[JudgedStep, ...] = ()
    graph_breaks: tuple[GraphBreak, ...] = ()
    findings: tuple[Finding, ...] = ()
    log: str = ""
    wall_seconds: Seconds = 0.0

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
    because: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A whole run: what ``esper-audit run`` saves and ``esper-audit show`` prints again.

    ``root`` is the project's folder, from which reports shorten paths. ``declared`` are the
    scenarios of the configured suite with the values of their parameters, whichever of them were
    replayed; None where the run was of other paths, or a file could not be imported.
    ``control_missed``: a backend caught no negative control, so the run proves nothing.
    ``left_out`` are files that can't be imported and that ``-k`` left out.
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
    wall_seconds: Seconds = 0.0
    left_out: tuple[str, ...] = ()


def backends_of(audits: Iterable[Audit]) -> list[str]:
    """Backends in the order of their coming; "" stands for none where no file could be loaded."""
    found = list(dict.fromkeys(audit.backend for audit in audits))
    return [backend for backend in found if backend] or found
