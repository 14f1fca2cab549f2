"""The causes of a run: findings of several audits that are one cause, told once."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from esper_audit.data.audits import Audit, JudgedStep
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.differences import Difference
from esper_audit.data.findings import Finding, Pattern, Writer
from esper_audit.data.places import Location
from esper_audit.data.verdicts import StepVerdict
from esper_audit.diagnosis.causes import merged_fields
from esper_audit.report.blocks import attempts
from esper_audit.report.words.numbers import several
from esper_audit.report.words.reasons import in_words


@dataclass(frozen=True)
class Cause:
    """One guard source of one frame, over the audits of a run in which it cost compiles.

    ``parts`` are its findings, one for each old value, with the new values of all ``audits``.
    """

    finding: Finding
    parts: tuple[Finding, ...]
    scenarios: tuple[str, ...]
    values: tuple[str, ...]
    compiles: int
    seconds: float
    limits: int
    pattern: Pattern
    audits: int = 1


def causes(audits: Sequence[Audit]) -> tuple[Cause, ...]:
    """All causes, those that cost most seconds first."""
    grouped: dict[tuple[object, ...], list[tuple[Audit, Finding]]] = {}
    for audit in audits:
        for finding in audit.findings:
            if finding.pattern is None:
                continue  # eager execution and wrong output have sections of their own
            key = (finding.frame.key, finding.id, *finding.subject)
            grouped.setdefault(key, []).append((audit, finding))
    found = [_cause(group) for group in grouped.values()]
    return tuple(sorted(found, key=lambda cause: -cause.seconds))


def _cause(group: Sequence[tuple[Audit, Finding]]) -> Cause:
    findings = [finding for _, finding in group]
    order = (
        *(Pattern.STORM, Pattern.ALTERNATION, Pattern.VARIANTS),
        *(Pattern.CONVERGENCE, Pattern.SINGLE),
    )
    return Cause(
        finding=replace(
            findings[0],
            fields=merged_fields(finding.fields for finding in findings),
            writers=_lines(finding.writers for finding in findings),
            callers=_lines(finding.callers for finding in findings),
            compiles=sum(finding.compiles for finding in findings),
        ),
        parts=_parts(findings),
        scenarios=tuple(dict.fromkeys(audit.scenario for audit, _ in group)),
        values=tuple(dict.fromkeys(value for finding in findings for value in finding.values)),
        compiles=sum(finding.compiles for finding in findings),
        seconds=sum(finding.seconds for finding in findings),
        limits=sum(finding.limit_hit for finding in findings),
        pattern=min((finding.pattern for finding in findings if finding.pattern), key=order.index),
        audits=len({id(audit) for audit, _ in group}),
    )


def _parts(findings: Sequence[Finding]) -> tuple[Finding, ...]:
    found: dict[str, Finding] = {}
    for finding in findings:
        first = found.get(finding.expected, finding)
        values = tuple(dict.fromkeys((*first.values, *finding.values)))
        fields = merged_fields((first.fields, finding.fields))
        found[finding.expected] = replace(first, values=values, fields=fields)
    return tuple(found.values())


def _lines(of_findings: Iterable[Sequence[Writer]]) -> tuple[Writer, ...]:
    """The lines that wrote or called in any audit, each with its caller; the first's first."""
    found: dict[tuple[Location, Location | None], int] = {}
    for lines in of_findings:
        for who in lines:
            place = (who.location, who.called_from)
            found[place] = found.get(place, 0) + who.recompiles
    return tuple(Writer(*place, recompiles) for place, recompiles in found.items())


def eager_causes(
    audits: Sequence[Audit], most: int, besides: Sequence[Diagnosis] = ()
) -> list[str]:
    """Why steps ran eagerly, each reason once, with its diagnosis, the audits and first steps.

    ``most`` of the audits are named for each reason; diagnoses in ``besides`` are left out.
    """
    where: dict[str, list[str]] = {}
    for audit in audits:
        eager = (step for step in audit.steps if step.verdict is StepVerdict.EAGER)
        first = next((step for step in eager if step.eager not in besides), None)
        if first is not None:
            after = f" after {first.label}" if first.label else ""
            place = f"{audit.title} from step {first.index}{after}"
            why = in_words(first.because)
            said = f"{first.eager}: {why}" if first.eager else why
            where.setdefault(said, []).append(place)
    return [f"{said}: {_some(places, most)}." for said, places in where.items()]


def _some(places: Sequence[str], most: int) -> str:
    more = f", and {several(len(places) - most, 'other audit')}" if len(places) > most else ""
    return f"{', '.join(places[:most])}{more}"


def wrong_outputs(audits: Sequence[Audit]) -> list[str]:
    """Of each audit with wrong output: in how many steps, and how far off the worst one is."""
    lines = []
    for audit in audits:
        stale = [step for step in audit.steps if step.verdict is StepVerdict.STALE]
        if stale:
            worst = max(stale, key=_largest)
            after = f" after {worst.label}" if worst.label else ""
            lines.append(
                f"{audit.title}: {len(stale)} of {len(audit.steps)} steps, from step"
                f" {stale[0].index} on; worst in step {worst.index}{after}:"
                f" {in_words(worst.because)}"
            )
    return lines


def _largest(step: JudgedStep) -> float:
    found = [
        comparison.difference
        for comparison in step.step.comparisons
        if comparison.difference is not None
    ]
    return max(map(_size, found), default=0.0)


def _size(difference: Difference) -> float:
    """Infinite and not-a-number come back from JSON as None."""
    if difference.largest is not None:
        return difference.largest
    return math.inf if difference.values else 0.0


def failed_attempts(audits: Sequence[Audit]) -> list[str]:
    """Compiles that failed or were refused: where, how often, why, and what ran instead."""
    return [
        f"{audit.title}: {finding.id.value}: {finding.frame.name}: {attempts(finding)[0]}"
        f" ({finding.text or in_words(finding.why)})"
        for audit in audits
        for finding in audit.findings
        if finding.attempts
    ]
