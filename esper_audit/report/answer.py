"""What a run says in one sentence, and what the alternatives do in one more."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from esper_audit.data.audits import Audit, Report, backends_of
from esper_audit.data.expectations import Question
from esper_audit.data.jobs import was_run
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import caught, count, is_control
from esper_audit.report.cells import limit_hit
from esper_audit.report.words.numbers import done, several, share
from esper_audit.report.words.reasons import all_in_words, in_words


def answer(report: Report) -> str:
    """One sentence that answers the run's question, or sums it up where it has none."""
    about = report.question.about
    subjects = [audit for audit in report.audits if not is_control(audit, report.control)]
    asked = [audit for audit in subjects if about.items() <= audit.parameters.items()]
    question = report.question if asked else Question()
    backends = backends_of(asked or subjects)
    said: dict[str, list[str]] = {}
    for backend in backends:
        judged = [audit for audit in asked or subjects if audit.backend in (backend, "")]
        said.setdefault(_sentence(question, judged), []).append(backend)
    parts = list(said) or ["Not answered: nothing was replayed."]
    if len(backends) > 1:
        parts = [f"On {' and '.join(names)}: {part}" for part, names in said.items()]
    if report.interrupted:
        parts = [_interrupted(report, subjects)]
    asking = [question.text] if question.text else []
    return " ".join([*_wrong_output(asked or subjects), *asking, *parts])


def _interrupted(report: Report, subjects: Sequence[Audit]) -> str:
    """Of a run that was cut short nothing is said but what it did: the rest may differ."""
    is_whole = all(was_run(audit) for audit in report.audits)
    rest = (
        ", but the search for who wrote the state was not finished"
        if report.audits and is_whole
        else ", so this run proves nothing"
    )
    failed = [audit for audit in subjects if audit.verdict is AuditVerdict.FAILED]
    names = ", ".join(dict.fromkeys(audit.scenario for audit in failed))
    until_then = f" Until then {several(len(failed), 'audit')} failed: {names}." if failed else ""
    return f"Interrupted: {done_of(report)}{rest}.{until_then}"


def done_of(report: Report) -> str:
    """How many audits of a run were done, of how many."""
    return done(sum(was_run(audit) for audit in report.audits), len(report.audits))


def _wrong_output(audits: Sequence[Audit]) -> list[str]:
    """Before anything else: what is wrong is no faster for being compiled."""
    wrong = [audit for audit in audits if _has(audit, StepVerdict.STALE)]
    if not wrong:
        return []
    step = next(step for step in wrong[0].steps if step.verdict is StepVerdict.STALE)
    judged = [a for a in audits if a.verdict in (AuditVerdict.PASSED, AuditVerdict.FAILED)]
    how_many = share(len(_scenarios(wrong)), len(_scenarios(judged)), "scenario")
    return [
        f"Output is wrong in {how_many}: in {wrong[0].title}, step {step.index},"
        f" {in_words(step.because)}."
    ]


def _sentence(question: Question, asked: Sequence[Audit]) -> str:
    judged = [a for a in asked if a.verdict in (AuditVerdict.PASSED, AuditVerdict.FAILED)]
    recompiling = _scenarios([audit for audit in judged if _recompiles_too_often(audit)])
    other = [audit for audit in judged if audit.verdict is AuditVerdict.FAILED]
    who = f"with {_values(question.about)}, " if question.about else ""
    yes, no = ("Yes", "No") if question.text else ("Failed", "Failed" if other else "Passed")
    total = len(_scenarios(judged))
    if not judged:
        return f"Not answered: {who}{share(0, len(asked), 'audit')} could be judged."
    if recompiling:
        limited = _scenarios([audit for audit in judged if limit_hit(audit)])
        return (
            f"{yes}: {who}{share(len(recompiling), total, 'scenario')} recompiled after"
            f" warm-up{_limit_words(len(limited), len(recompiling))}."
        )
    if other:
        return (
            f"{no}: {who}no scenario recompiled after warm-up, but"
            f" {share(len(_scenarios(other)), total, 'scenario')} failed: {_kinds(other)}."
        )
    unsure = sum(audit.verdict is AuditVerdict.ERROR for audit in asked)
    reused = (
        f"{share(total, len(_scenarios(asked)), 'scenario')} reused compiled code after warm-up"
    )
    if unsure:
        doubt = f"{share(unsure, len(asked), 'audit')} could not be judged"
        return f"Not answered: {who}{doubt}; {reused}."
    return f"{no}: {who}{reused}."


