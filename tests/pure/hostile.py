"""Texts that would steer a terminal, a job or a reader, and what must not be left of them."""

from __future__ import annotations

import re

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
