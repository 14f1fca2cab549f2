"""The report on remedies, as sections: for each failing case the best one that was proven."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from esper_audit.data.remedies import (
    Applied,
    AppliedState,
    Cure,
    Fix,
    FixReport,
    Ground,
    Lever,
    RemedyState,
    Trial,
)
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.sections import (
    Block,
    Closing,
    Code,
    Item,
    Page,
    Section,
    Style,
    bullets,
    item,
    line,
    words,
)
from esper_audit.report.words.commands import NOTHING_TYPED, Typed, explained
from esper_audit.report.words.levers import lever_code, lever_variable
from esper_audit.report.words.marks import answer_style
from esper_audit.report.words.numbers import agree, several, share
from esper_audit.report.words.remedies import (
    APPLIED,
    because_words,
    before_words,
    cause_words,
    gain_words,
    name_of,
    reach_words,
    state_words,
)

MOST_TITLES = 4
MOST_TRIED = 5
"""Of a case, where not all are asked for."""


def fix_page(report: FixReport, verbosity: int = 0, typed: Typed = NOTHING_TYPED) -> Page:
    """The whole report; ``verbosity`` -1 leaves the answer, 1 adds every diff that was tried."""
    said = line(fix_answer(report), style=answer_style(report.verdict))
    headline = (item(said, *_applied_notes(report.applied)),)
    if verbosity < 0:
        return Page(headline)
    return Page(headline, tuple(_sections(report, verbosity)), _closing(report, typed))


def fix_answer(report: FixReport) -> str:
    """One sentence: how many failed cases have a remedy; or what ``--apply`` did."""
    if report.applied is not None:
        return _applied_answer(report.applied, report.root)
    if report.interrupted:
        return f"Interrupted: {_counted(report)} so far."
    if not report.fixes:
        return f"Nothing to fix: {several(len(report.passed), 'audit')} passed."
    return f"{_counted(report)}."


def _counted(report: FixReport) -> str:
    """``2 of 3 failed audits have a proven remedy``."""
    proven = sum(fix.best is not None for fix in report.fixes)
    noun = "failed audit"
    total = len(report.fixes)
    if not proven:
        return f"no {noun} has a proven remedy, of {total:,}" if total else f"no {noun}"
    return f"{share(proven, total, noun)} {agree(proven, 'has', 'have')} a proven remedy"


def _applied_answer(applied: Applied, root: str) -> str:
    why = because_words(applied.because, root)
    files = ", ".join(applied.files)
    said = f"{APPLIED[applied.state]}{f': {files}' if files else ''}"
    if applied.state is not AppliedState.KEPT:
        return f"{said}{'; ' if files else ': '}{why}." if why else f"{said}."
    return f"{said}; {_now(applied)}."


def _now(applied: Applied) -> str:
    passes = applied.verdict is AuditVerdict.PASSED
    return "every audit passes now" if passes else "not every audit passes yet"


def _applied_notes(applied: Applied | None) -> Iterator[str]:
    if applied is not None and applied.left_out:
        titles = ", ".join(applied.left_out)
        yield f"left out, as another patch changes the same lines: {titles}"


# --- one section for each remedy, with all cases that it is the best of ---


@dataclass(frozen=True, slots=True)
class _Group:
    """Cases that are told together. ``best`` is None where nothing was proven."""

    fixes: tuple[Fix, ...]
    best: Trial | None


def best_of(fix: Fix) -> Trial | None:
    """The remedy of a case, as a file that anybody may have written names it."""
    place = fix.best
    return fix.trials[place] if place is not None and place < len(fix.trials) else None


def _groups(fixes: Sequence[Fix]) -> list[_Group]:
    """In the order of their first cases; those with a remedy first."""
    found: dict[object, list[Fix]] = {}
    for fix in fixes:
        found.setdefault(_key(fix), []).append(fix)
    groups = [_Group(tuple(group), best_of(group[0])) for group in found.values()]
    return sorted(groups, key=lambda group: group.best is None)


def _key(fix: Fix) -> object:
    best = best_of(fix)
    if best is not None:
        return best.id, best.levers, best.diff
    tried = tuple((trial.id, trial.levers, trial.diff, trial.state) for trial in fix.trials)
    return fix.because, fix.causes, tried


def _sections(report: FixReport, verbosity: int) -> Iterator[Section]:
    if report.cure is not None:
        yield _cure(report.cure)
    several_backends = len({fix.backend for fix in report.fixes}) > 1
    for group in _groups(report.fixes):
        titles = list(dict.fromkeys(_title(fix, several_backends) for fix in group.fixes))
        yield Section(_titles(titles, verbosity), tuple(_body(group, report.root, verbosity)))
    if notes := list(_notes(report)):
        yield Section("Notes", bullets(*notes))


def _body(group: _Group, root: str, verbosity: int) -> Iterator[Block]:
    yield from _causes(group)
    if group.best is not None:
        yield from _best(group.best)
    else:
        why = because_words(group.fixes[0].because, root)
        yield item(line(words("no proven remedy", Style.BAD), f": {why}" if why else ""))
    yield from _tried(group, root, verbosity)


def _titles(titles: Sequence[str], verbosity: int) -> str:
    shown = titles if verbosity > 0 else titles[:MOST_TITLES]
    more = len(titles) - len(shown)
    return f"{', '.join(shown)}{f' and {more} more' if more else ''}"


def _title(fix: Fix, with_backend: bool) -> str:
    return f"{fix.title} {fix.backend}".strip() if with_backend else fix.title


def _causes(group: _Group) -> Iterator[Item]:
    costs = dict.fromkeys(before_words(fix) for fix in group.fixes)
    found = dict.fromkeys(
        f"{cause_words(cause)} in {cause.frame.name}" for fix in group.fixes for cause in fix.causes
    )
    yield item(f"{' or '.join(costs)}: {', '.join(found)}" if found else " or ".join(costs))


def _best(trial: Trial) -> Iterator[Block]:
    told = [trial.id]
    if trial.compiles is not None:
        told[0] += f", {several(trial.compiles, 'compile')} after warm-up"
    told += [reach_words(trial)] if trial.reach is not None else []
    head = line(words("proven", Style.GOOD), f": {'; '.join(told)}")
    yield item(head, *gain_words(trial.gain))
    yield from _script(trial)


def _script(trial: Trial) -> Iterator[Block]:
    """What a reader copies: the lines of code, the environment variable and the diff."""
    if trial.levers and trial.diff:
        yield item("both are needed, the lever and the patch:")
    if trial.levers:
        yield from _levers(trial.levers)
    if trial.diff:
        yield Code(trial.diff, "diff")


def _levers(levers: Sequence[Lever]) -> Iterator[Block]:
    yield Code(lever_code(levers), "python")
    if variable := lever_variable(levers):
        yield item("or in the environment:")
        yield Code(f"export {variable}", "console")


def _tried(group: _Group, root: str, verbosity: int) -> Iterator[Block]:
    """What is not the remedy and why, each once; what was not tried comes last."""
    others = [trial for fix in group.fixes for trial in _others(fix)]
    tried = [trial for trial in others if trial.state is not RemedyState.NOT_TRIED]
    told = list(dict.fromkeys(_told(trial, root) for trial in tried))
    shown = told if verbosity > 0 else told[:MOST_TRIED]
    if shown:
        left = len(told) - len(shown)
        more = [f"and {left} more: see them with -v"] if left else []
        yield from (item("also tried:"), *bullets(*shown, *more))
    yield from _not_tried([trial for trial in others if trial not in tried], root, verbosity)
    if verbosity > 0:
        for trial in _once(tried):
            yield item(f"{name_of(trial)}:")
            yield from _script(trial)


def _others(fix: Fix) -> Iterator[Trial]:
    best = best_of(fix)
    return (trial for trial in fix.trials if trial is not best)


def _once(trials: Sequence[Trial]) -> list[Trial]:
    found: dict[object, Trial] = {}
    for trial in trials:
        found.setdefault((trial.id, trial.levers, trial.diff), trial)
    return [trial for trial in found.values() if trial.diff]


def _told(trial: Trial, root: str) -> str:
    return f"{name_of(trial)}: {state_words(trial, root)}"


def _not_tried(trials: Sequence[Trial], root: str, verbosity: int) -> Iterator[Item]:
    """Why not; those of which that says the same of each are counted."""
    counted = [] if verbosity > 0 else [t for t in trials if t.because and _ground(t) in _COUNTED]
    told = list(dict.fromkeys(_why_not(t, root) for t in trials if t not in counted))
    if verbosity <= 0 and len(told) > MOST_TRIED:
        told = [*told[:MOST_TRIED], f"and {len(told) - MOST_TRIED} more: see them with -v"]
    for ground, words_ in _COUNTED.items():
        names = {name_of(trial) for trial in counted if _ground(trial) is ground}
        told += [f"{several(len(names), 'more remedy')}: {words_}"] if names else []
    if told:
        yield from (item("not tried:"), *bullets(*told))


_COUNTED = {
    Ground.NOT_NEEDED: "one was proven before; --all tries them",
    Ground.INTERRUPTED: "it was interrupted",
}


def _ground(trial: Trial) -> Ground | None:
    return trial.because.ground if trial.because is not None else None


def _why_not(trial: Trial, root: str) -> str:
    why = because_words(trial.because, root)
    return f"{name_of(trial)}: {why}" if why else name_of(trial)


# --- the whole ---


def _cure(cure: Cure) -> Section:
    """The smallest set of remedies, to be copied as one."""
    count = several(len(cure.trials), "remedy")
    if cure.proven:
        head = line(words("proven", Style.GOOD), f" together in one run: {count}")
    else:
        head = line(words("not proven", Style.BAD), f" together: {count}")
    lines = (f"{name_of(trial)}; {reach_words(trial)}" for trial in cure.trials)
    body: list[Block] = [item(head), *bullets(*lines)]
    if cure.uncured:
        body.append(item(f"no set of remedies frees: {', '.join(cure.uncured)}"))
    levers = tuple(dict.fromkeys(lever for trial in cure.trials for lever in trial.levers))
    body += _levers(levers) if levers else []
    body += [Code(cure.diff, "diff")] if cure.diff else []
    return Section("Smallest cure", tuple(body))


def _notes(report: FixReport) -> Iterator[str]:
    if report.interrupted:
        yield "Interrupted: this report holds only what was done before."
    bests = [group.best for group in _groups(report.fixes) if group.best is not None]
    if any(Code(best.diff, "diff").text != best.diff.removesuffix("\n") for best in bests):
        yield "A diff holds characters that are not printed as they are: take it from --save FILE."


def _closing(report: FixReport, typed: Typed) -> Closing:
    environment = report.environment
    tried = [t for fix in report.fixes for t in fix.trials if t.state is not RemedyState.NOT_TRIED]
    facts = (
        f"{several(len(report.fixes) + len(report.passed), 'audit')},"
        f" {several(len(tried), 'remedy')} tried in {report.wall_seconds:.0f} s;"
        f" torch {environment.torch}, Python {environment.python}, {environment.device}"
    )
    cause = next((cause for fix in report.fixes for cause in fix.causes), None)
    about = line(f"About a diagnosis: {explained(cause.id)}") if cause is not None else None
    verdict = line(_verdict(report), style=answer_style(report.verdict))
    return Closing(line(facts), about, verdict, *_next(report, typed))


def _verdict(report: FixReport) -> str:
    if report.applied is not None and report.applied.state is AppliedState.KEPT:
        return f"{_VERDICTS.get(report.verdict, 'Not completed')}: {_now(report.applied)}."
    failed = [fix for fix in report.fixes if fix.verdict is not AuditVerdict.ERROR]
    counts = [
        (len(failed), "failed"),
        (len(report.fixes) - len(failed), "not judged"),
        (len(report.passed), "passed"),
    ]
    first, *rest = [(number, said) for number, said in counts if number] or [(0, "judged")]
    told = ", ".join([f"{several(first[0], 'audit')} {first[1]}", *(f"{n:,} {w}" for n, w in rest)])
    return f"{_VERDICTS.get(report.verdict, 'Not completed')}: {told}."


_VERDICTS = {AuditVerdict.PASSED: "Passed", AuditVerdict.FAILED: "Failed"}


def _next(report: FixReport, typed: Typed) -> tuple[str, str]:
    if report.interrupted:
        return "Run it again:", typed.again if typed.words[:1] == ("fix",) else ""
    if report.applied is not None:
        kept = report.applied.state is AppliedState.KEPT
        return ("Next, to see what was changed:", "git diff") if kept else ("", "")
    if any(trial.diff for trial in map(best_of, report.fixes) if trial is not None):
        return "Next, to change the files and run the audit again:", typed.applying
    return "", ""
