"""The words of every reason (esper_audit/data/reasons.py): the one place that makes sentences.

Worked example: ``Reason(why=Why.UNANSWERED, count=2)`` becomes "2 calls matched no cache entry and
nothing was compiled: they ran eagerly".
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from esper_audit.data.reasons import Reason, Why
from esper_audit.report.words import logs, replays
from esper_audit.report.words.counts import changed, over_bound, vary
from esper_audit.report.words.differences import differs
from esper_audit.report.words.findings import kind_words, limit_words
from esper_audit.report.words.numbers import agree, done, several, share
from esper_audit.report.words.paths import short_line

Words = Callable[[Reason], str]

_MOST_NAMES = 3


def in_words(reason: Reason | None) -> str:
    """A reason as a clause without a full stop; empty for None."""
    if reason is None:
        return ""
    try:
        return WORDS[reason.why](reason)
    except (ArithmeticError, AssertionError, AttributeError, LookupError, TypeError, ValueError):
        # A file may hold a reason without what explains it.
        return f"{reason.why.value} (the file does not say more)"


def all_in_words(reasons: Iterable[Reason]) -> str:
    """Several reasons, one after the other."""
    return "; ".join(map(in_words, reasons))


def _steps_reused(reason: Reason) -> str:
    made = next(iter(reason.numbers), 0) or 0
    allowed = f"; {several(made, 'compile')} {agree(made, 'is', 'are')} within its budget"
    return f"compiled code was reused in {_steps(reason)} after warm-up{allowed if made else ''}"


def _steps(reason: Reason) -> str:
    return share(reason.count or 0, reason.total or 0, "step")


def _given_up(reason: Reason) -> str:
    text, line = f"{_names(reason)} runs eagerly for good: {reason.text}", reason.location
    where = f", with the operation in line {line.line} of {line.function}" if line else ""
    return f"{text}{where}"


def _unanswered(reason: Reason) -> str:
    number = reason.count or 0
    ran = agree(number, "it ran eagerly", "they ran eagerly")
    return f"{several(number, 'call')} matched no cache entry and nothing was compiled: {ran}"


def _at_limit(reason: Reason) -> str:
    limit = limit_words(reason.text)
    return f"{_names(reason)} ran eagerly: {limit}" if reason.names else limit


def _stance(reason: Reason) -> str:
    cause = f": {in_words(reason.cause)}" if reason.cause is not None else ""
    return f"set_stance({reason.text!r}){cause}"


def _ran(reason: Reason) -> str:
    return f"{_names(reason)} ran eagerly, outside compiled code: " if reason.names else ""


def _broken(reason: Reason) -> str:
    line = reason.location
    where = f" at {short_line(line)}" if line is not None else ""
    return f"graph break{where}{f' ({reason.text})' if reason.text else ''}"


def _names(reason: Reason) -> str:
    return ", ".join(reason.names)


def _compiled_outside(reason: Reason) -> str:
    more = ", …" if len(reason.names) > _MOST_NAMES else ""
    return (
        f"torch compiled {', '.join(reason.names[:_MOST_NAMES])}{more} outside of every step, where"
        " nothing is audited: compile it with `replay.compile(...)` instead of"
        " `torch.compile(...)`, and call what that returns, after warm-up too"
    )


def _not_imported(reason: Reason) -> str:
    cause = reason.cause
    if cause is not None and cause.why is Why.PROCESS_KILLED:
        because = replays.killed(cause)
    else:
        because = in_words(cause)
    return f"it can't be imported: {because or reason.text}"


def _other_compiles(reason: Reason) -> str:
    mine, outcome, theirs, other = reason.names
    return (
        f"the watched run made other compiles: compile {reason.count} is of {mine} ({outcome})"
        f" unwatched, of {theirs} ({other}) watched"
    )


def _other_number(reason: Reason) -> str:
    mine, theirs = reason.numbers
    return f"the watched run made other compiles: {mine} unwatched, {theirs} watched"


def _appeared(text: str) -> Words:
    return lambda reason: f"{text}{'; it failed' if reason.names else ''}"


def _constant(text: str) -> Words:
    return lambda _: text


def _form(text: str) -> Words:
    """A template over the reason's fields; ``{said}`` are the names, ``{because}`` the cause."""
    return lambda reason: text.format(
        r=reason, said=_names(reason), because=in_words(reason.cause), steps=_steps(reason)
    )


