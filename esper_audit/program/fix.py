"""Remedies for a recorded program: it runs again with each, and must equal itself run eagerly."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from statistics import median

from esper_audit.data.audits import Audit, ProgramAudit
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.reasons import Why
from esper_audit.data.remedies import (
    Because,
    Cause,
    Cure,
    Fix,
    FixReport,
    Gain,
    Ground,
    NotMade,
    Remedy,
    RemedyState,
)
from esper_audit.data.text import encodable
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis.counts import count
from esper_audit.errors import UsageError
from esper_audit.program.launch import Target
from esper_audit.program.recorded import RecordedProgram, recorded
from esper_audit.program.tries import TriedRun, Tries
from esper_audit.program.variant import ProgramVariant
from esper_audit.remedies.applying import Again
from esper_audit.remedies.catalogue import maker
from esper_audit.remedies.gains import Timed, is_slower
from esper_audit.remedies.levers import levers_for
from esper_audit.remedies.search import Search, Tried, trial_of

Apply = Callable[[FixReport, Callable[[], Again]], FixReport]

_PATIENCE = 4.0
"""Times the seconds of the program as it is: a remedied run that takes longer is ended."""
_LEAST_SECONDS = 60.0


def run_program_fix(
    target: Target,
    *,
    budget: ProgramBudget = ProgramBudget(),
    recompile_limit: int | None = None,
    all_: bool = False,
    minimal: bool = False,
    apply: Apply | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> FixReport:
    """Record a program, and run it again with each remedy for what it recompiles.

    The program runs several times, in its folder, without input. ``apply`` takes the report, and a
    function that audits the program with the changed files. ``say`` takes the name of each part as
    it begins. A KeyboardInterrupt ends it early, and the report says so.

    Raises UsageError for a program of several ranks, IncompleteError where it can't be recorded.
    """
    _refuse_ranks()
    target.check()
    started, folder = time.monotonic(), str(Path.cwd())
    with Tries(target, folder, recompile_limit) as tries:
        say("running the program as it is, and without torch.compile")
        program = recorded(tries, target, budget)
        trials = ProgramTrials(tries, program, _search(program, folder, all_), say)
        report = replace(trials.report(folder, minimal), wall_seconds=time.monotonic() - started)
        if apply is None or report.interrupted:
            return report
        say("running the program again, with its files changed")
        return apply(report, trials.again)


def _refuse_ranks() -> None:
    world = os.environ.get("WORLD_SIZE", "1")
    if world not in ("", "0", "1"):
        raise UsageError(
            f"fix --exec runs a program of one process; WORLD_SIZE is {world}.",
            "Record the ranks with exec, and fix a run of one process.",
        )


def _search(program: RecordedProgram, folder: str, all_: bool) -> Search:
    return Search(program.audit, maker(folder, _levers), all_)


def _levers(cause: Cause, audit: Audit) -> Sequence[Remedy | NotMade]:
    """Those that can be pulled where nobody calls compiled code but the program itself."""
    return levers_for(cause, ProgramAudit(recording=audit.recording, findings=audit.findings))


@dataclass
class ProgramTrials:
    """Runs of the program with remedies, two side by side."""

    tries: Tries
    program: RecordedProgram
    search: Search
    say: Callable[[str], None]
    runs: dict[int, TriedRun] = field(default_factory=dict)

    def report(self, folder: str, minimal: bool) -> FixReport:
        """What came of it all."""
        audit, interrupted = self.program.audit, False
        fixes: tuple[Fix, ...] = ()
        if audit.verdict is AuditVerdict.FAILED:
            try:
                self.run()
            except KeyboardInterrupt:
                interrupted = True
            fixes = (self.search.fix(folder, interrupted),)
        elif audit.verdict is not AuditVerdict.PASSED:
            fixes = (_not_judged(audit),)
        return FixReport(
            environment=audit.recording.environment,
            root=encodable(folder),
            fixes=fixes,
            passed=() if fixes else (audit.title,),
            cure=self._cure(folder) if minimal and fixes and not interrupted else None,
            interrupted=interrupted,
        )

    def _cure(self, folder: str) -> Cure:
        """Of one program, the proven remedy of the fewest parts: it was proven in one run."""
        least = min(self.search.proven, key=lambda tried: tried.depth, default=None)
        if least is None:
            return Cure(uncured=(self.program.audit.title,))
        trial = trial_of(least, folder)
        return Cure(trials=(trial,), diff=trial.diff, made_from=trial.made_from, proven=True)

    def again(self) -> Again:
        """The audit of the program as its files are now; it must equal what it was, run eagerly."""
        (run,) = self.tries.run([ProgramVariant()], self._patience)
        audit = self.program.judged(run)
        return Again({(audit.title, audit.backend): audit.verdict}, audit.verdict)

    def run(self) -> None:
        """Try until a remedy is proven, or nothing is left to try."""
        self.search.begin()
        while True:
            wave = self.search.wave()
            if not wave and not self._follow():
                return
            self._try(wave)
            self._settle()
            if self._can_prove_nothing:
                return

    def _try(self, wave: Sequence[Tried]) -> None:
        for tried in wave:
            self.say(f"trying {tried.remedy.id}")
        variants = [_variant(tried.remedy) for tried in wave]
        runs = self.tries.run(variants, self._patience)
        for tried, run in zip(wave, runs, strict=True):
            self.runs[id(tried)] = run
            self.search.learn(tried, self.program.judged(run))
            _say_overridden(tried, run)

    @property
    def _can_prove_nothing(self) -> bool:
        """Whether the program varies from run to run, and a remedy has come as far as it can."""
        why = self.program.expected.why
        varies = why is not None and why.why is Why.CALLS_VARY
        gone = any(tried.state is RemedyState.UNPROVEN for tried in self.search.tried)
        if varies and gone:
            self.search.waiting = []
        return varies and gone

    @property
    def _patience(self) -> float:
        return max(_LEAST_SECONDS, _PATIENCE * self.program.run.seconds)

    def _follow(self) -> bool:
        """Find remedies for what others leave; whether there are any."""
        tried = self.search.to_follow()
        if tried is None or tried.after is None:
            return False
        self.search.follow(tried, tried.after)
        return True

    def _settle(self) -> None:
        for tried in self.search.to_settle():
            self._settle_one(tried)

    def _settle_one(self, tried: Tried) -> None:
        """A remedy that passes is proven, unless its calls take longer in two runs."""
        after, run = tried.after, self.runs[id(tried)]
        assert after is not None and tried.shown is not None and run.calls is not None
        tried.settled = True
        if self._is_slower(self.program.audit, after) and self._is_slower_again(tried):
            because = Because(ground=Ground.SLOWER)
            tried.shown = replace(tried.shown, state=RemedyState.SLOWER, because=because)
        tried.gain = _gain(self.program, after)

    def _is_slower(self, before: Audit, after: Audit) -> bool:
        steps = [[judged.step for judged in audit.steps] for audit in (before, after)]
        return is_slower(before, after, Timed(*steps))

    def _is_slower_again(self, tried: Tried) -> bool:
        """In two runs side by side: the machine may have been busy."""
        before, after = self.tries.run([ProgramVariant(), _variant(tried.remedy)], self._patience)
        tried.seconds += after.seconds
        return self._is_slower(self.program.judged(before), self.program.judged(after))


def _not_judged(audit: Audit) -> Fix:
    """Of a program that can't be compared with itself, or ran nothing that was compiled."""
    reason = audit.reasons[0] if audit.reasons else None
    return Fix(
        title=audit.title,
        file=audit.file,
        verdict=audit.verdict,
        because=Because(ground=Ground.NOT_COMPARED, reason=reason),
        replay_seconds=audit.wall_seconds,
    )


