"""Verdicts of steps, audits and claims."""

from __future__ import annotations

from enum import StrEnum


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
