"""What becomes of a recording once its program has ended: explained, judged, reported, saved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.data.files import is_file
from esper_audit.program.endings import Ending, EndingKind
from esper_audit.program.launch import Target

if TYPE_CHECKING:
    from esper_audit.data.audits import ProgramAudit
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.data.recording import Recording
    from esper_audit.data.written import Written


@dataclass(frozen=True)
class Finish:
    """Told of the recording; returns its audit, or None of a further run, which only records.

    ``report`` is told of the audit after the recording is saved, ``say`` of what takes long.
    """

    target: Target
    budget: ProgramBudget
    report: Callable[[ProgramAudit, Written], None]
    say: Callable[[str], None]
    recording: Path | None
    journal: Path
    provenance: bool = False
    only_records: bool = False

    def __call__(self, recording: Recording, ending: Ending) -> ProgramAudit | None:
        """Raises IncompleteError where not everything could be written; all else is by then."""
        from esper_audit.data.written import Written
        from esper_audit.diagnosis import judge_program
        from esper_audit.program.run import not_started

        not_started(recording)
        if self.only_records:
            written = Written()
            self._save(recording, written)
            written.check()
            return None
        if self.provenance:
            self._save(recording, Written())  # the second run may take long
            recording = self._with_writers(recording, ending)
        written = Written()
        self._save(recording, written)
        audit = judge_program(recording, self.budget)
        self.report(audit, written)
        # There is no journal where torch was never imported.
        is_kept = self.recording is None and is_file(self.journal)
        if ending.how is EndingKind.HARD_EXIT and is_kept:
            self.say(f"the recording is in {self.journal}")
        written.check()
        return audit

    def _save(self, recording: Recording, written: Written) -> None:
        from esper_audit.data.storage import save

        if self.recording is not None:
            name = f"{self.recording} (the recording)"
            written.attempt(name, partial(save, recording, self.recording))

    def _with_writers(self, recording: Recording, ending: Ending) -> Recording:
        from esper_audit.data.reasons import Reason, Why
        from esper_audit.program.second_run import watched_run
        from esper_audit.recording.writers import without_writers

        if not ending.can_be_repeated:
            return without_writers(recording, Reason(why=Why.NO_SECOND_RUN, text=ending.words))
        self.say("running the program again, watched")
        return watched_run(self.target, recording)
