"""The whole file: its head, the answer, the contents, the sections, and how it closes."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterator
from functools import cache
from hashlib import sha256
from importlib.resources import files

from esper_audit.data.storage import Document
from esper_audit.report.html.addresses import Addresses
from esper_audit.report.html.blocks import blocks, items, line, pre
from esper_audit.report.html.figures import figure
from esper_audit.report.html.markup import NOTHING, Markup, tag, text, together
from esper_audit.report.made_by import command_of
from esper_audit.report.sections import Closing, Page, Section, Style
from esper_audit.report.words.guards import shortened

_MARKS = {Style.GOOD: "✓ ", Style.BAD: "✗ ", Style.DOUBTFUL: "! "}
_LONGEST_TITLE = 120
_CONTENTS_FROM = 2
"""Sections: a page with fewer has no contents."""


def html(page: Page, document: Document) -> str:
    """One file, complete without a network. Its policy allows its own style and script alone."""
    addresses = Addresses(page)
    body = tag("body", _skip(), *_body(page, document, addresses), _script())
    whole = tag("html", _head(page), body, lang="en")
    return f"<!DOCTYPE html>\n{whole}\n"


def _head(page: Page) -> Markup:
    title = page.headline[0].line.text if page.headline else ""
    return tag(
        "head",
        tag("meta", charset="utf-8"),
        tag("meta", http_equiv="Content-Security-Policy", content=policy()),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("meta", name="referrer", content="no-referrer"),
        tag("title", f"esper-audit: {shortened(title, _LONGEST_TITLE)}"),
        tag("style", resource("style.css")),
    )


def policy() -> str:
    """What a browser may load or run: nothing from outside, and of the inside what we wrote."""
    style, script = (_digest(resource(name)) for name in ("style.css", "page.js"))
    return (
        f"default-src 'none'; style-src '{style}'; script-src '{script}'; img-src data:;"
        " base-uri 'none'; form-action 'none'"
    )


def _digest(content: str) -> str:
    return f"sha256-{b64encode(sha256(content.encode()).digest()).decode()}"


@cache
def resource(name: str) -> Markup:
    """A file of this package, to be put into a page as it is."""
    return Markup((files(__package__) / name).read_text("utf-8"))


def _script() -> Markup:
    return tag("script", resource("page.js"))


def _skip() -> Markup:
    return tag("a", "Skip to the findings", class_="skip", href="#content")


def _body(page: Page, document: Document, addresses: Addresses) -> Iterator[Markup]:
    closing = page.closing
    command = tag("p", "esper-audit ", tag("b", command_of(document)), class_="tool")
    facts = tag("p", line(closing.facts, addresses), class_="facts") if closing.facts else NOTHING
    yield tag("header", command, *_answer(page, addresses), facts, id="top")
    sections = [
        (addresses.place(section.anchor or section.title), section) for section in page.sections
    ]
    yield _contents(sections)
    shown = (_section(place, section, addresses) for place, section in sections)
    yield tag("main", _tools(), *shown, _next(closing, addresses), id="content", tabindex=-1)


def _answer(page: Page, addresses: Addresses) -> Iterator[Markup]:
    for place, headline in enumerate(page.headline):
        style = next((s.style for s in headline.line.spans if s.style in _MARKS), Style.PLAIN)
        mark = tag("span", _MARKS[style], class_=style.value) if style in _MARKS else NOTHING
        said = (mark, text(headline.line.text))
        yield tag("p", *said, class_="answer") if place else tag("h1", *said)
        yield items(headline.under, addresses)
    verdict = page.closing.verdict
    if verdict is not None and verdict.text not in {said.line.text for said in page.headline}:
        yield tag("p", line(verdict, addresses), class_="verdict")


def _contents(sections: list[tuple[str, Section]]) -> Markup:
    if len(sections) < _CONTENTS_FROM:
        return NOTHING
    rows = (tag("li", tag("a", section.title, href=f"#{place}")) for place, section in sections)
    return tag("nav", tag("ol", *rows), id="contents", aria_label="Contents")


def _tools() -> Markup:
    """What needs the script, and is shown by it."""
    field = (tag("label", "Filter", for_="filter"), Markup("<input id=filter type=search>"))
    count = tag("output", id="count", for_="filter")
    buttons = (
        tag("button", said, type="button", id=name)
        for name, said in (("unfold", "Unfold all"), ("fold", "Fold all"), ("theme", "Dark"))
    )
    return tag("div", *field, count, *buttons, id="tools", role="search", hidden=True)


def _section(place: str, section: Section, addresses: Addresses) -> Markup:
    figures = (figure(found, section.title, addresses) for found in section.figures)
    notes = (tag("p", line(note, addresses), class_="note") for note in section.notes)
    return tag(
        "section",
        tag("h2", section.title, id=place),
        *notes,  # how to read it, before what may be longer than a screen
        *figures,
        *blocks(section.body, section.title, addresses),
        aria_labelledby=place,
    )


def _next(closing: Closing, addresses: Addresses) -> Markup:
    shown = [
        together((tag("p", following.lead), pre(text(following.command), "console")))
        for following in closing.commands
    ]
    about = tag("p", line(closing.about, addresses)) if closing.about is not None else NOTHING
    if not shown and not about:
        return NOTHING
    return tag("section", tag("h2", "Next", id="next"), about, *shown, aria_labelledby="next")
