"""The formats of a report, and where one goes: chosen by name, imported when it is needed."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, StrEnum, auto
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

from esper_audit.errors import UsageError, did_you_mean
from esper_audit.report.words.commands import NOTHING_TYPED, Typed

if TYPE_CHECKING:
    from rich.console import Console

    from esper_audit.data.storage import Document
    from esper_audit.report.sections import Page

_NAME = re.compile(r"[A-Za-z-]+")


class MadeOf(Enum):
    """What a format's renderer takes: the sections for readers, the cases for machines, or all.

    ``PICTURES`` are the sections with their figures, and the document.
    """

    PAGE = auto()
    PICTURES = auto()
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
    CHROME_TRACE = (
        "chrome-trace",
        MadeOf.DOCUMENT,
        "timeline.chrome_trace:chrome_trace",
        (".trace.json",),
    )
    HTML = "html", MadeOf.PICTURES, "html.document:html", (".html",)
    JUNIT = "junit", MadeOf.CASES, "ci.junit:junit", (".xml",)
    SARIF = "sarif", MadeOf.CASES, "ci.sarif:sarif", (".sarif", ".sarif.json")
    GITHUB = "github", MadeOf.CASES, "ci.github:github"
    CONCISE = "concise", MadeOf.CASES, "ci.concise:concise"


SUFFIXES = {suffix: form for form in Format for suffix in form.suffixes}
"""What a file's name says of its format; the longest suffix counts."""

_ALSO = {(Format.SARIF, Format.JSON), (Format.CHROME_TRACE, Format.JSON)}
"""A format that a suffix of another one may hold, too: SARIF is JSON, and so is a timeline."""


@dataclass(frozen=True)
class Output:
    """A file that a report is written to."""

    format: Format
    path: Path


def saved(path: Path | None) -> tuple[Output, ...]:
    """The file of ``--save``, where one is given: JSON, whatever its name."""
    return (Output(Format.JSON, path),) if path is not None else ()


def parse_outputs(texts: Iterable[str]) -> tuple[Output, ...]:
    """``FORMAT=FILE``, or a ``FILE`` whose suffix says the format.

    Raises UsageError for an unknown format, and for a suffix that is unknown or of another one.
    """
    return tuple(map(_parse_output, texts))


def _parse_output(text: str) -> Output:
    name, equals, file = text.partition("=")
    if not equals or not _NAME.fullmatch(name):
        return Output(_format_of(text), Path(text))
    name = name.lower()
    if name not in list(Format):
        raise UsageError(
            f"--output: unknown format {name!r}{did_you_mean(name, list(Format))}.",
            f"Formats: {', '.join(Format)}.",
        )
    if not file:
        raise UsageError(f"--output {text} has no file.", "Give it as FORMAT=FILE.")
    form = next(known for known in Format if known == name)
    _check_suffix(form, file)
    return Output(form, Path(file))


def suffix_of(file: str) -> str:
    """The known suffix that a file's name ends in; empty where it ends in none."""
    known = [suffix for suffix in SUFFIXES if file.lower().endswith(suffix)]
    return max(known, key=len, default="")


def _format_of(file: str) -> Format:
    suffix = suffix_of(file)
    if suffix:
        return SUFFIXES[suffix]
    told = ", ".join(f"{suffix} ({form})" for suffix, form in SUFFIXES.items())
    raise UsageError(
        f"--output: the name {file!r} does not tell the format of the report.",
        f"Use a known suffix: {told}; or write --output FORMAT=FILE with {', '.join(Format)}.",
    )


def _check_suffix(form: Format, file: str) -> None:
    suffix = suffix_of(file)
    meant = SUFFIXES.get(suffix, form)
    if meant is not form and (form, meant) not in _ALSO:
        raise UsageError(
            f"--output: {file!r} would hold {form}, but the suffix {suffix} means {meant}.",
            f"Write {meant}={file}, or give the file another suffix.",
        )


def check_drawable(document: Document | None, forms: Iterable[Format]) -> None:
    """Raise UsageError where a timeline is asked for and the document holds no recording.

    None stands for a document that is yet to be made, and will hold none.
    """
    from esper_audit.data.audits import ProgramReport, Report

    if Format.CHROME_TRACE in forms and not isinstance(document, Report | ProgramReport):
        raise UsageError(
            f"The format {Format.CHROME_TRACE} draws recordings, and this report holds none.",
            "Draw what run, exec or import has saved: esper-audit show FILE --format"
            f" {Format.CHROME_TRACE}.",
        )


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
    elif form.made_of is MadeOf.PICTURES:
        made = renderer(_pictured(document, verbosity, typed), document)
    else:
        from esper_audit.report.build import page

        made = renderer(page(document, verbosity, typed), width)
    return str(made)


def _pictured(document: Document, verbosity: int, typed: Typed) -> Page:
    """A page that folds what is long, so that it holds everything unless the answer is enough."""
    from esper_audit.report.build import page
    from esper_audit.report.pictures import with_figures

    whole = verbosity if verbosity < 0 else max(verbosity, 1)
    return with_figures(document, page(document, whole, typed), whole)


def print_document(
    document: Document, console: Console, verbosity: int = 0, typed: Typed = NOTHING_TYPED
) -> None:
    """Print a report of any kind on a terminal."""
    from esper_audit.report.build import page
    from esper_audit.report.text.links import links_for
    from esper_audit.report.text.terminal import print_page

    print_page(page(document, verbosity, typed), console, links_for(document, console))


def print_lines(document: Document, form: Format, console: Console) -> None:
    """Print a format of whole lines on a terminal, which wraps them itself."""
    from rich.text import Text

    from esper_audit.report.text.links import links_for

    text = Text(render(document, form))
    console.print(links_for(document, console).add_to(text), soft_wrap=True, end="")
