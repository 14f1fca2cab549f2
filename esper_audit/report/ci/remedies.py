"""A report on remedies as cases: each failed audit with its causes, and the remedy of each."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePath

from esper_audit.data.places import Location
from esper_audit.data.remedies import Cause, Fix, FixReport, RemedyState, Trial
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.hunks import changes_in
from esper_audit.report.ci.problems import (
    NOT_JUDGED,
    OVER_BUDGET,
    Case,
    Problem,
    Replacement,
    Script,
    Status,
)
from esper_audit.report.fix import best_of
from esper_audit.report.words.levers import lever_code
from esper_audit.report.words.remedies import (
    because_words,
    before_words,
    cause_words,
    gain_words,
    name_of,
    reach_words,
    state_words,
)


def fix_cases(report: FixReport) -> Iterator[Case]:
    """One case for each audit: those that failed, then those that need no remedy."""
    passes = report.verdict is AuditVerdict.PASSED
    for fix in report.fixes:
        if passes:  # --apply was kept, and its audit passed
            yield Case(fix.title, _group(fix), Status.PASSED, seconds=fix.seconds)
        else:
            yield _case(fix, report.root)
    for title in report.passed:
        yield Case(title, "esper-audit.fix", Status.PASSED)


def _group(fix: Fix) -> str:
    return f"esper-audit.{fix.backend or 'fix'}"


def _case(fix: Fix, root: str) -> Case:
    is_error = fix.verdict is AuditVerdict.ERROR
    return Case(
        name=fix.title,
        group=_group(fix),
        status=Status.ERROR if is_error else Status.FAILED,
        reason=because_words(fix.because, root) if is_error else before_words(fix),
        problems=tuple(_problems(fix, root, is_error)),
        seconds=fix.seconds,
    )


def _problems(fix: Fix, root: str, is_error: bool) -> Iterator[Problem]:
    best = best_of(fix)
    if not fix.causes or is_error:
        rule = NOT_JUDGED if is_error else OVER_BUDGET
        said = because_words(fix.because, root) if is_error else before_words(fix)
        yield _problem(rule, f"{fix.title}: {said}", fix, best, root, None)
        return
    for cause in dict.fromkeys(fix.causes):
        message = f"{cause_words(cause)} in {cause.frame.name}"
        yield _problem(cause.id.value, message, fix, best, root, cause)


def _problem(
    rule: str, message: str, fix: Fix, best: Trial | None, root: str, cause: Cause | None
) -> Problem:
    remedy = f"{state_words(best, root)}: {name_of(best)}" if best else "no proven remedy"
    frame = cause.frame if cause is not None else None
    where = Location(frame.file, frame.line, frame.name) if frame is not None else None
    subject = (frame.key, cause.source) if frame is not None and cause is not None else ()
    return Problem(
        rule=rule,
        message=f"{message}: {remedy}",
        fails=True,
        details=tuple(_details(fix, best, root)),
        location=_changed_line(best, root) or where or _file_of(fix),
        key=(rule, *subject),
        brief=f"{cause.source or frame.name if cause and frame else fix.title}: {remedy}",
        script=_script(best) if best is not None else None,
    )


def _details(fix: Fix, best: Trial | None, root: str) -> Iterator[str]:
    yield f"{fix.title}: {before_words(fix)}"
    if best is not None:
        yield from filter(None, [reach_words(best), *gain_words(best.gain)])
        yield from lever_code(best.levers).splitlines()
    elif fix.because is not None:
        yield because_words(fix.because, root)
    for trial in fix.trials:
        if trial is not best and trial.state is not RemedyState.NOT_TRIED:
            yield f"{name_of(trial)}: {state_words(trial, root)}"


def _file_of(fix: Fix) -> Location | None:
    return Location(fix.file, 1) if fix.file else None


def _changed_line(best: Trial | None, root: str) -> Location | None:
    """The first line that the patch changes."""
    for file, changes in changes_in(best.diff if best is not None else "").items():
        for change in changes:
            return Location(str(PurePath(root, file)), change.start + 1)
    return None


def _script(trial: Trial) -> Script:
    found = [
        Replacement(file, change.start, change.old, change.new)
        for file, changes in changes_in(trial.diff).items()
        for change in changes
    ]
    return Script(name_of(trial), trial.diff, tuple(found))
