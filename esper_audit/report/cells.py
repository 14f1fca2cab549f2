"""What one audit comes to in a few words, for the cell of a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from esper_audit.data.audits import Audit
from esper_audit.data.jobs import was_run
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import count
from esper_audit.report.sections import Style
from esper_audit.report.words.marks import AUDIT_MARKS, AUDIT_STYLES
from esper_audit.report.words.numbers import several


@dataclass(frozen=True)
class Cell:
    """A mark, a word and, where there is more to say, a detail; readable without the style.

    ``audit`` is the one that it tells of.
    """

    text: str
    style: Style
    audit: Audit | None = field(default=None, compare=False, repr=False)


def limit_hit(audit: Audit) -> bool:
    """Whether any frame reached the recompile limit in a step."""
    return any(made.limit_hit for made in audit.recording.compiles)


def cell(audit: Audit) -> Cell:
    """Verdict, compiles after warm-up, and whether the limit was hit."""
    return _cell(audit, _words(audit))


def _cell(audit: Audit, text: str) -> Cell:
    return Cell(f"{AUDIT_MARKS[audit.verdict]} {text}", AUDIT_STYLES[audit.verdict], audit)


def _words(audit: Audit) -> str:
    if not was_run(audit):
        return "not run"
    if audit.verdict in (AuditVerdict.SKIPPED, AuditVerdict.ERROR):
        return audit.verdict.value
    said = [*_wrong_or_eager(audit), *_compiles(audit)]
    return ", ".join(said) or (_REUSED if audit.verdict is AuditVerdict.PASSED else FAILED)


_REUSED = "reused"
REUSED = f"{AUDIT_MARKS[AuditVerdict.PASSED]} {_REUSED}"
"""The cell of an audit in which all went well, and nothing was compiled after warm-up."""

FAILED = "failed"
"""What a cell says where the audit failed, and no count and no step says of what."""


def _wrong_or_eager(audit: Audit) -> Iterator[str]:
    if any(step.verdict is StepVerdict.STALE for step in audit.steps):
        yield "stale"
    elif audit.verdict is AuditVerdict.FAILED and not limit_hit(audit):
        steady = (step for step in audit.steps if step.phase is Phase.STEADY)
        if any(step.verdict is StepVerdict.EAGER for step in steady):
            yield "eager"


def _compiles(audit: Audit) -> Iterator[str]:
    """Those after warm-up: recompiles, until the limit or not, and those of another kind."""
    counts = count(audit.recording)
    recompiles = counts.recompiles_after_warm_up
    other = counts.compiles_after_warm_up - recompiles
    if limit_hit(audit):
        yield f"limit after {recompiles}" if recompiles else "limit hit"
    elif recompiles:
        yield several(recompiles, "recompile")
    if other:
        yield several(other, "other compile" if recompiles else "compile")


def graphs_cell(audit: Audit) -> Cell:
    """Compiles in warm-up, then in all: how backends are held against each other."""
    if audit.verdict in (AuditVerdict.SKIPPED, AuditVerdict.ERROR):
        return cell(audit)
    counts = count(audit.recording)
    made = f"{counts.compiles_in_warm_up} then {counts.compiles}" if counts.compiles else "eager"
    limit = ["limit hit"] if limit_hit(audit) else []
    stale = any(step.verdict is StepVerdict.STALE for step in audit.steps)
    return _cell(audit, ", ".join([made, *limit, *(["stale"] if stale else [])]))
