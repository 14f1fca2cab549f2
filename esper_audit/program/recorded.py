"""A program as it is: recorded once with torch.compile and twice without, and judged."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from esper_audit.data.audits import Audit
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.as_steps import Expected, audit_of, budget_of, expected_of
from esper_audit.diagnosis.calls import later_seconds
from esper_audit.errors import IncompleteError
from esper_audit.program.launch import Target
from esper_audit.program.tries import TriedRun, Tries
from esper_audit.program.variant import ProgramVariant


@dataclass(frozen=True)
class RecordedProgram:
    """A program as it is: its run, its judged recording, and what every run must equal."""

    run: TriedRun
    recording: Recording
    audit: Audit
    budget: ProgramBudget
    expected: Expected
    file: str
    eager_seconds: tuple[float, ...] = ()

    def judged(self, run: TriedRun) -> Audit:
        """The audit of another run."""
        if run.recording is None or run.calls is None:
            why = Why.TIME_LIMIT if run.cut else Why.PROCESS_EXITED
            reason = Reason(why=why, seconds=run.seconds, count=run.code)
            return _not_kept(self.audit, reason, run.seconds)
        if run.calls.missing:
            reason = Reason(why=Why.EXITED, text=run.calls.missing)
            return _not_kept(self.audit, reason, run.seconds)
        found = audit_of(run.recording, run.calls, self.budget, self.expected, self.file)
        return replace(found, wall_seconds=run.seconds)


def _not_kept(audit: Audit, reason: Reason, seconds: float) -> Audit:
    """Of a run that left nothing to judge."""
    empty = Recording(environment=audit.recording.environment)
    return replace(
        audit,
        recording=empty,
        verdict=AuditVerdict.ERROR,
        reasons=(reason,),
        steps=(),
        findings=(),
        wall_seconds=seconds,
    )


def recorded(tries: Tries, target: Target, asked: ProgramBudget) -> RecordedProgram:
    """Run it as it is, and twice without compiling. Raises IncompleteError where one is lost."""
    eager = ProgramVariant(eager=True)
    as_is, first, second = tries.run([ProgramVariant(), eager, eager])
    for run in (as_is, first, second):
        if run.recording is None or run.calls is None:
            raise IncompleteError(
                f"The program could not be recorded: its process ended with {run.code}.",
                "Run it with `esper-audit exec` to see why.",
            )
    assert as_is.recording is not None and as_is.calls is not None
    assert first.recording is not None and first.calls is not None and second.calls is not None
    ended = first.recording.program.ended if first.recording.program is not None else ""
    expected = expected_of(first.calls, second.calls, as_is.calls, ended)
    budget = budget_of(as_is.recording, asked)
    file = "" if target.is_module else str(Path(target.name).absolute())
    audit = audit_of(as_is.recording, as_is.calls, budget, expected, file)
    return RecordedProgram(
        run=as_is,
        recording=as_is.recording,
        audit=replace(audit, wall_seconds=as_is.seconds),
        budget=budget,
        expected=expected,
        file=file,
        eager_seconds=tuple(later_seconds(first.calls)),
    )