def _say_overridden(tried: Tried, run: TriedRun) -> None:
    """A lever that the program pulls itself did not show what it does."""
    overridden = run.calls.overridden if run.calls is not None else ()
    if overridden and tried.shown is not None:
        because = Because(ground=Ground.SET_BY_USER, text=", ".join(overridden))
        tried.shown = replace(tried.shown, because=because)


def _variant(remedy: Remedy) -> ProgramVariant:
    overlay = {edit.file: edit.after for edit in remedy.edits}
    return ProgramVariant(levers=remedy.levers, overlay=overlay)


def _gain(program: RecordedProgram, after: Audit) -> Gain:
    """What the remedy saves, of compiles after warm-up and of a call's time."""
    before = program.audit
    gone = _late(before) - _late(after)
    saved = max(0.0, _compiling(before) - _compiling(after))
    reused = [step.step.seconds for step in after.steps if step.step.lookups.hits]
    eager = program.eager_seconds
    pays_back = None
    if reused and eager and median(eager) > median(reused):
        pays_back = int(_compiling(after) / (median(eager) - median(reused))) + 1
    return Gain(
        seconds_per_event=saved / gone if gone > 0 else None,
        per_thousand=saved / len(before.steps) * 1000 if before.steps else None,
        pays_back=pays_back,
    )


def _late(audit: Audit) -> int:
    return count(audit.recording).compiles_after_warm_up


def _compiling(audit: Audit) -> float:
    """Seconds of all compiles: those in warm-up may be slower with a remedy."""
    return sum(made.seconds.total * made.count for made in audit.recording.compiles)
