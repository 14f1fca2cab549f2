"""What one audit comes to in a few words, for the cell of a table."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from esper_audit.data.audits import Audit
from esper_audit.data.jobs import was_run
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import count
from esper_audit.report.sections import Style
from esper_audit.report.words.marks import AUDIT_MARKS, AUDIT_STYLES


@dataclass(frozen=True)
class Cell:
    """A mark, a word and, where there is more to say, a detail; readable without the style."""

    text: str
    style: Style


def limit_hit(audit: Audit) -> bool:
    """Whether any frame reached the recompile limit in a step."""
    return any(each.limit_hit for each in audit.recording.compiles)


def cell(audit: Audit) -> Cell:
    """Verdict, compiles after warm-up, and whether the limit was hit."""
    return Cell(f"{AUDIT_MARKS[audit.verdict]} {_words(audit)}", AUDIT_STYLES[audit.verdict])


def _words(audit: Audit) -> str:
    if not was_run(audit):
        return "not run"
    if audit.verdict in (AuditVerdict.SKIPPED, AuditVerdict.ERROR):
        return audit.verdict.value
    verdicts = Counter(step.verdict for step in audit.steps)
    steady = Counter(step.verdict for step in audit.steps if step.phase is Phase.STEADY)
    made = count(audit.recording).compiles_after_warm_up
    also = f", recompiled {made}" if made else ""
    if verdicts[StepVerdict.STALE]:
        return f"stale{also}" + (", limit hit" if limit_hit(audit) else "")
    if limit_hit(audit):
        return f"recompiled {made}, limit hit"
    if audit.verdict is AuditVerdict.FAILED and steady[StepVerdict.EAGER]:
        return f"eager{also}"
    if made:
        return f"recompiled {made}" + (" (allowed)" if audit.verdict is AuditVerdict.PASSED else "")
    return "reused" if audit.verdict is AuditVerdict.PASSED else "failed"


def graphs_cell(audit: Audit) -> Cell:
    """Graphs after warm-up, then in all: how backends are held against each other."""
    if audit.verdict in (AuditVerdict.SKIPPED, AuditVerdict.ERROR):
        return cell(audit)
    made = [each for each in audit.recording.compiles if each.succeeded]
    early = sum(1 for each in made if each.phase is Phase.WARM_UP)
    stale = any(step.verdict is StepVerdict.STALE for step in audit.steps)
    details = [
        f"{early} then {len(made)}",
        *(["limit hit"] if limit_hit(audit) else []),
        *(["stale"] if stale else []),
    ]
    if not made:
        details[0] = "eager"
    return Cell(f"{AUDIT_MARKS[audit.verdict]} {', '.join(details)}", AUDIT_STYLES[audit.verdict])
