"""`esper-audit fix --apply`: patches into the working tree, and out again unless they hold."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from esper_audit.data.remedies import (
    Applied,
    AppliedState,
    Because,
    Fix,
    FixReport,
    Ground,
    RemedyState,
)
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.hunks import Changes, OverlapError, changes_in, merged
from esper_audit.remedies.working_tree import RefusedError, WorkingTree

Case = tuple[str, str]
"""Title and backend of an audit."""


@dataclass(frozen=True, slots=True)
class Again:
    """What the audit of the changed files gave. ``interrupted``: not all of it was done."""

    verdicts: Mapping[Case, AuditVerdict | None]
    verdict: AuditVerdict
    interrupted: bool = False


@dataclass(frozen=True, slots=True)
class Patch:
    """All changes that are made together, and the cases that they were proven for."""

    changes: Changes
    made_from: Mapping[str, str]
    cases: tuple[Case, ...]
    left_out: tuple[str, ...] = ()


def apply(report: FixReport, audit: Callable[[], Again], *, force: bool = False) -> FixReport:
    """Apply what was proven, and keep it only where ``audit`` of the real files proves it again.

    Whatever ends this early, the files are then as they were. ``force``: also where they hold
    changes that are not committed, or nobody knows.
    """
    patch = patch_of(report)
    if not patch.changes:
        return _with(report, AppliedState.REFUSED, Because(ground=Ground.NOTHING_TO_APPLY), patch)
    tree = WorkingTree(report.root)
    try:
        tree.plan(patch.changes, patch.made_from, force=force)
    except RefusedError as refused:
        return _with(report, AppliedState.REFUSED, refused.because, patch)
    try:
        with tree:
            tree.write()
            again = audit()
            because = _why_not(report, patch, again)
            if because is None:
                tree.keep()
    except RefusedError as refused:
        return _with(report, AppliedState.REFUSED, refused.because, patch)
    except KeyboardInterrupt:
        because = None if tree.is_kept else Because(ground=Ground.INTERRUPTED)
    if because is None:
        return _with(report, AppliedState.KEPT, None, patch, again.verdict)
    interrupted = report.interrupted or because.ground is Ground.INTERRUPTED
    found = _with(report, AppliedState.TAKEN_BACK, because, patch)
    return replace(found, interrupted=interrupted)


def _with(
    report: FixReport,
    state: AppliedState,
    because: Because | None,
    patch: Patch,
    verdict: AuditVerdict | None = None,
) -> FixReport:
    applied = Applied(
        state=state,
        files=tuple(patch.changes),
        because=because,
        left_out=patch.left_out,
        verdict=verdict,
    )
    return replace(report, applied=applied)


def _why_not(report: FixReport, patch: Patch, again: Again) -> Because | None:
    """Why the change can't stay; None where each case that it is for passes, and no other broke."""
    if again.interrupted:
        return Because(ground=Ground.INTERRUPTED)
    failing = [case for case in patch.cases if again.verdicts.get(case) is not AuditVerdict.PASSED]
    others = {(fix.title, fix.backend) for fix in report.fixes}
    failing += [
        case
        for case, verdict in again.verdicts.items()
        if case[0] in report.passed and case not in others and verdict is not AuditVerdict.PASSED
    ]
    if not failing:
        return None
    return Because(ground=Ground.NOT_AS_PROVEN, text=", ".join(" ".join(case) for case in failing))


# --- which changes, of all that were proven ---


def patch_of(report: FixReport) -> Patch:
    """The smallest cure where it was proven, else the best patch of each case, all in one.

    A cure that needs a lever, too, is not proven as a patch alone.
    """
    cure = report.cure
    is_patch = cure is not None and not any(one.levers or one.unsafe for one in cure.trials)
    if cure is not None and cure.proven and cure.diff and is_patch:
        cases = tuple(_case(fix) for fix in report.fixes if fix.title not in cure.uncured)
        return Patch(changes_in(cure.diff), cure.made_from, cases)
    return _joined(list(_patches(report.fixes)))


def _case(fix: Fix) -> Case:
    return fix.title, fix.backend


def _patches(fixes: Iterable[Fix]) -> Iterator[tuple[Fix, str, Mapping[str, str]]]:
    """Of each case its best trial that is a patch; a safe one alone."""
    for fix in fixes:
        best = [fix.trials[fix.best]] if fix.best is not None else []
        for trial in (*best, *fix.trials):
            is_proven = trial.state is RemedyState.PROVEN and not trial.unsafe
            if is_proven and trial.diff and not trial.levers:
                yield fix, trial.diff, trial.made_from
                break


def _joined(patches: Sequence[tuple[Fix, str, Mapping[str, str]]]) -> Patch:
    """One after the other; those that change lines of an earlier one are left out."""
    changes: Changes = {}
    made_from: dict[str, str] = {}
    cases: list[Case] = []
    left_out: list[str] = []
    for fix, diff, digests in patches:
        differ = any(made_from.get(file, found) != found for file, found in digests.items())
        try:
            together = merged(changes, {} if differ else changes_in(diff))
        except OverlapError:
            differ = True
        if differ:
            left_out.append(fix.title)
            continue
        changes, made_from = together, made_from | dict(digests)
        cases.append(_case(fix))
    return Patch(changes, made_from, tuple(cases), tuple(left_out))
