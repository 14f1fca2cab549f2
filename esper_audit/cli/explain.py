"""``esper-audit explain``: the page of a diagnosis, without torch and without a network."""

from __future__ import annotations

import sys
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.completing import rules

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esper_audit.report.manual import Rule


class Written(StrEnum):
    """How a page is printed."""

    RICH = "rich"
    MARKDOWN = "markdown"
    JSON = "json"


def explain(
    *,
    name: Annotated[
        str | None,
        typer.Argument(
            metavar="ID",
            show_default=False,
            autocompletion=rules,
            help="The identifier of a finding, as float-specialized. Without it: list them all.",
        ),
    ] = None,
    form: Annotated[
        Written,
        typer.Option(
            "--format",
            metavar="FORMAT",
            help="Print rich (the default; plain text where stdout is no terminal), markdown or"
            " json.",
        ),
    ] = Written.RICH,
) -> None:
    """Print what a diagnosis means, why it happens and how to fix it.

    The page is part of the installation: no network and no torch are needed.
    """
    from esper_audit.cli.output import stdout
    from esper_audit.cli.stdout import stdout_that_may_end
    from esper_audit.report.manual import find, index

    rules = index() if name is None else [find(name)]
    with stdout_that_may_end("The page", "Print it to a place with free space."):
        if form is Written.JSON:
            _print_json(rules, is_one=name is not None)
        elif form is Written.RICH and stdout().is_terminal:
            _draw(rules, is_one=name is not None)
        elif name is not None:
            sys.stdout.write(rules[0].page)
        else:
            sys.stdout.writelines(f"{rule.id}: {rule.what}\n" for rule in rules)


def _print_json(rules: Sequence[Rule], *, is_one: bool) -> None:
    from esper_audit.data.json_text import json_text

    facts = rules[0].facts if is_one else [rule.facts for rule in rules]
    sys.stdout.write(f"{json_text(facts)}\n")


def _draw(rules: Sequence[Rule], *, is_one: bool) -> None:
    from esper_audit.cli.output import stdout
    from esper_audit.report.text.manual import print_index, print_rule

    if is_one:
        print_rule(rules[0], stdout())
    else:
        print_index(rules, stdout())


COMMAND = command(explain)
