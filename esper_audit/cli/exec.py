"""``esper-audit exec``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from esper_audit.cli.as_python import ExecCommand
from esper_audit.cli.command import command
from esper_audit.cli.options import FORMATS, Words, fail_on_option, save_option
from esper_audit.report.formats import Format

if TYPE_CHECKING:
    from esper_audit.data.audits import ProgramAudit
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.data.last_audit import Shelf
    from esper_audit.data.recording import Recording
    from esper_audit.data.written import Written
    from esper_audit.program.endings import Ending
    from esper_audit.program.launch import Target
    from esper_audit.program.run import ProgramRun
    from esper_audit.program.variant import VariantRun
    from esper_audit.report.formats import Output

_bound = partial(typer.Option, min=0, metavar="N", rich_help_panel="What fails")
_recording = partial(typer.Option, rich_help_panel="How the program is recorded")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What fails a program that ended cleanly."""

    max_recompiles: Annotated[int | None, _bound(help="Fail above N recompiles.")] = None
    max_recompiles_after_warm_up: Annotated[
        int | None, _bound(help="Fail above N recompiles after warm-up.")
    ] = None
    max_compiles_after_warm_up: Annotated[
        int | None, _bound(help="Fail above N compiles of any kind after warm-up.")
    ] = None
    warm_up_calls: Annotated[
        int | None,
        _bound(
            help="Take the first N calls of each frame as its warm-up, instead of what comes"
            " before esper_audit.steady_state()."
        ),
    ] = None
    fail_on: Annotated[str | None, fail_on_option("nothing")] = None

    @property
    def budget(self) -> ProgramBudget:
        from esper_audit.data.expectations import ProgramBudget
        from esper_audit.diagnosis import Door, parse_kinds

        return ProgramBudget(
            recompiles=self.max_recompiles,
            recompiles_after_warm_up=self.max_recompiles_after_warm_up,
            compiles_after_warm_up=self.max_compiles_after_warm_up,
            warm_up_calls=self.warm_up_calls,
            fail_on=parse_kinds(self.fail_on, Door.EXEC),
        )


@dataclass(frozen=True, kw_only=True)
class ExecWords(Words):
    """What is said on stderr: stdout is the program's."""

    format: Annotated[
        Format,
        typer.Option(
            "--format",
            metavar="FORMAT",
            rich_help_panel="Report",
            help=f"Print the report on stderr as {FORMATS}.",
        ),
    ] = Format.RICH


@dataclass(frozen=True, kw_only=True)
class Recorded:
    """How the program is recorded, and what is kept of it."""

    save: Annotated[
        str | None,
        save_option("the recording", "show, compare and gate. A folder gets a file for each rank"),
    ] = None
    heartbeat: Annotated[
        float | None,
        _recording(min=0.1, metavar="SECONDS", help="Print progress to stderr every N seconds."),
    ] = None
    provenance: Annotated[
        bool,
        _recording(
            "--provenance",
            help="Run the program again at its end, to find the lines that wrote guarded state.",
        ),
    ] = False
    recompile_limit: Annotated[
        int | None,
        _recording(
            min=1,
            metavar="N",
            help="Set torch's recompile_limit to N, to see the causes that the limit hides.",
        ),
    ] = None
    label: Annotated[
        str,
        _recording(
            "--as",
            metavar="NAME",
            help="Name the program NAME, not by its command line: compare and gate match by it.",
        ),
    ] = ""
    watch: Annotated[Path | None, typer.Option(hidden=True)] = None
    variant: Annotated[Path | None, typer.Option(hidden=True)] = None


def exec_(
    *,
    program: Annotated[
        list[str] | None,
        typer.Argument(metavar="ARG", help="The script and its arguments, or those of the module."),
    ] = None,
    module: Annotated[
        str,
        typer.Option(
            "-m",
            metavar="MODULE",
            rich_help_panel="How the program is recorded",
            help="Run a module, as `python -m` does. What follows belongs to the module.",
        ),
    ] = "",
    bounds: Bounds,
    recorded: Recorded,
    words: ExecWords,
) -> Callable[[], None]:
    """Run a program as python would, and report what torch.compile did in it.

    The report goes to stderr, because stdout is the program's. The exit code is the program's own;
    where that is 0, it is the verdict's.
    """
    from esper_audit.data.text import encodable
    from esper_audit.program.launch import parse_target

    target = parse_target(module, tuple(program or ()), _options_before(program or (), module))
    # Run by our caller: torch takes a traceback for every traced operation, and typer's frames
    # below the program make each compile a tenth slower.
    named = replace(target, label=encodable(recorded.label))
    return partial(run_program, named, bounds.budget, recorded, words)


def _options_before(program: Sequence[str], module: str) -> tuple[str, ...]:
    """The options of esper-audit that were typed before the program."""
    words = sys.argv[2 : len(sys.argv) - len(program)]
    while words and words[-1] in ("--", "-m", module, f"-m{module}"):
        words.pop()
    return tuple(words)


