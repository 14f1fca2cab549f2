"""Comments that suppress findings: ``# esper-audit: ignore[ID]`` at the end of the line."""

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

_WORDS = "esper-audit:"
_COMMENT = re.compile(r"#\s*esper-audit:\s*ignore(?:\[([^\]]*)\])?")


@dataclass
class _Comment:
    file: str
    line: int
    ids: tuple[str, ...]
    used: set[str]


class Suppressions:
    """The comments of the files of one scan, and which of them were of use."""

    def __init__(self, files: Iterable[SourceFile]) -> None:
        comments = [made for file in files if _WORDS in file.text for made in _comments(file)]
        self._by_line = {(comment.file, comment.line): comment for comment in comments}

    def take(self, finding: ScanFinding) -> bool:
        """Whether the comment on a finding's line names its diagnosis."""
        place = finding.location
        comment = self._by_line.get((place.file, place.line))
        if comment is None or finding.id not in comment.ids:
            return False
        comment.used.add(finding.id)
        return True

    def notes(self) -> Iterator[SuppressionNote]:
        """What was of no use, or names no diagnosis."""
        for comment in self._by_line.values():
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
    for line, text in _all_comments(file.text):
        found = _COMMENT.search(text)
        if found is not None:
            named = (found[1] or "").split(",")
            ids = tuple(filter(None, (name.strip() for name in named)))
            yield _Comment(file.path, line, ids, set())


def _all_comments(text: str) -> Iterator[tuple[int, str]]:
    """Comments with their lines; what looks like one inside a text is none."""
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
    except (tokenize.TokenError, SyntaxError):
        return
