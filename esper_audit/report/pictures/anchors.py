"""What the parts of one page are called, where others of its parts lead to them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from esper_audit.data.audits import Audit
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding


@dataclass(frozen=True)
class Anchors:
    """Anchors of what the page shows; empty where it shows it not.

    ``audits`` are by identity, as equal audits may stand beside each other; ``frames`` by frame
    key; ``causes`` by the key of a cause.
    """

    audits: Mapping[int, str] = field(default_factory=dict)
    frames: Mapping[str, str] = field(default_factory=dict)
    causes: Mapping[tuple[str, ...], str] = field(default_factory=dict)

    def of_audit(self, audit: Audit | None) -> str:
        """The section of an audit."""
        return self.audits.get(id(audit), "") if audit is not None else ""

    def of_frame(self, key: str) -> str:
        """The guards of a frame."""
        return self.frames.get(key, "")

    def of_cause(self, finding: Finding) -> str:
        """The card of a cause."""
        return self.causes.get(cause_key(finding), "")

    def of_causes(self, findings: Sequence[Finding]) -> str:
        """The card of the first cause of an attempt that has one."""
        return next(filter(None, map(self.of_cause, findings)), "")


def cause_key(finding: Finding) -> tuple[str, ...]:
    """Equal for findings that are told as one cause."""
    return (finding.frame.key, finding.id, *finding.subject)


def numbered(name: str, keys: Iterable[tuple[str, ...]]) -> dict[tuple[str, ...], str]:
    """``cause-1``, ``cause-2``, …: one for each key."""
    return {key: f"{name}-{number}" for number, key in enumerate(dict.fromkeys(keys), 1)}


def about(diagnosis: Diagnosis) -> str:
    """Where the page tells what a diagnosis means."""
    return f"about-{diagnosis.value}"
