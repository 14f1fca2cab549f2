"""Where words of a page lead: to another place of it, to a file, or to the web; never to code."""

from __future__ import annotations

import re
from collections.abc import Iterator

from esper_audit.report.figures import HeatMap
from esper_audit.report.sections import Page

_LEADS = re.compile(
    r"(?:https://|file:///)[!-~]+|(?:[\w.,@%+-]+/)*[\w.,@%+-]+(?:#[\w-]*)?", re.ASCII
)
"""Addresses of the web and of files, and paths beside the page: no other scheme, no other host."""

_ODD = re.compile(r"[^a-z0-9]+")
_LONGEST = 60


class Addresses:
    """The ids of a page, each once, and what leads to them."""

    def __init__(self, page: Page) -> None:
        self._ids: dict[str, str] = {}
        self._placed: set[str] = set()
        self._taken = {"content", "top", "contents", "filter", "count", "next"}
        for name in dict.fromkeys(_anchors(page)):
            self._ids[name] = self.new(name)

    def place(self, anchor: str) -> str:
        """The id for what stands at an anchor; a second one of the same name gets an own."""
        found = self._ids.get(anchor)
        if found is None or found in self._placed:
            return self.new(anchor)
        self._placed.add(found)
        return found

    def new(self, name: str) -> str:
        """An id that nothing else has."""
        short = _ODD.sub("-", name.lower())[:_LONGEST].strip("-") or "part"
        found, number = short, 1
        while found in self._taken:
            number += 1
            found = f"{short}-{number}"
        self._taken.add(found)
        return found

    def to(self, target: str) -> str | None:
        """What a link to it holds; None where it leads nowhere, or to what a page must not run."""
        anchor = self._ids.get(target) or self._ids.get(target.removeprefix("#"))
        if anchor is not None:
            return f"#{anchor}"
        return target if _LEADS.fullmatch(target) else None


def _anchors(page: Page) -> Iterator[str]:
    for section in page.sections:
        yield section.anchor or section.title
        for figure in section.figures:
            if not isinstance(figure, HeatMap) and figure.anchor:
                yield figure.anchor
