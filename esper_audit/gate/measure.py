"""Audits, taken down as the entries that a baseline would hold of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import msgspec

from esper_audit.data.audits import Audit, ProgramAudit, ProgramReport, Report
from esper_audit.data.changes import Entry, Subject
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, FrameState
from esper_audit.data.jobs import was_run
from esper_audit.data.logs import RankClass
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Environment, Program
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import (
    DEFAULT_OPTIONS,
    count,
    doubts,
    ran_compiled,
    unproven,
)

_ADDRESS = re.compile(r"0x[0-9a-f]+")


@dataclass(frozen=True)
class Measured:
    """One audit: its own entry, those of its causes, and the finding behind each of these."""

    audit: Entry
    causes: tuple[Entry, ...] = ()
    findings: tuple[Finding, ...] = ()
    reasons: tuple[Reason, ...] = ()
    file: str = ""
    seconds: float = 0.0

    @property
    def subject(self) -> Subject:
        return self.audit.subject

    @property
    def verdict(self) -> AuditVerdict | None:
        return self.audit.verdict

    @property
    def entries(self) -> tuple[Entry, ...]:
        return self.audit, *self.causes


def measure(
    reports: Iterable[Report | ProgramReport], *, logs_prove: bool = False, called: str = ""
) -> tuple[Measured, ...]:
    """Every audit of these reports.

    Args:
        reports: of scenarios or programs.
        logs_prove: of a trace log, what it says is asked for, not whether compiled code ran: two
            sides can be compared by it, no gate can pass by it.
        called: what to call the programs, in place of their own names.
    """
    found: list[Measured] = []
    for report in reports:
        if isinstance(report, Report):
            found += [_of_audit(audit) for audit in report.audits if was_run(audit)]
        else:
            found += _of_programs(_called(report, called), logs_prove)
    return tuple(found)


def _called(report: ProgramReport, name: str) -> ProgramReport:
    if not name:
        return report
    audits = []
    for audit in report.audits:
        program = replace(audit.recording.program or Program(argv=()), name=name)
        audits.append(replace(audit, recording=replace(audit.recording, program=program)))
    return replace(report, audits=tuple(audits))


def differs(audit: Audit, baseline: Sequence[Entry]) -> bool:
    """Whether this audit is anything else than what is accepted of it."""
    measured = _of_audit(audit)
    own = measured.subject.key
    accepted = {entry.key: _bare(entry) for entry in baseline if entry.subject.key == own}
    return accepted != {entry.key: _bare(entry) for entry in measured.entries}


def _bare(entry: Entry) -> tuple[object, ...]:
    return (
        entry.verdict,
        entry.in_warm_up,
        entry.after_warm_up,
        entry.graph_breaks,
        entry.eager,
        entry.stale,
    )


def _of_audit(audit: Audit) -> Measured:
    steps = Counter(step.verdict for step in audit.steps)
    steady = Counter(step.verdict for step in audit.steps if step.phase is Phase.STEADY)
    subject = Subject(
        *_place(audit.recording.environment),
        scenario=audit.scenario,
        parameters=dict(audit.parameters),
        backend=audit.backend,
        options={n: v for n, v in audit.options.items() if DEFAULT_OPTIONS.get(n) != v},
    )
    counts = count(audit.recording)
    own = _entry(
        subject,
        verdict=audit.verdict,
        in_warm_up=counts.compiles_in_warm_up,
        after_warm_up=counts.compiles_after_warm_up,
        graph_breaks=counts.graph_breaks,
        eager=steady[StepVerdict.EAGER],
        stale=steps[StepVerdict.STALE],
    )
    causes = _causes(subject, audit.findings)
    return Measured(
        audit=own,
        causes=tuple(entry for entry, _ in causes),
        findings=tuple(finding for _, finding in causes),
        reasons=audit.reasons,
        file=audit.file,
        seconds=audit.wall_seconds,
    )


def _of_programs(report: ProgramReport, logs_prove: bool) -> list[Measured]:
    """Each rank; what ranks have not in common is a cause of the first."""
    named = [
        (of_class.run, number, title, audit)
        for audit, of_class in report.parts
        for number, title in _titles(audit, of_class)
    ]
    found = [
        _of_program(audit, title, logs_prove)
        for _, _, title, audit in sorted(named, key=lambda one: one[:3])
    ]
    if found and report.differences:
        first = found[0]
        causes = _causes(first.subject, (*first.findings, *report.differences))
        found[0] = replace(
            first,
            causes=tuple(entry for entry, _ in causes),
            findings=tuple(finding for _, finding in causes),
        )
    return found


def _titles(audit: ProgramAudit, of_class: RankClass) -> Iterator[tuple[int, str]]:
    """Each rank of a class, and what it is called; or each process: a baseline knows no classes."""
    program = audit.recording.program
    if program is None:
        yield -1, "a recording"
        return
    run = f", run {of_class.run + 1}" if of_class.run else ""
    if of_class.ranks:
        for rank in of_class.ranks:
            yield rank, f"{replace(program, rank=rank).title}{run}"
    elif of_class.size > 1:
        for pid in of_class.pids:
            yield -1, f"{program.title} (process {pid}){run}"
    else:
        yield -1, f"{program.title}{run}"


def _of_program(audit: ProgramAudit, name: str, logs_prove: bool) -> Measured:
    counts = count(audit.recording, audit.budget.warm_up_calls)
    is_taken = logs_prove and audit.recording.trace_log is not None
    doubted = [] if is_taken else list(_unproven(audit))
    verdict = AuditVerdict.ERROR if doubted else audit.verdict
    if is_taken and verdict is AuditVerdict.ERROR:
        verdict = None
    subject = Subject(*_place(audit.recording.environment), scenario=name)
    own = _entry(
        subject,
        verdict=verdict,
        in_warm_up=counts.compiles_in_warm_up,
        after_warm_up=counts.compiles_after_warm_up,
        graph_breaks=counts.graph_breaks,
        eager=sum(frame.state in (FrameState.EAGER, FrameState.FAILED) for frame in audit.frames),
    )
    causes = _causes(subject, audit.findings)
    return Measured(
        audit=own,
        causes=tuple(entry for entry, _ in causes),
        findings=tuple(finding for _, finding in causes),
        reasons=tuple(doubted) or audit.reasons,
        file=name,
        seconds=audit.recording.seconds,
    )


def _unproven(audit: ProgramAudit) -> Iterator[Reason]:
    yield from doubts(audit.recording)
    program = audit.recording.program
    if audit.recording.complete and program is not None and program.exit_code:
        yield Reason(why=Why.PROGRAM_FAILED, text=program.ended)
    if not ran_compiled(audit.recording):
        yield unproven(audit.recording)


def _place(environment: Environment) -> tuple[str, str]:
    """The public version, and the device: what decides which entries can be compared."""
    return environment.torch.split("+")[0], environment.device


def _causes(subject: Subject, findings: Sequence[Finding]) -> list[tuple[Entry, Finding]]:
    """An entry for each cause; findings of one key, such as several graph breaks, are added up."""
    found: dict[tuple[str, ...], tuple[Entry, Finding]] = {}
    for finding in findings:
        entry = _entry(
            subject,
            frame=finding.frame.key,
            id=finding.id.value,
            source=finding.source or _reason(finding),
            after_warm_up=finding.compiles,
        )
        if entry.cause in found:
            known, first = found[entry.cause]
            total = known.after_warm_up + entry.after_warm_up
            found[entry.cause] = (_changed(known, after_warm_up=total), _merged(first, finding))
        else:
            found[entry.cause] = entry, finding
    return list(found.values())


def _reason(finding: Finding) -> str:
    """Two graph breaks of one frame are two causes. Addresses differ from run to run."""
    if finding.id is not Diagnosis.GRAPH_BREAK:
        return ""
    return _ADDRESS.sub("0x…", finding.text.strip().split("\n")[0])


def _merged(first: Finding, second: Finding) -> Finding:
    return replace(
        first,
        values=(*first.values, *second.values),
        compiles=first.compiles + second.compiles,
        seconds=first.seconds + second.seconds,
        limit_hit=first.limit_hit or second.limit_hit,
    )


def _entry(subject: Subject, **fields: object) -> Entry:
    return _changed(
        Entry(
            torch=subject.torch,
            device=subject.device,
            scenario=subject.scenario,
            parameters=subject.parameters,
            backend=subject.backend,
            options=subject.options,
            in_warm_up=0,
            after_warm_up=0,
        ),
        **fields,
    )


def _changed(entry: Entry, **fields: object) -> Entry:
    return msgspec.structs.replace(entry, **fields)