def run_program(
    target: Target, budget: ProgramBudget, recorded: Recorded, words: ExecWords
) -> NoReturn:
    """Run the program, report, save, and leave with its exit code or that of the verdict."""
    variant = _variant(recorded.variant)
    session = _session(target, budget, recorded, words, variant)
    if recorded.heartbeat is not None:
        from esper_audit.cli.heartbeat import beat

        beat(session, recorded.heartbeat)
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


def _session(
    target: Target,
    budget: ProgramBudget,
    recorded: Recorded,
    words: ExecWords,
    variant: VariantRun | None,
) -> ProgramRun:
    from esper_audit.cli.last import shelf_here
    from esper_audit.program.finish import Finish
    from esper_audit.program.places import journal_at, recording_at
    from esper_audit.program.run import ProgramRun

    recording = recording_at(recorded.save)
    outputs = _outputs(words, recording, _used_by(target, recording))
    finish = Finish(
        target=target,
        budget=budget,
        report=partial(_report, words, outputs, str(Path.cwd()), shelf_here()),
        say=_say,
        recording=recording,
        journal=journal_at(recording),
        provenance=recorded.provenance,
        only_records=recorded.watch is not None or variant is not None,
    )

    def finished(recording: Recording, ending: Ending) -> int:
        from esper_audit.cli.exit_codes import CODES

        if variant is not None:
            variant.end()
        audit = finish(recording, ending)
        return CODES[audit.verdict if audit is not None else None]

    return ProgramRun(
        target,
        str(Path.cwd()),
        finished,
        watch=_watch(recorded.watch),
        journal=finish.journal,
        keep_journal=recording is None,
        recompile_limit=recorded.recompile_limit,
    )


def _watch(path: Path | None) -> dict[str, tuple[str, ...]] | None:
    if path is None:
        return None
    from esper_audit.program.second_run import read_watch

    return read_watch(path)


def _variant(path: Path | None) -> VariantRun | None:
    if path is None:
        return None
    from esper_audit.program.variant import VariantRun, read_variant

    variant = VariantRun(read_variant(path))
    variant.begin()
    return variant


def _used_by(target: Target, recording: Path | None) -> list[Path]:
    """The program's own files, as far as its command line tells them, and the journal."""
    from esper_audit.program.places import journal_at

    script = [] if target.is_module else [Path(target.name)]
    journal = [journal_at(recording)] if recording is not None else []
    return [*journal, *(path.absolute() for path in (*script, *map(Path, target.arguments)))]


def _outputs(words: ExecWords, recording: Path | None, used: list[Path]) -> tuple[Output, ...]:
    """The files of the report; raises UsageError before the program runs where one can't be."""
    if not words.output and recording is None:
        return ()
    from esper_audit.cli.places import check_places
    from esper_audit.program.places import report_at
    from esper_audit.report.formats import Output, parse_outputs, saved

    chosen = parse_outputs(words.output or ())
    outputs = tuple(Output(output.format, report_at(output.path)) for output in chosen)
    check_places([*outputs, *saved(recording)], used)
    return outputs


def _report(
    words: ExecWords,
    outputs: tuple[Output, ...],
    root: str,
    shelf: Shelf | None,
    audit: ProgramAudit,
    written: Written,
) -> None:
    from esper_audit.cli.last import keep
    from esper_audit.cli.output import print_program, write_files
    from esper_audit.data.audits import ProgramReport
    from esper_audit.data.text import encodable

    report = ProgramReport(root=encodable(root), audits=(audit,))
    write_files(report, outputs, words.verbosity, written)
    # Each rank ends when it does: the last audit would be that of any.
    kept = not audit.rank and keep(report, shelf)
    if not audit.rank or audit.verdict is not None:  # `show` merges what all ranks have saved
        told = partial(print_program, report, words.format, words.verbosity, kept=kept)
        written.attempt("", told)


def _say(text: str) -> None:
    if sys.stderr is not None:  # print would take stdout instead, which is the program's
        from esper_audit.data.clean import clean

        print(f"esper-audit: {clean(text)}", file=sys.stderr)


def _say_nothing(*_: object) -> None:
    """A hook for what is told already."""


def _leave(session: ProgramRun) -> NoReturn:
    """The program's own ending counts; only where that was clean, the verdict does."""
    number = session.ending.signal
    if number == signal.SIGINT:
        from esper_audit.errors import UNCAUGHT

        sys.excepthook = _say_nothing  # it is told already
        raise UNCAUGHT  # the interpreter ends itself, and then by this signal
    if number:
        from esper_audit.program.endings import die_of

        die_of(number)
    raise SystemExit(session.code)  # the program may have put another sys.exit in place


COMMAND = command(
    exec_,
    Bounds,
    Recorded,
    ExecWords,
    cls=ExecCommand,
    name="exec",
    options_metavar="[OPTIONS] [-m MODULE | SCRIPT]",
    context_settings={"allow_interspersed_args": False},
)
