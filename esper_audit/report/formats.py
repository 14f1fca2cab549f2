"""The formats of a report, and where one goes: chosen by name, imported when it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.errors import UsageError
from esper_audit.report.words.commands import NOTHING_TYPED, Typed

if TYPE_CHECKING:
    from rich.console import Console

    from esper_audit.data.storage import Document

_NAME = re.compile(r"[A-Za-z]+")


class MadeOf(Enum):
    """What a format's renderer takes: the sections for readers, the cases for machines, or all."""

    PAGE = auto()
    CASES = auto()
    DOCUMENT = auto()


class Format(StrEnum):
    """How a report is written: name, suffixes of its files, what it is made of, its renderer.

    A renderer is ``module:function``, imported when it is needed. It takes the page and a width in
    columns (None: unwrapped), the cases, or the document, and returns text. To add a format, write
    a renderer and name it here.
    """

    made_of: MadeOf
    suffixes: tuple[str, ...]
    renderer: str

    def __new__(
        cls, name: str, made_of: MadeOf, renderer: str, suffixes: tuple[str, ...] = ()
    ) -> Format:
        """A member of the registry."""
        member = str.__new__(cls, name)
        member._value_ = name
        member.made_of, member.renderer, member.suffixes = made_of, renderer, suffixes
        return member

    RICH = "rich", MadeOf.PAGE, "text.terminal:drawn", (".ansi",)
    PLAIN = "plain", MadeOf.PAGE, "text.plain:plain", (".txt",)
    JSON = "json", MadeOf.DOCUMENT, "ci.saved:saved", (".json",)
    MARKDOWN = "markdown", MadeOf.PAGE, "text.markdown:markdown", (".md",)
    JUNIT = "junit", MadeOf.CASES, "ci.junit:junit", (".xml",)
    SARIF = "sarif", MadeOf.CASES, "ci.sarif:sarif", (".sarif",)
    GITHUB = "github", MadeOf.CASES, "ci.github:github"


_TAKES = f"It takes FORMAT=FILE with {', '.join(Format)}."


@dataclass(frozen=True)
class Output:
    """A file that a report is written to."""

    format: Format
    path: Path


def parse_outputs(texts: Iterable[str], default: Format = Format.JSON) -> tuple[Output, ...]:
    """``FORMAT=FILE`` or ``FILE``; raises UsageError for a format that is none."""
    found = []
    known = {form.value: form for form in Format}
    for text in texts:
        name, equals, file = text.partition("=")
        if not equals or not _NAME.fullmatch(name):
            found.append(Output(default, Path(text)))
        elif name not in known:
            raise UsageError(f"--output knows no format {name!r}.", _TAKES)
        elif not file:
            raise UsageError(f"--output {text} has no file.", _TAKES)
        else:
            found.append(Output(known[name], Path(file)))
    return tuple(found)


def render(
    document: Document,
    form: Format,
    verbosity: int = 0,
    width: int | None = None,
    typed: Typed = NOTHING_TYPED,
) -> str:
    """The whole report as text; a format for reading is ``width`` columns wide, or unwrapped."""
    module, _, name = form.renderer.partition(":")
    renderer = getattr(import_module(f"esper_audit.report.{module}"), name)
    if form.made_of is MadeOf.DOCUMENT:
        made = renderer(document)
    elif form.made_of is MadeOf.CASES:
        from esper_audit.report.ci.cases import cases

        made = renderer(cases(document))
    else:
        from esper_audit.report.build import page

        made = renderer(page(document, verbosity, typed), width)
    return str(made)


def print_document(
    document: Document, console: Console, verbosity: int = 0, typed: Typed = NOTHING_TYPED
) -> None:
    """Print a report of any kind on a terminal."""
    from esper_audit.report.build import page
    from esper_audit.report.text.terminal import print_page

    print_page(page(document, verbosity, typed), console)
