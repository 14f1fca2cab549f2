"""``esper-audit doctor``."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from esper_audit.cli.command import command
from esper_audit.cli.options import Plain, PlainOption

if TYPE_CHECKING:
    from rich.console import Group

    from esper_audit.doctor import CheckUp


def doctor(*, output_format: PlainOption = Plain.RICH) -> None:
    """Show the environment, and test every hook by compiling something small.

    It ends with exit code 3 where a hook sees nothing.
    """
    from esper_audit.cli.exit_codes import CODES
    from esper_audit.cli.output import stdout
    from esper_audit.cli.stdout import stdout_that_may_end
    from esper_audit.data.json_text import json_text
    from esper_audit.data.verdicts import AuditVerdict
    from esper_audit.recording.usable_torch import compile_trouble, import_torch_quietly

    import_torch_quietly()
    from esper_audit.doctor import check_up

    try:
        result = check_up()
    except Exception:
        trouble = compile_trouble("aot_eager")
        if trouble is None:
            raise
        raise trouble from None
    with stdout_that_may_end("The check-up", "Print it to a place with free space."):
        if output_format is Plain.JSON:
            sys.stdout.write(f"{json_text(result)}\n")
        else:
            stdout().print(_report(result))
    sys.exit(CODES[AuditVerdict.PASSED if result.healthy else AuditVerdict.ERROR])


def _report(result: CheckUp) -> Group:
    from rich.console import Group
    from rich.table import Table
    from rich.text import Text

    from esper_audit.cli.output import shown

    environment = result.environment
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("torch", shown(environment.torch))
    facts.add_row("Python", shown(f"{environment.python} on {environment.platform}"))
    facts.add_row("devices", shown(", ".join(result.devices)))
    facts.add_row("backends", shown(", ".join(result.backends)))
    for name, value in (environment.settings | result.caches).items():
        facts.add_row(shown(name), shown(value))
    checks = Table(box=None, pad_edge=False, show_header=False)
    for check in result.checks:
        bad = Text("lost", style="yellow") if check.optional else Text("FAILED", style="bold red")
        mark = Text("ok", style="green") if check.passed else bad
        checks.add_row(mark, shown(check.name), shown(check.detail, style="dim"))
    lost = [shown(f"torch has no {part.name}. Lost: {part.lost}.") for part in result.lost]
    return Group(facts, Text(""), checks, *lost)


COMMAND = command(doctor)
