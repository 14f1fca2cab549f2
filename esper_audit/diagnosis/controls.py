"""Negative controls: audits that are wrong on purpose, to show that the audit sees it."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.audits import Audit
from esper_audit.data.expectations import Control
from esper_audit.data.verdicts import AuditVerdict


def is_control(audit: Audit, control: Control | None) -> bool:
    """Whether this audit has all the parameters of the control."""
    return control is not None and control.params.items() <= audit.parameters.items()


def caught(audits: Sequence[Audit], control: Control | None) -> tuple[Audit, ...]:
    """The control's audits in which a step got the verdict that it must get."""
    return tuple(
        audit
        for audit in audits
        if control is not None
        and is_control(audit, control)
        and any(step.verdict is control.verdict for step in audit.steps)
    )


def misses(audits: Sequence[Audit], control: Control | None) -> bool:
    """Whether a backend that replayed a required control caught none of its audits."""
    if control is None or not control.required:
        return False
    replayed = {audit.backend for audit in audits if is_control(audit, control)}
    return bool(replayed - {audit.backend for audit in caught(audits, control)})


def overall(
    audits: Sequence[Audit], interrupted: bool = False, control: Control | None = None
) -> AuditVerdict:
    """The verdict of a run.

    Error where it was cut short, where nothing passed or failed, or where no control was caught on
    a backend;
    failed where an audit failed; error where one could not be judged. Controls fail on purpose
    and don't count.
    """
    verdicts = {audit.verdict for audit in audits if not is_control(audit, control)}
    if interrupted or misses(audits, control) or verdicts <= {AuditVerdict.SKIPPED}:
        return AuditVerdict.ERROR
    for verdict in (AuditVerdict.FAILED, AuditVerdict.ERROR):
        if verdict in verdicts:
            return verdict
    return AuditVerdict.PASSED
