"""A whole run of `esper-audit fix`: audit, try remedies for what failed, keep what was proven."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from esper_audit.auditing import Progress, Request, audited
from esper_audit.data.jobs import Job
from esper_audit.data.remedies import FixReport
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.replay.pool import Pool


class FixProgress(Progress, Protocol):
    """Who hears how far a run of ``fix`` is: first as of an audit, then of the trials."""

    def trying(self, jobs: Sequence[Job]) -> None: ...
    def tried(self) -> None: ...


@dataclass(frozen=True)
class FixRequest:
    """What to audit and fix. ``all_``: go on after the first proven remedy of a case.

    ``minimal``: find the smallest set of remedies that frees every case, too.
    """

    audit: Request
    all_: bool = False
    minimal: bool = False


def run_fix(request: FixRequest, pool: Pool, progress: FixProgress) -> FixReport:
    """Audit what is asked for, and try remedies for each case that failed.

    A KeyboardInterrupt ends it early: the report then holds what was done, and says so. Raises
    UsageError where nothing can be replayed as asked.
    """
    started = time.monotonic()
    report, _ = audited(request.audit, pool, progress)
    passed = tuple(audit.title for audit in report.audits if audit.verdict is AuditVerdict.PASSED)
    return FixReport(
        environment=report.environment,
        root=report.root,
        passed=passed,
        interrupted=report.interrupted,
        wall_seconds=time.monotonic() - started,
    )
