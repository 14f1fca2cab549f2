"""``esper-audit exec``."""

from __future__ import annotations

import os
import signal
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from esper_audit.errors import UNCAUGHT, ExitCode, IncompleteError, UsageError
from esper_audit.program.endings import Ending, EndingKind, die_of
from esper_audit.program.launch import Target
from esper_audit.program.run import ProgramRun
from esper_audit.report.formats import Format, Output, parse_outputs

if TYPE_CHECKING:
    from esper_audit.data.audits import ProgramAudit
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.data.recording import Recording


@dataclass(frozen=True)
class ExecOptions:
    """What to do with what is recorded."""

    budget: ProgramBudget
    format: Format = Format.RICH
    outputs: tuple[str, ...] = ()
    save: Path | None = None
    heartbeat: float | None = None
    provenance: bool = False
    watch: Path | None = None
    verbosity: int = 0


def parse_target(module: str, program: tuple[str, ...]) -> Target:
    """What to run; raises UsageError where nothing is given."""
    if module:
        return Target(module, program, is_module=True)
    if not program:
        raise UsageError(
            "There is nothing to run: no script given.",
            "Give a script, or a module with -m; options of esper-audit go before it.",
        )
    return Target(program[0], program[1:])


def exec_command(target: Target, options: ExecOptions) -> NoReturn:
    """Run the program, report, save, and leave with its exit code or that of the verdict."""
    places = _Places(options)
    places.check()
    report = _Reporter(target, options, places)
    session = ProgramRun(
        target,
        str(Path.cwd()),
        report,
        watch=_read_watch(options.watch),
        journal=places.journal,
        keep_journal=places.recording is None,
    )
    if options.heartbeat is not None:
        from esper_audit.program.heartbeat import beat

        beat(session, options.heartbeat)
    with session:
        try:
            try:
                exec(*target.load())
            finally:  # a tracer that the program has left is not for our own code
                sys.settrace(None)
                sys.setprofile(None)
        except BaseException as error:
            session.raised(error)
    _leave(session)


class _Places:
    """Where files go; with ranks, each has its own."""

    def __init__(self, options: ExecOptions) -> None:
        self._options = options
        self.recording = self._recording(options.save)
        chosen = parse_outputs(options.outputs, options.format)
        self.outputs = tuple(Output(each.format, self._output(each.path)) for each in chosen)
        self.journal = self._journal()

    def _recording(self, save: Path | None) -> Path | None:
        rank = os.environ.get("RANK", "")
        if save is not None and (rank.isdigit() or save.is_dir() or str(save).endswith(os.sep)):
            return (save / f"rank-{rank or 0}.json").absolute()
        return save.absolute() if save is not None else None

    def _output(self, output: Path) -> Path:
        """Absolute, like all places: the program may change its folder."""
        rank = os.environ.get("RANK", "")
        if rank.isdigit():
            output = output.with_name(f"{output.stem}-rank-{rank}{output.suffix}")
        return output.absolute()

    def _journal(self) -> Path:
        from esper_audit.recording.journal import SUFFIX

        if self.recording is not None:
            return self.recording.with_name(self.recording.name + SUFFIX)
        # A name that nobody can foresee: the folder is everybody's.
        name = f"esper-audit-{os.getpid()}-{os.urandom(4).hex()}{SUFFIX}"
        return Path(tempfile.gettempdir()) / name

    def check(self) -> None:
        """Raise UsageError before the program runs, where a file can't be written."""
        from esper_audit.cli.output import check_places
        from esper_audit.data.storage import check_writable

        if self.recording is not None:
            if self._options.save is None or self.recording != self._options.save.absolute():
                try:
                    self.recording.parent.mkdir(parents=True, exist_ok=True)
                except OSError as error:
                    raise UsageError(
                        f"{self.recording.parent} can't be made: {error.strerror}.",
                        "Give a folder with --save: each rank writes its own file there.",
                    ) from None
            check_writable(self.recording)
        check_places(self.outputs)


class _Reporter:
    """Told of the recording once the program has ended; says the exit code of its verdict."""

    def __init__(self, target: Target, options: ExecOptions, places: _Places) -> None:
        self._target = target
        self._options = options
        self._places = places
        self._root = str(Path.cwd())

    def __call__(self, recording: Recording, ending: Ending) -> int:
        from esper_audit.diagnosis import judge_program
        from esper_audit.program.run import not_started

        not_started(recording)
        if self._options.watch is not None:  # a watched run only records
            self._save(recording)
            return ExitCode.CLEAN
        if self._options.provenance:
            self._save(recording)  # the second run may take long
            recording = self._with_writers(recording, ending)
        audit = judge_program(recording, self._options.budget)
        try:
            self._report(audit)
        finally:
            self._save(recording)
        if ending.how is EndingKind.HARD_EXIT and self._places.recording is None:
            print(f"esper-audit: what was recorded lies in {self._places.journal}", file=sys.stderr)
        return _code_of(audit)

    def _save(self, recording: Recording) -> None:
        """The program has run by now: what can't be written is no wrong usage any more."""
        from esper_audit.data.storage import save

        if self._places.recording is not None:
            try:
                save(recording, self._places.recording)
            except UsageError as error:
                raise IncompleteError(
                    f"The recording can't be saved: {error}", "The report above is all there is."
                ) from None

    def _with_writers(self, recording: Recording, ending: Ending) -> Recording:
        from esper_audit.data.reasons import Reason, Why
        from esper_audit.program.second_run import watched_run
        from esper_audit.recording.writers import without_writers

        if not ending.can_be_repeated:
            return without_writers(recording, Reason(why=Why.NO_SECOND_RUN, text=ending.words))
        print("esper-audit: running the program again, watched", file=sys.stderr)
        return watched_run(self._target, recording)

    def _report(self, audit: ProgramAudit) -> None:
        from esper_audit.cli.output import write_program
        from esper_audit.data.audits import ProgramReport

        rank = audit.rank
        if rank and not self._options.outputs and audit.verdict is None:
            return  # one rank reports; `show` merges what all have saved
        report = ProgramReport(root=self._root, audits=(audit,))
        options = self._options
        write_program(report, options.format, self._places.outputs, options.verbosity)


def _read_watch(path: Path | None) -> dict[str, tuple[str, ...]] | None:
    if path is None:
        return None
    import msgspec

    return msgspec.json.decode(path.read_bytes(), type=dict[str, tuple[str, ...]])


def _say_nothing(*_: object) -> None:
    """A hook for what is told already."""


def _code_of(audit: ProgramAudit) -> int:
    from esper_audit.data.verdicts import AuditVerdict

    codes = {AuditVerdict.FAILED: ExitCode.FINDINGS, AuditVerdict.ERROR: ExitCode.INCOMPLETE}
    return codes.get(audit.verdict, ExitCode.CLEAN) if audit.verdict else ExitCode.CLEAN


def _leave(session: ProgramRun) -> NoReturn:
    """The program's own ending counts; only where that was clean, the verdict does."""
    number = session.ending.signal
    if number == signal.SIGINT:
        sys.excepthook = _say_nothing  # it is told already
        raise UNCAUGHT  # the interpreter ends itself, and then by this signal
    if number:
        die_of(number)
    sys.exit(session.code)
