"""File and line as links (OSC 8), in terminals that know them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from rich.console import Console
from rich.style import Style
from rich.text import Text

from esper_audit.data.clean import clean
from esper_audit.data.files import is_file
from esper_audit.data.places import Location
from esper_audit.data.storage import Document
from esper_audit.report.ci.problems import Problem
from esper_audit.report.words.paths import reachable, short_file

_NAMED = ("iTerm.app", "WezTerm", "vscode", "ghostty", "Hyper", "Tabby", "rio", "WarpTerminal")
_TERMS = ("xterm-kitty", "xterm-ghostty", "alacritty", "foot", "contour", "wezterm")
_VARIABLES = ("WT_SESSION", "KONSOLE_VERSION", "DOMTERM", "KITTY_WINDOW_ID")
_FIRST_VTE = 5000
"""Of VTE, GNOME's terminal: the first version whose links are no danger to it."""


class Links:
    """Where each file and line that a report names leads."""

    def __init__(self, places: Mapping[str, str]) -> None:
        """``places``: what is shown, as ``slot.py:49``, and its address."""
        self._places = places
        longest_first = sorted(places, key=len, reverse=True)
        names = "|".join(map(re.escape, longest_first))
        self._named = re.compile(rf"(?<![\w./-])(?:{names})(?!\d)") if places else None

    def add_to(self, text: Text) -> Text:
        """The text, with each place that it names as a link."""
        for found in self._named.finditer(text.plain) if self._named is not None else ():
            text.stylize(Style(link=self._places[found[0]]), found.start(), found.end())
        return text


NO_LINKS = Links({})


def links_for(document: Document, console: Console) -> Links:
    """Those of a report; none where the terminal does not know links."""
    return Links(dict(_places(document))) if knows_links(console) else NO_LINKS


def knows_links(console: Console, environment: Mapping[str, str] = os.environ) -> bool:
    """Whether a terminal shows links instead of their escapes; there is no way to ask it.

    FORCE_HYPERLINK says so (``0``: it does not), as it does for other tools.
    """
    is_plain = console.no_color or console.is_dumb_terminal or console.color_system is None
    if not console.is_terminal or console.legacy_windows or is_plain:
        return False
    forced = environment.get("FORCE_HYPERLINK", "")
    if forced:
        return forced != "0"
    version = environment.get("VTE_VERSION", "")
    return (
        environment.get("TERM_PROGRAM") in _NAMED
        or environment.get("TERM", "").startswith(_TERMS)
        or any(environment.get(name) for name in _VARIABLES)
        or (version.isdecimal() and int(version) >= _FIRST_VTE)
    )


def _places(document: Document) -> Iterator[tuple[str, str]]:
    """Each place as the formats write it, with its address, where the file is on this machine."""
    from esper_audit.report.ci.cases import cases  # most terminals know no links

    whole = cases(document)
    for place in _locations(whole.problems):
        address = address_of(place, whole.root)
        if address:
            for file in (short_file(place.file, whole.root), reachable(place.file, whole.root)):
                yield clean(f"{file}:{place.line}"), address


def _locations(problems: Iterable[Problem]) -> Iterator[Location]:
    for problem in problems:
        yield from [problem.location] if problem.location is not None else []
        yield from (related.location for related in problem.related)


def address_of(place: Location, root: str) -> str:
    """``file:///p/slot.py#49``, all escaped that is no plain character; empty without a file."""
    try:
        path = Path(root, place.file)
        return f"{path.as_uri()}#{place.line}" if path.is_absolute() and is_file(path) else ""
    except (OSError, ValueError):  # a name that no file can have
        return ""