def _scenarios(audits: Sequence[Audit]) -> set[str]:
    return {audit.scenario for audit in audits}


def _recompiles_too_often(audit: Audit) -> bool:
    """Whether it recompiled, and compiled more after warm-up than its budget allows."""
    counts = count(audit.recording)
    recompiled = limit_hit(audit) or counts.recompiles_after_warm_up + counts.refused_after_warm_up
    return bool(recompiled) and _compiles_too_often(audit)


def _compiles_too_often(audit: Audit) -> bool:
    return audit.verdict is AuditVerdict.FAILED and (
        limit_hit(audit) or _is_over_a_bound_after_warm_up(audit)
    )


def _is_over_a_bound_after_warm_up(audit: Audit) -> bool:
    """Over either bound; where neither is set, any compile after warm-up is one too many."""
    counts, budget = count(audit.recording), audit.budget
    if budget.recompiles is not None and counts.recompiles_after_warm_up > budget.recompiles:
        return True
    allowed = budget.compiles_after_warm_up
    if allowed is None and budget.recompiles is not None:
        return False
    return counts.compiles_after_warm_up > (allowed or 0)


def _limit_words(limited: int, recompiling: int) -> str:
    if not limited:
        return ""
    which = f"all {limited}" if limited == recompiling else str(limited)
    who = "it" if limited == recompiling == 1 else which
    return f"; {who} hit the recompile limit, after which new variants run eagerly"


def _values(params: dict[str, str]) -> str:
    return " ".join(f"{name}={value}" for name, value in params.items())


def _kinds(audits: Sequence[Audit]) -> str:
    """Which verdicts the failed audits' steps got, worst first."""
    found = []
    for verdict in (StepVerdict.STALE, StepVerdict.EAGER):
        names = dict.fromkeys(audit.scenario for audit in audits if _has(audit, verdict))
        if names:
            found.append(f"{verdict.value} in {', '.join(names)}")
    compiling = dict.fromkeys(audit.scenario for audit in audits if _compiles_too_often(audit))
    if compiling:
        found.append(f"compiled after warm-up in {', '.join(compiling)}")
    return "; ".join(found) or all_in_words(audits[0].reasons)


def _has(audit: Audit, verdict: StepVerdict) -> bool:
    return any(step.verdict is verdict for step in audit.steps)


def alternatives(report: Report) -> list[str]:
    """One line for each other value of the columns' parameter, and one for the control.

    None of a run that was cut short: it has not come to hold them against each other.
    """
    if report.interrupted:
        return []
    name = report.columns
    lines = []
    subjects = [audit for audit in report.audits if not is_control(audit, report.control)]
    values = dict.fromkeys(audit.parameters.get(name, "") for audit in subjects)
    for value in values:
        if value and value != report.question.about.get(name):
            lines.append(
                _alternative(
                    f"{name}={value}",
                    [audit for audit in subjects if audit.parameters.get(name) == value],
                )
            )
    if report.control is not None and any(is_control(a, report.control) for a in report.audits):
        lines.append(_control(report))
    return lines


def _alternative(title: str, audits: Sequence[Audit]) -> str:
    def names(test: Callable[[Audit], bool]) -> str:
        return ", ".join(dict.fromkeys(audit.scenario for audit in audits if test(audit)))

    passed = sum(1 for audit in audits if audit.verdict is AuditVerdict.PASSED)
    parts = [f"{title}: {share(passed, len(audits), 'audit')} passed"]
    rest = (
        ("failed", names(lambda audit: audit.verdict is AuditVerdict.FAILED)),
        ("could not be judged", names(lambda audit: audit.verdict is AuditVerdict.ERROR)),
        ("skipped", names(lambda audit: audit.verdict is AuditVerdict.SKIPPED)),
    )
    parts += [f"{what}: {who}" for what, who in rest if who]
    return "; ".join(parts) + "."


def _control(report: Report) -> str:
    control = report.control
    assert control is not None
    seen = caught(report.audits, control)
    title = f"{_values(control.params)} (negative control)"
    if not seen:
        tail = ", so this run proves nothing" if control.required else " in this selection"
        return f"{title}: not caught{tail}."
    scenarios = several(len(_scenarios(seen)), "scenario")
    return f"{title}: caught as {control.verdict.value} in {scenarios}."
