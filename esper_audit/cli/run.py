"""``esper-audit run``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from esper_audit.cli.command import command
from esper_audit.cli.options import Paths, Words, fail_on_option, save_option
from esper_audit.cli.replaying import Replaying, say_if_torch_fails


def run(
    *,
    paths: Paths = None,
    replaying: Replaying,
    fail_on: Annotated[
        str | None, fail_on_option("a compile of any kind or an eager step after warm-up")
    ] = None,
    save: Annotated[Path | None, save_option("the audit")] = None,
    words: Words,
) -> None:
    """Replay scenarios under torch.compile and report what every step did."""
    from esper_audit.auditing import run_audit
    from esper_audit.cli.last import shelf_here
    from esper_audit.cli.output import finish, stderr
    from esper_audit.cli.places import check_places
    from esper_audit.cli.progress import LiveProgress
    from esper_audit.data.config import config_for
    from esper_audit.diagnosis import Door, parse_kinds
    from esper_audit.report.formats import parse_outputs, saved

    chosen = tuple(paths or ())
    config = config_for(chosen)
    outputs = (*saved(save), *parse_outputs(words.output or ()))
    request = replaying.request(chosen, config, parse_kinds(fail_on, Door.RUN))
    check_places(outputs, list(map(Path, request.paths)))
    shelf = shelf_here()
    with replaying.pool() as pool, LiveProgress(stderr()) as progress:
        report = run_audit(request, pool, progress)
    say_if_torch_fails([report], request.options.backends)
    finish(report, words, outputs, shelf=shelf)


COMMAND = command(run, Replaying, Words)
