"""``esper-audit fix``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from esper_audit.cli.command import Command, command
from esper_audit.cli.options import Paths, Words, fail_on_option, save_option
from esper_audit.cli.replaying import Replaying
from esper_audit.errors import UsageError

if TYPE_CHECKING:
    from esper_audit.auditing import Progress, Request
    from esper_audit.data.remedies import FixReport
    from esper_audit.program.launch import Target
    from esper_audit.remedies.applying import Again
    from esper_audit.replay.pool import Pool

_remedies = partial(typer.Option, rich_help_panel="Remedies")
_OF_PROGRAMS = ("recompile_limit", "max_recompiles_after_warm_up", "max_compiles_after_warm_up")
"""Options of a replay that mean the same of a program."""


@dataclass(frozen=True, kw_only=True)
class Fixing:
    """Which remedies are tried, and what is done with those that were proven."""

    all_: Annotated[
        bool,
        _remedies("--all", help="Try every remedy, not only until one is proven."),
    ] = False
    minimal: Annotated[
        bool,
        _remedies(
            "--minimal",
            help="Find the smallest set of remedies that frees every audit, and prove it in one"
            " run.",
        ),
    ] = False
    apply: Annotated[
        bool,
        _remedies(
            "--apply",
            help="Change the files, run the audit again, and take the change back unless it is"
            " what was proven.",
        ),
    ] = False
    force: Annotated[
        bool,
        _remedies(
            "--force",
            help="With --apply: also change files that hold changes which are not committed.",
        ),
    ] = False
    exec_: Annotated[
        bool,
        _remedies(
            "--exec",
            help="Fix a program instead of scenarios: what follows is SCRIPT or -m MODULE, and"
            " its arguments.",
        ),
    ] = False
    warm_up_calls: Annotated[
        int | None,
        typer.Option(
            min=0,
            metavar="N",
            rich_help_panel="What fails",
            help="With --exec: take the first N calls of each frame as its warm-up.",
        ),
    ] = None
    program: Annotated[list[str] | None, typer.Option("--program-word", hidden=True)] = None


class FixCommand(Command):
    """What follows ``--exec`` belongs to the program."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--exec" in args:
            place = args.index("--exec")
            words = (word for given in args[place + 1 :] for word in ("--program-word", given))
            args = [*args[: place + 1], *words]
        return super().parse_args(ctx, args)

    def may_be_empty(self, name: str, given: Any) -> bool:
        """An argument of the program is its own."""
        return (name == "program" and bool(given[0])) or super().may_be_empty(name, given)


def fix(
    *,
    paths: Paths = None,
    fixing: Fixing,
    replaying: Replaying,
    fail_on: Annotated[
        str | None, fail_on_option("a compile of any kind or an eager step after warm-up")
    ] = None,
    save: Annotated[Path | None, save_option("the report", "show")] = None,
    words: Words,
) -> None:
    """Try remedies for what fails, and show those that were proven as diffs.

    Each remedy is replayed in a process of its own, against eager execution. Your files stay as
    they are, unless --apply is given.
    """
    from esper_audit.cli.last import shelf_here
    from esper_audit.cli.output import finish
    from esper_audit.cli.places import check_places
    from esper_audit.data.config import config_for
    from esper_audit.diagnosis import Door, parse_kinds
    from esper_audit.report.formats import check_drawable, parse_outputs, saved

    if fixing.force and not fixing.apply:
        raise UsageError("--force is for --apply, which is not given.", "Add --apply.")
    chosen = tuple(paths or ())
    outputs = (*saved(save), *parse_outputs(words.output or ()))
    check_drawable(None, (words.format, *(output.format for output in outputs)))
    shelf = shelf_here()
    if fixing.exec_:
        target = _target(chosen, fixing, replaying)
        check_places(outputs, [] if target.is_module else [Path(target.name)])
        finish(_of_program(target, fixing, replaying), words, outputs, shelf=shelf)
    config = config_for(chosen)
    request = replaying.request(chosen, config, parse_kinds(fail_on, Door.RUN), "fix")
    check_places(outputs, list(map(Path, request.paths)))
    finish(_of_scenarios(request, fixing, replaying), words, outputs, shelf=shelf)


def _of_scenarios(request: Request, fixing: Fixing, replaying: Replaying) -> FixReport:
    from esper_audit.cli.output import stderr
    from esper_audit.cli.progress import LiveProgress
    from esper_audit.fixing import FixRequest, run_fix
    from esper_audit.remedies.applying import apply

    wanted = FixRequest(audit=request, all_=fixing.all_, minimal=fixing.minimal)
    with replaying.pool() as pool, LiveProgress(stderr()) as progress:
        report = run_fix(wanted, pool, progress)
        if fixing.apply and not report.interrupted:
            again = partial(_audited_again, request, pool, progress)
            report = apply(report, again, force=fixing.force)
    return report


def _audited_again(request: Request, pool: Pool, progress: Progress) -> Again:
    """The same audit, of the files as they are now."""
    from dataclasses import replace

    from esper_audit.auditing import run_audit
    from esper_audit.remedies.applying import Again

    report = run_audit(replace(request, provenance=False), pool, progress)
    verdicts = {(audit.title, audit.backend): audit.verdict for audit in report.audits}
    return Again(verdicts, report.verdict, report.interrupted)


def _target(paths: Sequence[str], fixing: Fixing, replaying: Replaying) -> Target:
    """The program; raises UsageError where it is none, or an option is of scenarios alone."""
    from esper_audit.program.launch import parse_target

    if paths:
        raise UsageError(
            f"{paths[0]} can't be given here: --exec takes a program.",
            "Give the program and its arguments after --exec.",
        )
    replaying.refuse("a program is run, and no scenario is replayed", *_OF_PROGRAMS)
    words = list(fixing.program or ())
    module = ""
    if words and words[0].startswith("-m"):
        module = words.pop(0).removeprefix("-m") or (words.pop(0) if words else "")
        if not module:
            raise UsageError(
                "-m takes the name of a module.", "For example: esper-audit fix --exec -m pytest"
            )
    return parse_target(module, tuple(words), ())


def _of_program(target: Target, fixing: Fixing, replaying: Replaying) -> FixReport:
    from esper_audit.data.expectations import ProgramBudget
    from esper_audit.program.fix import run_program_fix
    from esper_audit.remedies.applying import apply

    budget = ProgramBudget(
        recompiles_after_warm_up=replaying.max_recompiles_after_warm_up,
        compiles_after_warm_up=replaying.max_compiles_after_warm_up,
        warm_up_calls=fixing.warm_up_calls,
    )
    return run_program_fix(
        target,
        budget=budget,
        recompile_limit=replaying.recompile_limit,
        all_=fixing.all_,
        minimal=fixing.minimal,
        apply=partial(apply, force=fixing.force) if fixing.apply else None,
        say=_say,
    )


def _say(text: str) -> None:
    from esper_audit.cli.output import stderr

    stderr().print(f"esper-audit: {text}", markup=False, highlight=False)


COMMAND = command(fix, Fixing, Replaying, Words, cls=FixCommand)
