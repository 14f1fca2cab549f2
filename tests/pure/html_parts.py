"""What a page of HTML is made of, as a browser would read it."""

from __future__ import annotations

import re
from html.parser import HTMLParser

TAGS = frozenset(
    re.findall(
        r"\w+",
        """
        html head meta title style script body a header nav main section h1 h2 h3 p b span div
        ul ol li label input output button table caption thead tbody tfoot tr th td details summary pre
        code mark figure figcaption article svg rect line text
        """,
    )
)
"""All that the renderer writes."""

ATTRIBUTES = frozenset(
    re.findall(
        r"[\w-]+",
        """
        lang charset http-equiv content name class href id hidden type for tabindex role scope open
        aria-label aria-labelledby aria-hidden data-n title x x1 x2 y y1 y2 width
        """,
    )
)

_OPEN = frozenset({"meta", "input"})


class Parts(HTMLParser):
    """Tags, attributes, ids, addresses and scripts; ``wrong`` tells tags that don't match."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[str] = set()
        self.ids: list[str] = []
        self.links: list[str] = []
        self.code: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.headings: list[str] = []
        self.wrong: list[str] = []
        self._path: list[str] = []
        self.feed(page)
        self.close()
        self.wrong += self._path

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        for name, value in attrs:
            self.attributes.add(name)
            if name == "id":
                self.ids.append(value or "")
            elif name == "href":
                self.links.append(value or "")
        if tag in ("h1", "h2"):
            self.headings.append("")
        if tag not in _OPEN:
            self._path.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if not self._path or self._path.pop() != tag:
            self.wrong.append(tag)

    def handle_data(self, data: str) -> None:
        inside = self._path[-1] if self._path else ""
        if inside in ("script", "style"):
            self.code.append((inside, data))
        else:
            self.words.append(data)
        if {"h1", "h2"} & set(self._path):
            self.headings[-1] += data

    def handle_comment(self, data: str) -> None:
        self.wrong.append(data)

    handle_pi = handle_comment
    unknown_decl = handle_comment

    @property
    def text(self) -> str:
        """All words of the page."""
        return "".join(self.words)


def check(page: str) -> Parts:
    """The parts of a page that holds ours alone: no tag, attribute or script of anybody else."""
    parts = Parts(page)
    assert parts.wrong == []
    assert set(parts.tags) <= TAGS
    assert parts.attributes <= ATTRIBUTES
    assert parts.tags.count("script") == parts.tags.count("style") == 1
    assert len(parts.ids) == len(set(parts.ids))
    anchors = {link[1:] for link in parts.links if link.startswith("#")}
    assert anchors <= set(parts.ids)
    others = [link for link in parts.links if not link.startswith(("#", "https://", "file:///"))]
    assert not [link for link in others if ":" in link or link.startswith(("/", "\\"))]
    return parts
