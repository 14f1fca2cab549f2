"""The causes of a run: findings of several audits that are one cause, told once."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from esper_audit.events import Location
from esper_audit.findings import Audit, Finding, Pattern, StepVerdict


@dataclass(frozen=True)
class Cause:
    """One guard source of one frame, over the audits of a run in which it cost compiles."""

    finding: Finding
    scenarios: tuple[str, ...]
    values: tuple[str, ...]
    compiles: int
    seconds: float
    limits: int
    pattern: Pattern


def causes(audits: Sequence[Audit]) -> tuple[Cause, ...]:
    """All causes, those that cost most seconds first."""
    grouped: dict[tuple[object, ...], list[tuple[Audit, Finding]]] = {}
    for audit in audits:
        for finding in audit.findings:
            fields = tuple(re.findall(r"(\w+)=", finding.actual))
            key = (finding.frame.key, finding.source, fields)
            grouped.setdefault(key, []).append((audit, finding))
    found = [_cause(group) for group in grouped.values()]
    return tuple(sorted(found, key=lambda cause: -cause.seconds))


def _cause(group: Sequence[tuple[Audit, Finding]]) -> Cause:
    findings = [finding for _, finding in group]
    order = (Pattern.STORM, Pattern.CONVERGENCE, Pattern.SINGLE)
    return Cause(
        finding=findings[0],
        scenarios=tuple(dict.fromkeys(audit.scenario for audit, _ in group)),
        values=tuple(dict.fromkeys(value for each in findings for value in each.values)),
        compiles=sum(each.compiles for each in findings),
        seconds=sum(each.seconds for each in findings),
        limits=sum(each.limit_hit for each in findings),
        pattern=min((each.pattern for each in findings), key=order.index),
    )


def change(cause: Cause, shown: int = 4) -> str:
    """``0.5 -> 0.1, 0.2, … (9 values)``."""
    values = ", ".join(map(_short, cause.values[:shown]))
    more = f", … ({len(cause.values)} values)" if len(cause.values) > shown else ""
    return f"{_short(cause.finding.expected)} -> {values}{more}"


def _short(value: str) -> str:
    """Six digits of a float are enough to read; the recording keeps all."""
    try:
        return f"{float(value):.6g}" if "." in value and len(value) > 8 else value
    except ValueError:
        return value


def eager_causes(audits: Sequence[Audit]) -> list[str]:
    """Why steps ran eagerly, each reason once, with the audits and the first step of each."""
    where: dict[str, list[str]] = {}
    for audit in audits:
        first = next((s for s in audit.steps if s.verdict is StepVerdict.EAGER), None)
        if first is not None:
            after = f" after {first.label}" if first.label else ""
            place = f"{audit.title} from step {first.index}{after}"
            where.setdefault(first.because, []).append(place)
    return [f"{because}: {', '.join(places)}." for because, places in where.items()]


def place(location: Location | None, root: str) -> str:
    """``file:line in function``, the file from ``root`` on where it lies there."""
    if location is None:
        return "unknown"
    file = location.file.removeprefix(root.rstrip("/") + "/") if root else location.file
    inside = f" in {location.function}" if location.function else ""
    return f"{file}:{location.line}{inside}"
