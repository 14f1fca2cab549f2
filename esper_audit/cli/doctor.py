"""``esper-audit doctor``."""

from __future__ import annotations

import sys

import msgspec
from rich.console import Group
from rich.table import Table
from rich.text import Text

from esper_audit.cli.output import stdout
from esper_audit.doctor import CheckUp, check_up
from esper_audit.errors import ExitCode


def doctor_command(as_json: bool) -> None:
    """Print the check-up; ends with exit code 3 where a hook sees nothing."""
    result = check_up()
    if as_json:
        sys.stdout.write(msgspec.json.format(msgspec.json.encode(result)).decode() + "\n")
    else:
        stdout().print(_report(result))
    sys.exit(ExitCode.CLEAN if result.healthy else ExitCode.INCOMPLETE)


def _report(result: CheckUp) -> Group:
    environment = result.environment
    facts = Table(box=None, pad_edge=False, show_header=False)
    facts.add_column(no_wrap=True)
    facts.add_column(overflow="fold")
    facts.add_row("torch", environment.torch)
    facts.add_row("Python", f"{environment.python} on {environment.platform}")
    facts.add_row("devices", ", ".join(result.devices))
    facts.add_row("backends", ", ".join(result.backends))
    for name, value in (environment.settings | result.caches).items():
        facts.add_row(name, value)
    checks = Table(box=None, pad_edge=False, show_header=False)
    for check in result.checks:
        bad = Text("lost", style="yellow") if check.optional else Text("FAILED", style="bold red")
        mark = Text("ok", style="green") if check.passed else bad
        checks.add_row(mark, check.name, Text(check.detail, style="dim"))
    lost = [Text(f"torch has no {each.name}. Lost: {each.lost}.") for each in result.lost]
    return Group(facts, Text(""), checks, *lost)
