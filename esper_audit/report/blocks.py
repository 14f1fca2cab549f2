"""One finding in a few lines of text: what a terminal, an assertion and a test failure say."""

from __future__ import annotations

from collections.abc import Sequence

from esper_audit.data.clean import clean
from esper_audit.data.compiles import STATE_KINDS
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.findings import Finding, Writer
from esper_audit.data.places import Location
from esper_audit.data.reasons import NO_WRITER_AT_ALL, Why
from esper_audit.diagnosis.advice import is_tried
from esper_audit.report.words.advice import advised, to_try
from esper_audit.report.words.breaks import breaks_details, hints, places, said
from esper_audit.report.words.changes import change, sources
from esper_audit.report.words.findings import (
    during_words,
    forecast_words,
    rank_causes,
    rank_words,
    span_words,
)
from esper_audit.report.words.numbers import several
from esper_audit.report.words.paths import place, source_line, writer
from esper_audit.report.words.reasons import in_words

NO_REASON = "torch gives no reason"
_INSTEAD = {
    True: "the call raised an error",
    False: "the code ran eagerly instead",
    None: "the log does not say whether the call raised an error or the code ran eagerly",
}
_WRITERS = 3
"""Lines that wrote one value that are shown."""

TRIED_BY = "to try the advice: esper-audit fix, on a scenario, or with --exec on a program"
NOT_RECORDED = "writers of the guarded state: not recorded"


def head(finding: Finding, root: str = "") -> str:
    """``float-specialized: self.alpha in Blend.forward: 0.5 -> 0.1, 0.2``."""
    return f"{finding.id.value}: {subject(finding, root)}"


def subject(finding: Finding, root: str = "") -> str:
    """``self.alpha in Blend.forward: 0.5 -> 0.1, 0.2``."""
    if finding.pattern is not None:
        what = ": ".join(
            filter(None, [f"{sources(finding)} in {finding.frame.name}", change(finding)])
        )
    elif finding.breaks is not None and finding.breaks.own:
        where = ", ".join(places(finding.breaks.places, root))
        what = f"{finding.frame.name}{f' at {where}' if where else ''}"
    else:
        what = finding.frame.name
        if finding.user_line is not None:
            what += f" at {place(finding.user_line, root)}"
    return what


def details(finding: Finding, root: str = "") -> list[str]:
    """What is known of a finding, a line each: who wrote it, how it goes on, what to do."""
    if finding.breaks is not None:
        return breaks_details(finding, finding.breaks, root)
    lines = [MEANINGS[finding.id].what]
    if finding.pattern is not None:
        if finding.id is Diagnosis.UNRECOGNIZED:
            lines.append(f"torch says: {finding.text}" if finding.text else NO_REASON)
        lines.append(in_words(finding.why))
        lines += [who_wrote(finding, root), *others_wrote(finding, root)]
        lines += [_course(finding), during_words(finding.during)]
        if finding.user_line is not None:
            lines.append(f"guarded by {place(finding.user_line, root)}")
        lines += [f"torch's hint: {finding.hint}"] if finding.hint else []
    else:
        lines += [*attempts(finding), *map(rank_words, finding.ranks), in_words(finding.why)]
        lines += [*said(finding), *hints(finding.hints)]
        if finding.stopped_at is not None:
            lines.append(f"stopped at {place(finding.stopped_at, root)}")
        lines.append(rank_causes(finding.ranks))
        when = [span_words(finding)] if finding.since else []
        where = finding.written_by or (finding.called_from if not finding.user_line else None)
        if finding.refused_by and finding.written_by is not None:
            lines.append(f"the stance was set at {place(finding.written_by, root)}")
            where = finding.called_from
        there = [f"at {place(where, root)}"] if where is not None else []
        when = [*there, *when] if finding.until is not None else [*when, *there]
        lines += [", ".join(when)] if when else []
    lines.append(to_try(advised(finding)))
    return [line for line in lines if line]


def attempts(finding: Finding) -> list[str]:
    """Of failed and refused compiles: how many there were, and what ran instead."""
    if not finding.attempts:
        return []
    instead = _INSTEAD[finding.raised]
    times = several(finding.attempts, "attempt")
    if finding.id is Diagnosis.COMPILE_REFUSED:
        by = f" by {finding.refused_by}" if finding.refused_by else ""
        return [f"{times} refused{by}: {instead}"]
    return [f"{times} failed: {instead}"]


def block(finding: Finding, root: str = "") -> str:
    """Head and details as one text."""
    lines = [head(finding, root), *(f"    {line}" for line in details(finding, root))]
    return "\n".join(map(clean, lines))


