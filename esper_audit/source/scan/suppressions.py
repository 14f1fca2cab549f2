"""Comments that suppress findings: ``# esper-audit: ignore[ID]`` at the end of the line.

At the end of a statement of several lines, where formatters put it, it counts for all of them.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Location
from esper_audit.data.scans import ScanFinding, SuppressionNote, SuppressionTrouble
from esper_audit.source.project import SourceFile

_NO_STATEMENT = (tokenize.COMMENT, tokenize.NL, tokenize.INDENT, tokenize.DEDENT)
_WORDS = "esper-audit:"
_COMMENT = re.compile(
    r"#\s*esper-audit:\s*(?:ignore(?:\[([^\]]*)\])?|disable|noqa|skip)", re.IGNORECASE
)
"""Words of other tools suppress nothing, but somebody thought they would: they are reported."""


@dataclass
class _Comment:
    file: str
    first: int
    line: int
    ids: tuple[str, ...]
    used: set[str]


class Suppressions:
    """The comments of the files of one scan, and which of them were of use."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        comments = [
            made for file in files if _WORDS in file.text.lower() for made in _comments(file)
        ]
        self._comments = comments
        self._by_line: dict[tuple[str, int], list[_Comment]] = {}
        for comment in comments:
            for line in range(comment.first, comment.line + 1):
                self._by_line.setdefault((comment.file, line), []).append(comment)

    def take(self, finding: ScanFinding) -> bool:
        """Whether a comment on a finding's line names its diagnosis."""
        place = finding.location
        for comment in self._by_line.get((place.file, place.line), ()):
            if finding.id in comment.ids:
                comment.used.add(finding.id)
                return True
        return False

    def notes(self) -> Iterator[SuppressionNote]:
        """What was of no use, or names no diagnosis."""
        for comment in self._comments:
            location = Location(comment.file, comment.line)
            for name in comment.ids or ("",):
                if name not in list(Diagnosis):
                    trouble = SuppressionTrouble.UNKNOWN
                elif name not in comment.used:
                    trouble = SuppressionTrouble.UNUSED
                else:
                    continue
                yield SuppressionNote(location=location, text=name, trouble=trouble)


def _comments(file: SourceFile) -> Iterator[_Comment]:
    for first, line, text in _all_comments(file.text):
        found = _COMMENT.findall(text)
        if found:
            named = (name.strip() for one in found for name in one.split(","))
            ids = tuple(dict.fromkeys(filter(None, named)))
            yield _Comment(file.path, first, line, ids, set())


def _all_comments(text: str) -> Iterator[tuple[int, int, str]]:
    """Comments, from which line to which each counts; what looks like one in a text is none."""
    first, at_end = 0, None
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.NEWLINE and at_end is not None:
                yield first or at_end.start[0], at_end.start[0], at_end.string
            elif at_end is not None:  # the statement goes on, or there is none
                yield at_end.start[0], at_end.start[0], at_end.string
            at_end = token if token.type == tokenize.COMMENT else None
            if token.type == tokenize.NEWLINE:
                first = 0
            elif token.type not in _NO_STATEMENT and not first:
                first = token.start[0]
    except (tokenize.TokenError, SyntaxError):
        return
