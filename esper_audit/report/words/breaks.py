"""The words of graph breaks: what broke, in which frames, and what to move."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.diagnoses import MEANINGS
from esper_audit.data.findings import BreakGroup, Finding
from esper_audit.data.places import Location
from esper_audit.report.words.advice import NOTHING, to_try
from esper_audit.report.words.findings import since_words
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import place, without_installation
from esper_audit.torch_text.breaks import BRANCH, READ

_MOST = 3
_BRANCH = "branch with torch.where or torch.cond, or move the branch out of the compiled function"
_READ = "keep the value in a tensor, or read it outside the compiled function"
_OWN = "torch's own code broke the graph, on purpose or at a call that Dynamo can't trace"
_OPERATOR = "aten."
_READS = (READ, "Tensor.item()", "Tensor.tolist()")


def breaks_details(finding: Finding, breaks: BreakGroup, root: str) -> list[str]:
    """What is known of graph breaks, a line each."""
    meaning = MEANINGS[finding.id]
    lines = [_OWN if breaks.own else meaning.what, _frames(finding, breaks)]
    if breaks.own:
        called = finding.called_from
        lines.append(f"called from {place(called, root)}" if called is not None else "")
        lines.append(f"since {since_words(finding.since)}" if finding.since else "")
        return [line for line in [*lines, NOTHING] if line]
    if breaks.places:
        lines.append(f"in the call of {', '.join(places(breaks.places, root))}")
    lines += [_said(finding.text, breaks), *hints(breaks.hints)]
    lines.append(f"since {since_words(finding.since)}" if finding.since else "")
    lines.append(to_try(_remedy(breaks) or meaning.remedy))
    return [line for line in lines if line]


def said(finding: Finding) -> list[str]:
    """``torch says: TorchRuntimeError: …``: its first line, and what else it says."""
    if not finding.text:
        return []
    detail = f": {finding.detail}" if finding.detail else ""
    return [without_installation(f"torch says: {finding.text}{detail}")]


def _said(text: str, breaks: BreakGroup) -> str:
    """``torch says: Failed to trace builtin operator (print)``."""
    if not text:
        return ""
    name = breaks.called
    known = not name or name in text or name == BRANCH
    more = breaks.explanation if not name else ""
    tail = f": {more}" if more else ""
    return without_installation(f"torch says: {text}{'' if known else f' ({name})'}{tail}")


def hints(texts: Sequence[str]) -> list[str]:
    """``torch's hint: Set …``; the first two."""
    return [f"torch's hint: {without_installation(text)}" for text in texts[:2]]


def places(found: Sequence[Location], root: str) -> list[str]:
    """The first of several places."""
    told = [place(location, root) for location in found[:_MOST]]
    return [*told, f"{len(found) - _MOST} more"] if len(found) > _MOST else told


def _frames(finding: Finding, breaks: BreakGroup) -> str:
    """``breaks 2 frames (Net.forward, Net.loss), in 3 compiles``."""
    if breaks.count < 2 and not breaks.own:
        return f"in {several(finding.compiles, 'compile')}" if finding.compiles > 1 else ""
    more = ", …" if len(breaks.frames) > _MOST else ""
    names = f" ({', '.join(breaks.frames[:_MOST])}{more})" if breaks.frames else ""
    compiles = f", in {several(finding.compiles, 'compile')}" if finding.compiles else ""
    return f"breaks {several(breaks.count, 'frame')}{names}{compiles}"


def _remedy(breaks: BreakGroup) -> str:
    if breaks.called == BRANCH:
        return _BRANCH
    if breaks.called in _READS:
        return _READ
    if breaks.places:
        return "move this call out of the compiled function"
    if breaks.called.startswith(_OPERATOR):
        return f"move the operation ({breaks.called}) out of the compiled function"
    return f"move the call of {breaks.called} out of the compiled function" if breaks.called else ""
