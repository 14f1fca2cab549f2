"""Why something is as it is: facts. esper_audit/report/words/reasons.py makes words of them.

Worked example: three compiles after warm-up where none is allowed are
``Reason(why=Why.OVER_BOUND, counted=Counted.COMPILES_AFTER_WARM_UP, count=3, allowed=0)``; a report
says "3 compiles after warm-up, 0 allowed".
"""

from __future__ import annotations

from enum import StrEnum

import msgspec

from esper_audit.data.differences import Difference
from esper_audit.data.numbers import Count, Seconds, Whole
from esper_audit.data.places import Location


class Counted(StrEnum):
    """What a number counts."""

    COMPILES = "compiles"
    RECOMPILES = "recompiles"
    COMPILES_IN_WARM_UP = "compiles-in-warm-up"
    COMPILES_AFTER_WARM_UP = "compiles-after-warm-up"
    RECOMPILES_AFTER_WARM_UP = "recompiles-after-warm-up"
    GRAPH_BREAKS = "graph-breaks"
    EAGER = "eager"
    STALE = "stale"


class Why(StrEnum):
    """Every reason that this version knows, by what it explains."""

    # A step.
    RAISED = "raised"
    WRONG_OUTPUT = "wrong-output"
    NOT_COMPARED = "not-compared"
    COMPILED = "compiled"
    DEFERRED_WORK = "deferred-work"
    LOOKUPS_UNSEEN = "lookups-unseen"
    REUSED = "reused"
    AT_LIMIT = "at-limit"
    COMPILE_FAILED = "compile-failed"
    GIVEN_UP = "given-up"
    UNANSWERED = "unanswered"
    NOTHING_RAN = "nothing-ran"
    EMPTY_GRAPH = "empty-graph"
    # What kept a step from being compared.
    NO_EQUALITY = "no-equality"
    NOT_COPIED = "not-copied"
    USES_GLOBAL = "uses-global"
    TOO_MUCH_SHARED = "too-much-shared"
    NO_PROCESS = "no-process"
    TWIN_LATE = "twin-late"
    TWIN_DIED = "twin-died"
    TWIN_RAISED = "twin-raised"
    NOT_SENT = "not-sent"
    NOT_READ = "not-read"
    PROOF_FAILED = "proof-failed"
    COMPARISON_COMPILES = "comparison-compiles"
    COMPARISON_CHANGES = "comparison-changes"
    # An audit's verdict.
    STEPS_REUSED = "steps-reused"
    STEPS_WRONG = "steps-wrong"
    STEPS_EAGER = "steps-eager"
    NO_STEADY_STEP = "no-steady-step"
    STEP_UNPROVEN = "step-unproven"
    OVER_BOUND = "over-bound"
    COMPILE_SHARE = "compile-share"
    LIMIT_HIDES = "limit-hides"
    FAILURE_HIDES = "failure-hides"
    REFUSAL_HIDES = "refusal-hides"
    UNANSWERED_HIDES = "unanswered-hides"
    WITHIN_BUDGET = "within-budget"
    KIND_FOUND = "kind-found"
    # What leaves a recording unproven, or in doubt.
    NOTHING_COMPILED_RAN = "nothing-compiled-ran"
    ONLY_LOGGED = "only-logged"
    LOG_DAMAGED = "log-damaged"
    NO_LOGS = "no-logs"
    COPIES = "copies"
    NOTHING_RAN_AFTER_WARM_UP = "nothing-ran-after-warm-up"
    WARM_UP_UNKNOWN = "warm-up-unknown"
    RECORDER_FAILED = "recorder-failed"
    TORCH_LACKS = "torch-lacks"
    DIED_UNSAVED = "died-unsaved"
    FILE_UNREADABLE = "file-unreadable"
    HEAD_LOST = "head-lost"
    LINES_LOST = "lines-lost"
    PROGRAM_FAILED = "program-failed"
    RANKS_MISSING = "ranks-missing"
    RUN_INTERRUPTED = "run-interrupted"
    NO_CONTROL_CAUGHT = "no-control-caught"
    NOTHING_JUDGED = "nothing-judged"
    SIDE_IN_DOUBT = "side-in-doubt"
    SIDE_LOGGED = "side-logged"
    # A run of a program with a remedy.
    CALLS_DIFFER = "calls-differ"
    CALLS_VARY = "calls-vary"
    # A mistake in a scenario.
    ALL_WARM_UP = "all-warm-up"
    NO_WARM_UP = "no-warm-up"
    COMPILED_OUTSIDE = "compiled-outside"
    NEVER_COMPILES = "never-compiles"
    NEVER_CALLS = "never-calls"
    NO_STEP = "no-step"
    # How a replay ended.
    NOT_RUN = "not-run"
    INTERRUPTED = "interrupted"
    SKIPPED = "skipped"
    TIME_LIMIT = "time-limit"
    DID_NOT_STOP = "did-not-stop"
    EXITED = "exited"
    SCENARIO_RAISED = "scenario-raised"
    NOT_STARTED = "not-started"
    RESULT_LOST = "result-lost"
    PROCESS_EXITED = "process-exited"
    PROCESS_KILLED = "process-killed"
    NOT_IMPORTED = "not-imported"
    IMPORT_LATE = "import-late"
    # Why no writer is named.
    IS_ARGUMENT = "is-argument"
    NO_PLACE = "no-place"
    SEVERAL_THREADS = "several-threads"
    NO_LINE_SEEN = "no-line-seen"
    WRITTEN_BY_COMPILED = "written-by-compiled"
    WRITTEN_WHILE_COMPILING = "written-while-compiling"
    TOO_MANY_WATCHED = "too-many-watched"
    NOT_WATCHED_YET = "not-watched-yet"
    OTHER_TRACER = "other-tracer"
    EARLIER_THREADS = "earlier-threads"
    TRACER_COMPILED = "tracer-compiled"
    NOT_RECORDED = "not-recorded"
    NOT_LOGGED = "not-logged"
    NO_STATE_CHANGE = "no-state-change"
    IS_SETTING = "is-setting"
    IS_ENVIRONMENT = "is-environment"
    CHANGE_MISSED = "change-missed"
    BETWEEN_RANKS = "between-ranks"
    OTHER_COMPILES = "other-compiles"
    OTHER_NUMBER = "other-number"
    WATCHED_FAILED = "watched-failed"
    NO_SECOND_RUN = "no-second-run"
    IS_DISTRIBUTED = "is-distributed"
    WRITERS_UNNAMED = "writers-unnamed"
    # A remark.
    REMARK = "remark"
    REAL_DEVICE = "real-device"
    STAND_IN_DEVICE = "stand-in-device"
    LEVER_OVERRIDDEN = "lever-overridden"
    # A claim.
    OBSERVED = "observed"
    UNTESTABLE = "untestable"
    NOT_DECIDED = "not-decided"
    # What shares one code object.
    OBJECTS_SHARE = "objects-share"
    CLOSURES_SHARE = "closures-share"
    WRAPPER_SHARED = "wrapper-shared"
    # A finding of eager code.
    STANCE = "stance"
    SETTING = "setting"
    HOLDS_OPERATION = "holds-operation"
    LIBRARY_ALONE = "library-alone"
    LEFT_BY_BREAK = "left-by-break"
    BROKEN_EMPTY = "broken-empty"
    FUNCTION_DISABLED = "function-disabled"
    # A change at the gate.
    COULD_NOT_BE_JUDGED = "could-not-be-judged"
    NO_ENTRIES = "no-entries"
    NOT_IN_BASELINE = "not-in-baseline"
    IN_FIRST_ALONE = "in-first-alone"
    IN_SECOND_ALONE = "in-second-alone"
    NOT_ACCEPTED = "not-accepted"
    NEW_CAUSE = "new-cause"
    CAUSE_GONE = "cause-gone"
    NOTHING_MATCHES = "nothing-matches"
    COUNT_CHANGED = "count-changed"
    COUNTS_VARY = "counts-vary"
    VERDICT_CHANGED = "verdict-changed"
    VERDICTS_VARY = "verdicts-vary"


