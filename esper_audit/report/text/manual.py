"""A page of the manual, and the list of all, on a terminal."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markdown import Markdown
from rich.table import Table
from rich.theme import Theme

if TYPE_CHECKING:
    from esper_audit.report.manual import Rule

_TITLED = re.compile(r'^```(\w+) title="(.+?)"$', re.MULTILINE)
# The colours of the terminal itself: rich's own bring their background.
_THEME = Theme({"markdown.code": "bold cyan", "markdown.code_block": "cyan"})
_CODE = "ansi_dark"


def print_rule(rule: Rule, console: Console) -> None:
    """Print a page; the titles of its code, which only a web page shows, become lines."""
    titled = _TITLED.sub(r"*\2:*\n\n```\1", rule.text)
    with console.use_theme(_THEME):
        console.print(Markdown(titled, code_theme=_CODE, hyperlinks=False))
    if rule.also:
        console.print("\nSee also:")
    for place in rule.also:  # to be copied, so never wrapped
        console.print(f"  {place}", soft_wrap=True, markup=False)


def print_index(rules: Sequence[Rule], console: Console) -> None:
    """Print one row a rule."""
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(no_wrap=True, style="bold")
    table.add_column(overflow="fold")
    for rule in rules:
        table.add_row(rule.id, rule.what)
    console.print(table)
