"""A finding in a few words, for formats that have one line for it."""

from __future__ import annotations

from esper_audit.data.diagnoses import MEANINGS
from esper_audit.data.findings import Finding
from esper_audit.report.blocks import attempts
from esper_audit.report.words.changes import change, sources
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import without_installation
from esper_audit.report.words.reasons import in_words


def brief(finding: Finding, note: str = "") -> str:
    """``self.alpha 0.5 -> 0.1, 0.2 (2 recompiles, 0.36 s)``; of what is no cause of recompiles,
    the code and what became of it. ``note`` is told in the brackets, too.
    """
    if finding.pattern is None:
        return f"{finding.frame.name}: {_what(finding)}{f' ({note})' if note else ''}"
    changed = " ".join(filter(None, [sources(finding), change(finding)]))
    return f"{changed} ({_cost(finding)}{f'; {note}' if note else ''})"


def _cost(finding: Finding) -> str:
    parts = [several(finding.compiles, "recompile")]
    parts += [f"{finding.refused} refused"] if finding.refused else []
    return ", ".join([*parts, f"{finding.seconds:.2g} s"])


def _what(finding: Finding) -> str:
    """What a graph break, eager execution or a failed compile comes from, as far as known."""
    meaning = MEANINGS[finding.id].what
    if finding.breaks is not None:
        return finding.breaks.called or without_installation(finding.text) or meaning
    return next(iter(attempts(finding)), "") or in_words(finding.why) or meaning
