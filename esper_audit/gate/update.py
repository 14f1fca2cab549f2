"""The baseline that accepts what was measured."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from esper_audit.data.changes import ChangeKind, ComparedAudit, Entry
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.gate.measure import Measured

NOT_ACCEPTED = (ChangeKind.ERROR, ChangeKind.NOT_DETERMINISTIC)


def updated(
    baseline: Sequence[Entry],
    measured: Sequence[Measured],
    results: Sequence[ComparedAudit],
    reason: str = "",
) -> tuple[Entry, ...]:
    """The entries of the baseline with those of the audits in place of their old ones.

    Audits that could not be judged or that differ from run to run keep their old entries; stale
    entries go; entries of other environments, and of what was not audited, stay. A reason stays
    with its entry, and ``reason`` goes to failures and causes that are new or changed.
    """
    refused = {result.subject.key for result in results if result.kind in NOT_ACCEPTED}
    stale = {result.subject.key for result in results if result.kind is ChangeKind.UNMATCHED}
    taken = {audit.subject.key: audit for audit in measured if audit.subject.key not in refused}
    known = {entry.key: entry for entry in baseline}
    kept = [e for e in baseline if e.subject.key not in taken and e.subject.key not in stale]
    new = [_with_reason(e, known.get(e.key), reason) for m in taken.values() for e in m.entries]
    return tuple(sorted((*kept, *new), key=lambda entry: entry.key))


def _with_reason(entry: Entry, before: Entry | None, reason: str) -> Entry:
    old = before.reason if before is not None else ""
    same = before is not None and msgspec.structs.replace(before, reason="") == entry
    needs_one = not entry.is_audit or entry.verdict is AuditVerdict.FAILED
    words = old if same or not needs_one else reason or old
    return msgspec.structs.replace(entry, reason=words)
