"""Short ways to make remedies, and audits as trials see them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from builders import FRAME, audit, compiled, failure, judged

from esper_audit.data.audits import Audit
from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.remedies import Cause, Edit, Lever, LeverKind, Reach, Remedy
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict

R, C, E, S = (
    StepVerdict.REUSED,
    StepVerdict.RECOMPILED,
    StepVerdict.EAGER,
    StepVerdict.STALE,
)
TEXT = "".join(f"line {number}\n" for number in range(30))


def cause(source: str = "self.alpha", kind: Diagnosis = Diagnosis.FLOAT_SPECIALIZED) -> Cause:
    return Cause(id=kind, frame=FRAME, source=source, torch_source=f"L['{source}']")


def lever(
    name: str = "dynamic",
    reach: Reach = Reach.CALLABLE,
    kind: LeverKind = LeverKind.COMPILE,
    value: str = "True",
    **fields: Any,
) -> Remedy:
    fields = {"covers": (cause(),), **fields}
    pulled = Lever(kind=kind, name=name, value=value)
    return Remedy(id=name, reach=reach, levers=(pulled,), **fields)


def edit(line: int = 3, file: str = "/p/host.py", name: str = "buffer", **fields: Any) -> Remedy:
    after = TEXT.replace(f"line {line}\n", f"{name} {line}\n")
    made = Edit(file=file, before=TEXT, after=after)
    fields = {"covers": (cause(),), **fields}
    return Remedy(id=name, reach=Reach.SOURCE, edits=(made,), **fields)


def finding(
    source: str = "self.alpha",
    kind: Diagnosis = Diagnosis.FLOAT_SPECIALIZED,
    pattern: Pattern = Pattern.STORM,
    **fields: Any,
) -> Finding:
    return Finding(id=kind, frame=FRAME, source=source, pattern=pattern, **fields)


def ran(*verdicts: StepVerdict, findings: Sequence[Finding] = (), **fields: Any) -> Audit:
    """An audit of two steps of warm-up and steady steps with these verdicts, each of an event."""
    warm = [judged(index, R, phase=Phase.WARM_UP) for index in range(2)]
    steady = [
        judged(place + 2, verdict, label=f"set({place})") for place, verdict in enumerate(verdicts)
    ]
    compiles = [
        compiled(step.index, Outcome.RECOMPILED, guard_failures=(failure(),))
        for step in steady
        if step.verdict is C
    ]
    passed = set(verdicts) <= {R}
    verdict = AuditVerdict.PASSED if passed else AuditVerdict.FAILED
    given = {"compiles": tuple(compiles), "findings": tuple(findings), **fields}
    return audit(given.pop("verdict", verdict), steps=(*warm, *steady), **given)


STORM = ran(*(C, R) * 4, findings=[finding()])
PASSED = ran(*(R,) * 8)

Make = Callable[..., Any]