def blocks(findings: Sequence[Finding], root: str = "") -> str:
    """Several findings, one under the other.

    Once at the end: that no writer was looked for, and the command that tries the advice.
    """
    told = [block(finding, root) for finding in findings]
    told += [NOT_RECORDED] if any(map(is_not_recorded, findings)) else []
    told += [TRIED_BY] if any(is_tried(finding.id) for finding in findings) else []
    return "\n".join(told)


def who_wrote(finding: Finding, root: str = "") -> str:
    """The line that wrote the guarded state and its caller; or the call, and why no more."""
    if is_argument(finding) and finding.called_from:
        return _passed(finding, finding.called_from, root)
    called = f"called from {place(finding.called_from, root)}" if finding.called_from else ""
    if called and finding.written_by is None and finding.callers[1:]:
        called += f" and {several(len(finding.callers) - 1, 'more line')}"
    if finding.written_by is not None:
        is_told = bool(finding.writers[1:]) or _is_partial(finding)
        share = _share(finding, finding.writers[0]) if is_told else ""
        return _written(finding, finding.written_by, finding.called_from, share, root)
    if is_not_recorded(finding) or _changed_nothing(finding) or _is_logged(finding):
        return called
    because = "" if _is_noted(finding) else f": {in_words(finding.no_writer)}"
    return "; ".join(filter(None, [called, f"writer unknown{because}"]))


def _passed(finding: Finding, call: Location, root: str) -> str:
    """The call that passed it, and the line that assigned the variable where that is another."""
    if finding.callers[1:]:
        return _passing(finding.callers[0], root)
    at = finding.assigned_at
    is_elsewhere = at is not None and (at.file, at.line) != (call.file, call.line)
    assigned = source_line(at, root) if at is not None and is_elsewhere else ""
    return f"passed by {place(call, root)}{assigned and f', assigned at {assigned}'}"


def _passing(who: Writer, root: str) -> str:
    return f"passed by {place(who.location, root)}: {several(who.recompiles, 'recompile')}"


def others_wrote(finding: Finding, root: str = "") -> list[str]:
    """The lines that wrote or passed it as well, as many as are shown, and how many more."""
    if is_argument(finding):
        passed = [_passing(other, root) for other in finding.callers[1:_WRITERS]]
        return _and_more(passed, len(finding.callers) - _WRITERS)
    told = [
        _written(finding, other.location, other.called_from, _share(finding, other), root)
        for other in finding.writers[1:_WRITERS]
    ]
    return _and_more(told, len(finding.writers) - _WRITERS)


def _and_more(told: list[str], more: int) -> list[str]:
    return [*told, f"and by {several(more, 'more line')}"] if more > 0 else told


def _share(finding: Finding, who: Writer) -> str:
    """Of how many recompiles it is the writer, and of how many in all where some have none."""
    if _is_partial(finding):
        return f"{who.recompiles} of {several(finding.compiles, 'recompile')}"
    return several(who.recompiles, "recompile")


def _is_partial(finding: Finding) -> bool:
    """Whether the writers of some recompiles are not known: a watched replay may end early."""
    return 0 < sum(who.recompiles for who in finding.writers) < finding.compiles


def _written(
    finding: Finding, line: Location, caller: Location | None, share: str, root: str
) -> str:
    done = "switched" if finding.kind in STATE_KINDS else "written"
    called = f"called from {place(caller, root)}" if caller is not None else ""
    text = ", ".join(filter(None, [f"{done} by {writer(line, root)}", called]))
    return f"{text}: {share}" if share else text


def is_not_recorded(finding: Finding) -> bool:
    """Whether nobody looked for the writer: a report says so once, not of each finding."""
    unknown = finding.no_writer is not None and finding.no_writer.why is Why.NOT_RECORDED
    return finding.pattern is not None and unknown


def _is_noted(finding: Finding) -> bool:
    """Whether no writer of the recording is named, for a reason that its notes say once."""
    return finding.no_writer is not None and finding.no_writer.why in NO_WRITER_AT_ALL


def _is_logged(finding: Finding) -> bool:
    return finding.no_writer is not None and finding.no_writer.why is Why.NOT_LOGGED


def _changed_nothing(finding: Finding) -> bool:
    return finding.no_writer is not None and finding.no_writer.why is Why.NO_STATE_CHANGE


def is_argument(finding: Finding) -> bool:
    """Whether the guarded value was passed to the call, so that the call is what to change."""
    return finding.no_writer is not None and finding.no_writer.why is Why.IS_ARGUMENT


def _course(finding: Finding) -> str:
    assert finding.pattern is not None
    count = several(finding.compiles, "recompile")
    if finding.refused:
        count += f" and {finding.refused} refused"
    limit = ", limit hit" if finding.limit_hit else ""
    text = f"{finding.pattern.value}: {count}{limit}, {finding.seconds:.2g} s"
    more = forecast_words(finding.forecast)
    return f"{text}; {more}" if more else text
