"""How a command is made: its options from the fields of classes, its help in groups."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable, Iterable
from typing import Any, get_type_hints

import typer
from typer.core import TyperCommand

from esper_audit.cli.given import taken_as_given
from esper_audit.cli.stdout import write_text
from esper_audit.errors import UsageError

_HEADINGS = (
    "Arguments",
    "Selection",
    "How code is compiled",
    "How scenarios are replayed",
    "How the program is recorded",
    "How logs are read",
    "Remedies",
    "Baseline",
    "What fails",
    "Report",
    "Options",
)
"""The groups of options, in the order of the help."""

_COLUMN = 26
"""Where the help of an option begins, from the margin of its section."""


_MAY_BE_EMPTY = ("keyword", "reason")
"""An empty expression selects everything; an empty reason is none."""


class Command(TyperCommand):
    """A command whose help shows its options in groups: typer itself does so with rich alone.

    No path, name or number may be empty: an empty path would be the current folder.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        for parameter in self.get_params(ctx):
            taken_as_given(parameter)
        if not ctx.resilient_parsing:  # a shell completes words that are not whole
            self._refuse_empty(ctx, args)
        return super().parse_args(ctx, args)

    def _refuse_empty(self, ctx: Any, args: list[str]) -> None:
        given, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        for parameter in self.get_params(ctx):
            value = given.get(parameter.name)
            if _is_empty(value) and not self.may_be_empty(parameter.name, value):
                raise UsageError(
                    f"{_name(parameter)} is empty.", "Give it a value, or leave it out."
                )

    def may_be_empty(self, name: str, _given: Any) -> bool:
        """Whether a parameter takes the empty text."""
        return name in _MAY_BE_EMPTY

    def get_help_option(self, ctx: Any) -> Any:
        return helping(super().get_help_option(ctx))

    def format_options(self, ctx: Any, formatter: Any) -> None:
        write_options(formatter, self.get_params(ctx))


def _is_empty(given: Any) -> bool:
    """Whether a value, or one of several, is the empty text."""
    return given == "" or (isinstance(given, list | tuple) and "" in given)


def _name(parameter: Any) -> str:
    is_argument = parameter.param_type_name == "argument"
    return str(parameter.metavar if is_argument else max(parameter.opts, key=len))


def helping(option: Any) -> Any:
    """The option ``--help``, whose text goes to stdout as any other of ours."""
    if option is not None:
        option.callback = _help
    return option


def _help(ctx: Any, _option: Any, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        write_text(ctx.get_help(), "The help")
        ctx.exit()


def write_options(formatter: Any, parameters: Iterable[Any]) -> None:
    """Write arguments and options under the headings of their groups."""
    sections: dict[str, list[tuple[str, str]]] = {heading: [] for heading in _HEADINGS}
    for parameter in parameters:
        if not getattr(parameter, "hidden", False):
            sections[_heading(parameter)].append(_row(parameter))
    for heading, rows in sections.items():
        if rows:
            with formatter.section(heading):
                write_rows(formatter, rows, _COLUMN)


def _heading(parameter: Any) -> str:
    panel = getattr(parameter, "rich_help_panel", None)
    if isinstance(panel, str):
        return panel
    return "Arguments" if parameter.param_type_name == "argument" else "Options"


def _row(parameter: Any) -> tuple[str, str]:
    """The names of a parameter with what it takes, and its help."""
    if parameter.param_type_name == "argument":
        return f"{parameter.metavar}{'...' * (parameter.nargs == -1)}", parameter.help or ""
    names = ", ".join(sorted(parameter.opts, key=len))
    off = "".join(f" / {name}" for name in parameter.secondary_opts)
    takes = f" {parameter.metavar}" if parameter.metavar and not parameter.is_flag else ""
    return f"{names}{off}{takes}", parameter.help or ""


def write_rows(formatter: Any, rows: Iterable[tuple[str, str]], column: int) -> None:
    """Write names and sentences side by side; words are never cut, not at a hyphen either."""
    margin = " " * formatter.current_indent
    for name, text in rows:
        lines = textwrap.wrap(
            text,
            max(formatter.width - len(margin) - column, 10),
            break_on_hyphens=False,
            break_long_words=False,
        )
        if len(name) + 2 > column:
            formatter.write(f"{margin}{name}\n")
            name = ""
        for line in lines:
            formatter.write(f"{margin}{name:{column}}{line}\n")
            name = ""


def command(
    function: Callable[..., Any], *groups: type[Any], cls: type[TyperCommand] = Command, **more: Any
) -> Any:
    """The command that calls this function.

    Parameters of the types ``groups`` become the options that the fields of these dataclasses are.
    """
    app = typer.Typer(add_completion=False, rich_markup_mode=None)
    app.command(cls=cls, **more)(with_options(*groups)(function))
    return typer.main.get_command(app)


def with_options(*groups: type[Any]) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function whose parameters of these types are spread into one for each of their fields."""

    from esper_audit.cli.values import checked

    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        hints = get_type_hints(function, include_extras=True)
        names = {name: hint for name, hint in hints.items() if hint in groups}
        own = inspect.signature(function).parameters.values()
        parameters = [
            parameter.replace(
                annotation=checked(parameter.name, hints[parameter.name]),
                kind=parameter.KEYWORD_ONLY,
            )
            for parameter in own
            if parameter.name not in names
        ]
        for group in names.values():
            parameters += _parameters(group)

        @functools.wraps(function)
        def run(**given: Any) -> Any:
            for name, group in names.items():
                fields = group.__dataclass_fields__
                given[name] = group(**{field: given.pop(field) for field in fields})
            return function(**given)

        run.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # typer reads it
        run.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
        return run

    return decorate


def _parameters(group: type[Any]) -> list[inspect.Parameter]:
    from esper_audit.cli.values import checked

    hints = get_type_hints(group, include_extras=True)
    kind = inspect.Parameter.KEYWORD_ONLY
    return [
        inspect.Parameter(
            field.name,
            kind,
            default=field.default,
            annotation=checked(field.name, hints[field.name]),
        )
        for field in group.__dataclass_fields__.values()
    ]