NO_WRITER_AT_ALL = (
    Why.NOT_LOGGED,
    *(Why.OTHER_COMPILES, Why.OTHER_NUMBER, Why.WATCHED_FAILED),
    *(Why.NO_SECOND_RUN, Why.IS_DISTRIBUTED),
)
"""Why a whole recording has no writers: a note of it says so, not each cause."""


class Reason(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A kind of reason, and the facts that its words need; those that it does not need are empty.

    ``text`` are words that are not ours: torch's, the user's, the system's. ``count`` of ``total``;
    ``refused`` is how many more torch refused. ``numbers`` are counts from run to run, or before
    and after; None where a run has none. ``cause`` is what this one follows from.
    """

    why: Why
    text: str = ""
    names: tuple[str, ...] = ()
    counted: Counted | None = None
    count: Count | None = None
    total: Count | None = None
    allowed: int | float | None = None
    refused: Count = 0
    numbers: tuple[Whole | None, ...] = ()
    seconds: Seconds | None = None
    step: Count | None = None
    against: str = ""
    location: Location | None = None
    difference: Difference | None = None
    cause: Reason | None = None


def said(error: BaseException) -> str:
    """``KeyError: 'x'``; the name alone of an error whose own words raise."""
    try:
        return f"{type(error).__name__}: {error}"
    except Exception:
        return f"{type(error).__name__}: "
