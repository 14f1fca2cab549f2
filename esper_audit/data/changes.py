"""What a baseline holds, and what comparing with it yields. Plain frozen data."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import msgspec

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.numbers import Count, Seconds
from esper_audit.data.reasons import Reason
from esper_audit.data.verdicts import AuditVerdict


class Entry(
    msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True
):
    """One accepted state: of an audit, or of one cause in it, which then has frame and id.

    ``in_warm_up`` and ``after_warm_up`` are compiles; of a cause, recompiles. ``eager`` and
    ``stale`` are steps; of a recorded program, frames that run eagerly. ``frame`` is a frame key,
    without line numbers. ``options`` are those of the replay that differ from the default.
    """

    torch: str
    device: str
    scenario: str
    parameters: dict[str, str] = {}
    backend: str = ""
    options: dict[str, str] = {}
    frame: str = ""
    id: str = ""
    source: str = ""
    verdict: AuditVerdict | None = None
    in_warm_up: Count
    after_warm_up: Count
    graph_breaks: Count = 0
    eager: Count = 0
    stale: Count = 0
    reason: str = ""

    @property
    def subject(self) -> Subject:
        return Subject(
            self.torch, self.device, self.scenario, self.parameters, self.backend, self.options
        )

    @property
    def cause(self) -> tuple[str, str, str]:
        """Which cause of the subject it is; empty texts for the audit itself."""
        return self.frame, self.id, self.source

    @property
    def key(self) -> tuple[str, ...]:
        return (*self.subject.key, *self.cause)

    @property
    def is_audit(self) -> bool:
        return not self.id


@dataclass(frozen=True, slots=True)
class Subject:
    """What an entry is about: one scenario, one set of parameters, one backend, one environment."""

    torch: str
    device: str
    scenario: str
    parameters: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    options: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, ...]:
        texts = (json.dumps(mapping, sort_keys=True) for mapping in (self.parameters, self.options))
        parameters, options = texts
        return self.torch, self.device, self.scenario, parameters, self.backend, options

    @property
    def environment(self) -> str:
        """``torch 2.13.0, cpu``; without a device where it is not known."""
        return f"torch {self.torch}{self.device and f', {self.device}'}"

    @property
    def title(self) -> str:
        """``scenario [value-value]``."""
        values = "-".join(self.parameters.values())
        return f"{self.scenario} [{values}]" if values else self.scenario

    @property
    def way(self) -> str:
        """``aot_eager dynamic=true``: how it was compiled."""
        return " ".join(
            [self.backend, *(f"{name}={value}" for name, value in self.options.items())]
        )


class ChangeKind(StrEnum):
    """How a state relates to the accepted one."""

    NOT_DETERMINISTIC = "not-deterministic"
    WORSE = "worse"
    NEW = "new"
    NOT_COMPARABLE = "not-comparable"
    IMPROVED = "improved"
    UNMATCHED = "unmatched"
    ERROR = "error"
    SAME = "same"


UNSURE = (ChangeKind.ERROR, ChangeKind.NOT_COMPARABLE, ChangeKind.NOT_DETERMINISTIC)
"""What proves nothing: it may be told not to fail, and is no pass all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference. ``before`` and ``after`` are entries of the same key, None where missing.

    ``finding`` is what was found, of a cause that is there now; ``about`` are the diagnoses behind
    a count. ``fails``: it is one of the changes that the gate was told to fail on.
    """

    kind: ChangeKind
    reason: Reason
    before: Entry | None = None
    after: Entry | None = None
    finding: Finding | None = None
    about: tuple[Diagnosis, ...] = ()
    fails: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparedAudit:
    """One subject, held against what was accepted. ``kind`` is the gravest of its changes'.

    ``before`` and ``after`` are its own entries, ``reasons`` those of the audit's verdict.
    """

    subject: Subject
    kind: ChangeKind
    changes: tuple[Change, ...] = ()
    before: Entry | None = None
    after: Entry | None = None
    verdict: AuditVerdict | None = None
    reasons: tuple[Reason, ...] = ()
    file: str = ""
    seconds: Seconds = 0.0

    @property
    def fails(self) -> bool:
        return any(change.fails for change in self.changes)


def verdict_of(results: Sequence[ComparedAudit], doubt: Reason | None = None) -> AuditVerdict:
    """Failed where a change fails; error where one could not be judged or compared, or none was.

    ``doubt``: why the audit as a whole proves nothing.
    """
    if doubt is not None:
        return AuditVerdict.ERROR
    if any(result.fails for result in results):
        return AuditVerdict.FAILED
    judged = [result for result in results if result.verdict not in (None, AuditVerdict.SKIPPED)]
    judged += [result for result in results if result.verdict is None and result.after is not None]
    if not judged or any(result.kind in UNSURE for result in results):
        return AuditVerdict.ERROR
    return AuditVerdict.PASSED


@dataclass(frozen=True, slots=True, kw_only=True)
class GateReport:
    """What ``esper-audit gate`` came to.

    ``accept`` is the command that accepts the new state, ``known`` the environments that the
    baseline has entries for, ``doubt`` why the audit as a whole could not be completed.
    ``left_out`` are files that can't be imported and that ``-k`` left out.
    ``has_baseline``: whether there was a file to compare with.
    """

    root: str = ""
    baseline: str = ""
    has_baseline: bool = True
    verdict: AuditVerdict
    results: tuple[ComparedAudit, ...] = ()
    known: tuple[str, ...] = ()
    accept: str = ""
    updated: bool = False
    runs: Count = 1
    doubt: Reason | None = None
    wall_seconds: Seconds = 0.0
    left_out: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class ComparisonReport:
    """Two saved audits side by side; a result is worse or improved from the first to the second.

    ``doubt``: why one of them proves nothing. ``notes``: what a side can't tell.
    """

    root: str = ""
    first: str
    second: str
    results: tuple[ComparedAudit, ...] = ()
    doubt: Reason | None = None
    notes: tuple[Reason, ...] = ()

    @property
    def verdict(self) -> AuditVerdict:
        """Failed where anything differs; error where nothing can be said."""
        kinds = {result.kind for result in self.results} - {ChangeKind.SAME}
        if self.doubt is not None or not self.results or kinds == {ChangeKind.ERROR}:
            return AuditVerdict.ERROR
        return AuditVerdict.FAILED if kinds else AuditVerdict.PASSED