_OF_STEPS: dict[Why, Words] = {
    Why.RAISED: _form("raised {r.text}"),
    Why.WRONG_OUTPUT: differs,
    Why.NOT_COMPARED: _form("{r.against} {because}"),
    Why.COMPILED: _names,
    Why.DEFERRED_WORK: _names,
    Why.LOOKUPS_UNSEEN: _constant("this torch does not tell whether compiled code ran"),
    Why.REUSED: lambda reason: f"{several(reason.count or 0, 'lookup')} matched a cache entry",
    Why.AT_LIMIT: _at_limit,
    Why.COMPILE_FAILED: _form("{said} failed to compile: {r.text}"),
    Why.GIVEN_UP: _given_up,
    Why.UNANSWERED: _unanswered,
    Why.NOTHING_RAN: _constant("no compiled code ran: no lookup matched, nothing was compiled"),
    Why.EMPTY_GRAPH: _constant("the compiled code holds no tensor operation"),
}
_OF_COMPARISONS: dict[Why, Words] = {
    Why.NO_EQUALITY: _form("can't be compared: {said} is a {r.text}"),
    Why.NOT_COPIED: _form("can't be copied: {r.text}"),
    Why.USES_GLOBAL: lambda reason: (
        f"can't be computed: {reason.names[0]} uses the global {reason.names[1]}, which an eager"
        " call would change; pass it as an argument"
    ),
    Why.TOO_MUCH_SHARED: _form(
        "can't be computed: {r.count} MiB of shared memory are too much to copy"
    ),
    Why.NO_PROCESS: _form("can't be computed: no process can be started ({r.text})"),
    Why.TWIN_LATE: _form("can't be computed: its twin did not end within {r.seconds:g} s"),
    Why.TWIN_DIED: _constant("can't be computed: the twin's process died"),
    Why.TWIN_RAISED: _form("raised {r.text}"),
    Why.NOT_SENT: _form("can't be sent: {r.text}"),
    Why.NOT_READ: _form("can't be read: {r.text}"),
    Why.PROOF_FAILED: _form(
        "can't be compared without a fork: the replay that would prove it undisturbed failed"
        " ({because})"
    ),
    Why.COMPARISON_COMPILES: _constant(
        "can't be compared without a fork: the comparison changes what is compiled, by state that"
        " it shares"
    ),
    Why.COMPARISON_CHANGES: _form(
        "can't be compared without a fork: the comparison changes the output of step {r.step},"
        " by state that it shares or by random numbers without a seed"
    ),
}
_OF_VERDICTS: dict[Why, Words] = {
    Why.STEPS_REUSED: _steps_reused,
    Why.STEPS_WRONG: _form("wrong output in {steps}: {because}"),
    Why.STEPS_EAGER: _form("ran eagerly in {steps} after warm-up: {because}"),
    Why.NO_STEADY_STEP: _constant("there is no step after warm-up, so nothing is proven"),
    Why.STEP_UNPROVEN: _form("step {r.step} proves nothing: {because}"),
    Why.OVER_BOUND: over_bound,
    Why.COMPILE_SHARE: _form("compiling took {r.count}% of its seconds, {r.allowed:g}% advised"),
    Why.LIMIT_HIDES: lambda reason: (
        f"{limit_words(reason.text)} by {_names(reason)}: further recompiles are not counted"
    ),
    Why.FAILURE_HIDES: _form("{said} failed to compile, and what failed can't recompile"),
    Why.REFUSAL_HIDES: _form("{said} was refused its first compile, and can't recompile"),
    Why.UNANSWERED_HIDES: _form("{because}; recompiles are not counted there"),
    Why.WITHIN_BUDGET: _constant("compiled code ran, within its budget"),
    Why.KIND_FOUND: lambda reason: f"{kind_words(reason.text)} in {_names(reason)}",
}
_OF_PROOF: dict[Why, Words] = {
    Why.NOTHING_COMPILED_RAN: _constant("no compiled code ran, so nothing is proven"),
    Why.NOTHING_RAN_AFTER_WARM_UP: _constant(
        "no compiled code ran after warm-up, so nothing is proven"
    ),
    Why.WARM_UP_UNKNOWN: _constant(
        "the program never said that warm-up is over: call esper_audit.steady_state() in it,"
        " or give --warm-up-calls"
    ),
    Why.RECORDER_FAILED: _form(
        "the recorder itself failed, so the evidence may be incomplete: {r.text}"
    ),
    Why.TORCH_LACKS: _form("torch {r.text} has no {said}, which this proof needs"),
    Why.DIED_UNSAVED: _constant(
        "the process still runs, or died before it could save (crash or kill); the recording may be"
        " incomplete"
    ),
    Why.FILE_UNREADABLE: _form("{r.text}"),
    Why.PROGRAM_FAILED: _form("the program ended with {r.text}"),
    Why.RANKS_MISSING: lambda reason: (
        f"no recording of {agree(len(reason.names), 'rank', 'ranks')} {_names(reason)} was given"
    ),
    Why.RUN_INTERRUPTED: lambda reason: (
        f"it was interrupted: {done(reason.count or 0, reason.total or 0)}"
    ),
    Why.NO_CONTROL_CAUGHT: _constant(
        "no negative control was caught, so the audit can't be trusted"
    ),
    Why.NOTHING_JUDGED: _constant("nothing in it was judged"),
    Why.SIDE_IN_DOUBT: _form("{r.text}: {because}"),
}
_OF_SCENARIOS: dict[Why, Words] = {
    Why.ALL_WARM_UP: _constant(
        "every step ran inside `with replay.warm_up():`, so no step shows whether compiled code"
        " is reused: call the step again after that block"
    ),
    Why.NO_WARM_UP: _constant(
        "no step ran inside `with replay.warm_up():`, so the first compile counts as one after"
        " warm-up: call the step inside that block first (`replay.compile` itself compiles"
        " nothing yet)"
    ),
    Why.COMPILED_OUTSIDE: _compiled_outside,
    Why.NEVER_COMPILES: _constant(
        "it never calls `replay.compile`, so there is no step to audit: compile a module or"
        " function with it, and call what it returns"
    ),
    Why.NEVER_CALLS: _constant(
        "it never calls what `replay.compile` returned, so there is no step to audit: each such"
        " call is one"
    ),
    Why.NO_STEP: _constant(
        "no step ran, so there is nothing to audit: compile a module or function with"
        " `replay.compile`, and call what it returns"
    ),
}
_OF_WRITERS: dict[Why, Words] = {
    Why.IS_ARGUMENT: _constant("it is an argument: the call that passed it is named instead"),
    Why.NO_PLACE: _constant("no variable or attribute holds it"),
    Why.SEVERAL_THREADS: _constant("several threads ran your code: it may be any of them"),
    Why.NO_LINE_SEEN: _constant("no line of your code was seen to change it"),
    Why.WRITTEN_BY_COMPILED: _constant(
        "compiled code wrote it, and which of its lines did is not known"
    ),
    Why.WRITTEN_WHILE_COMPILING: _constant("code that ran while torch compiled wrote it"),
    Why.TOO_MANY_WATCHED: _form(
        "guards read more than {r.count} values: only the first were watched"
    ),
    Why.NOT_WATCHED_YET: _constant("this object was not watched before"),
    Why.OTHER_TRACER: _constant("another tracer is at work: a debugger, or coverage"),
    Why.EARLIER_THREADS: _constant("threads started before recording may run your code untraced"),
    Why.TRACER_COMPILED: _constant("this torch would compile the trace function itself"),
    Why.NOT_RECORDED: _constant("not recorded; rerun with --provenance"),
    Why.NO_STATE_CHANGE: _constant("not caused by a state change"),
    Why.IS_SETTING: _constant("it is a setting of torch"),
    Why.IS_ENVIRONMENT: _constant("it is a setting of the environment"),
    Why.CHANGE_MISSED: _constant("no guard failed: compiled code missed the change"),
    Why.BETWEEN_RANKS: _constant("it is a difference between processes"),
    Why.OTHER_COMPILES: _other_compiles,
    Why.OTHER_NUMBER: _other_number,
    Why.WATCHED_FAILED: _form("the watched run failed: {because}"),
    Why.NO_SECOND_RUN: _form("the program is not run a second time after {r.text}"),
    Why.IS_DISTRIBUTED: _constant("a distributed program is not run a second time"),
}
_OF_NOTES: dict[Why, Words] = {
    Why.WRITERS_UNNAMED: _form("Writers of guarded state are not named: {because}."),
    Why.REMARK: _form("{r.text}"),
    Why.REAL_DEVICE: _form("Device moves were made to {r.text}"),
    Why.STAND_IN_DEVICE: _constant(
        "Device moves were made to a stand-in device in pure Python (no accelerator here):"
        " forward only, real moves and guards, not a GPU's"
    ),
}
_OF_CLAIMS: dict[Why, Words] = {
    Why.OBSERVED: _form("{r.text}"),
    Why.UNTESTABLE: _form("{r.text}"),
    Why.NOT_DECIDED: _constant("no scenario of this run decides it"),
}
_OF_SHARING: dict[Why, Words] = {
    Why.OBJECTS_SHARE: _form("objects that run {said} share its cache and its limit"),
    Why.CLOSURES_SHARE: _form(
        "functions {said} share one cache and limit, each with its own closure and defaults"
    ),
    Why.WRAPPER_SHARED: _form("callables behind one wrapper share its cache and its limit: {said}"),
}
_OF_EAGER: dict[Why, Words] = {
    Why.STANCE: _stance,
    Why.SETTING: _form("{said} is {r.text}"),
    Why.HOLDS_OPERATION: lambda reason: (
        f"it computes with tensors{f' in line {reason.location.line}' if reason.location else ''};"
        " torch looks for them in arguments, lists and dicts, not in other objects"
    ),
    Why.LIBRARY_ALONE: lambda reason: (
        f"{_ran(reason)}torch compiles its own modules only with the code that calls them"
    ),
    Why.LEFT_BY_BREAK: lambda reason: f"{_ran(reason)}{_broken(reason)}",
    Why.BROKEN_EMPTY: lambda reason: f"no graph was compiled in its calls: {_broken(reason)}",
    Why.FUNCTION_DISABLED: _form("torch.compiler.disable is on {said}"),
}
_OF_CHANGES: dict[Why, Words] = {
    Why.COULD_NOT_BE_JUDGED: _form("it could not be judged: {because}"),
    Why.NO_ENTRIES: _appeared("its environment has no entries"),
    Why.NOT_IN_BASELINE: _appeared("it is not in the baseline"),
    Why.NOT_ACCEPTED: _constant("the audit itself is not accepted"),
    Why.NEW_CAUSE: _constant("new cause"),
    Why.CAUSE_GONE: _constant("no longer found"),
    Why.NOTHING_MATCHES: _constant("nothing matches it"),
    Why.IN_FIRST_ALONE: _constant("in A alone"),
    Why.IN_SECOND_ALONE: _constant("in B alone"),
    Why.COUNT_CHANGED: changed,
    Why.COUNTS_VARY: vary,
    Why.VERDICT_CHANGED: lambda reason: f"verdict: {' -> '.join(reason.names)}",
    Why.VERDICTS_VARY: lambda reason: (
        f"verdicts: {', '.join(reason.names)} over {len(reason.names)} runs"
    ),
}
WORDS: dict[Why, Words] = {
    **_OF_STEPS,
    **_OF_COMPARISONS,
    **_OF_VERDICTS,
    **_OF_PROOF,
    **_OF_SCENARIOS,
    **replays.WORDS,
    **logs.WORDS,
    Why.NOT_IMPORTED: _not_imported,
    **_OF_WRITERS,
    **_OF_NOTES,
    **_OF_CLAIMS,
    **_OF_SHARING,
    **_OF_EAGER,
    **_OF_CHANGES,
}
