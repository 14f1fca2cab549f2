"""Texts that would steer a terminal, a job or a reader, and what must not be left of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import groupby

from markdown_it import MarkdownIt
from markdown_it.token import Token

CONTROL = re.compile(
    "[\x00-\x09\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\ufff9-\ufffb\ufffe\uffff\ud800-\udfff\U000e0000-\U000e007f]"
)
"""What no output holds as it is; line feeds are written by renderers."""

HOSTILE = [
    "\x1b[2J\x1b]0;title\x07\x9b31m",
    "\x1b]8;;https://evil.example\x1b\\click\x1b]8;;\x1b\\",
    "a\n::error file=x::b\r\n::set-output name=x::y\x85c\u2028::warning::d\u2029e\vf",
    "::stop-commands::x ##[error]y ##vso[task.complete result=Failed]z %0A::error::",
    "\u202egpj.exe\u2066\u2069\u200e\u200b\ufeff\U000e0041\U000e007f\x00\x7f\x08\t\ufffe\uffff",
    "[red]x[/red] [link=https://evil.example]y[/link] :skull: \\[bold]",
    "</pre><script>alert(1)</script><svg onload=x> & ]]> <!-- --> <?x?> \"'",
    "# h\n\n```\n</details>\n@everyone #123 GH-7 a/b#1 !9 x@y.org www.evil.example https://evil.example",
    "![i](https://evil.example/i.png) [l](javascript:x) <https://evil.example> | ` `` ``` ~~~ $x$ \\",
    "\n\n    code\n\n- item\n\n1. one\n\n/close\n> quote\n===\n***\n| a | b |\n|---|---|",
    "half \ud800 of a pair \udc80",
]

ENCODABLE = [text for text in HOSTILE if "\ud800" not in text]
"""Those that a file can hold."""

_LIVE = re.compile(r"(?<!\w)@\w|\w@\w|#\d|!\d|\bGH-\d|://|\bwww\.|\$", re.IGNORECASE)
_PRESSED = ("link_open", "image", "html_inline", "blockquote_open", "hr")
_OWN_HTML = re.compile(
    r"(?:<!-- esper-audit -->|</?details>|<summary>(?P<title>[^<>]*(?:<code>[^<>]*</code>[^<>]*)*)</summary>|\s)*"
)


def live_in_markdown(text: str) -> list[str]:
    """What a reader of a comment could press, or would be notified by: empty if there is nothing.

    GitHub looks for mentions and links in the text that is left after Markdown, except in code.
    """
    return [said for token in _parsed(text) for said in _live_in(token)]


def _parsed(text: str) -> list[Token]:
    return MarkdownIt("commonmark").enable("table").parse(text)


def _live_in(token: Token) -> Iterator[str]:
    if token.type in _PRESSED or (token.type == "heading_open" and token.tag not in ("h3", "h4")):
        yield f"{token.type}: {token.attrs} {token.content}"
    if token.type == "html_block" and not _OWN_HTML.fullmatch(token.content):
        yield f"html: {token.content}"
    if token.type in ("code_block", "fence") and token.info not in ("console", "diff", "python"):
        yield f"{token.type}: {token.content}"
    if token.type == "inline":
        children = token.children or []
        # Runs of text: what stands on both sides of code is not read as one.
        for is_text, run in groupby(children, lambda child: child.type in ("text", "text_special")):
            said = "".join(child.content for child in run) if is_text else ""
            if _LIVE.search(said):
                yield f"text: {said}"
        for child in children:
            yield from _live_in(child)
