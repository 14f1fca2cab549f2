"""Negative controls: audits that are wrong on purpose, to show that the audit sees it."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.audits import Audit
from esper_audit.data.expectations import Control


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
