"""What a shell completes beside commands, options and choices. Loads no torch."""

from __future__ import annotations

import typer


def rules(begun: str) -> list[tuple[str, str]]:
    """The identifiers of `explain` that begin so, each with what it means."""
    from esper_audit.report.manual import index

    return [(rule.id, rule.what) for rule in index() if rule.id.startswith(begun)]


def kinds(context: typer.Context, begun: str) -> list[str]:
    """Of `--fail-on`, the last of a list with commas, as the command takes it."""
    from esper_audit.diagnosis.kinds import Door, kinds_at

    *before, last = begun.split(",")
    door = "run" if context.info_name == "fix" else str(context.info_name)
    known = [name for name in kinds_at(Door(door)) if name not in before]
    return [",".join([*before, name]) for name in known if name.startswith(last)]
