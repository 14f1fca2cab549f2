"""What the configuration asks of a scan: files that are left out, diagnoses that are ignored."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePath

from esper_audit.data.scans import ScanFinding


@dataclass(frozen=True)
class Chosen:
    """``exclude`` and the keys of ``rules`` are patterns of paths from ``root`` on: ``tests/*``.

    A pattern also matches by the name of a file or folder alone. ``rules`` gives the diagnoses
    that are ignored in such files; those of the empty pattern are ignored everywhere.
    """

    root: str
    exclude: Iterable[str] = ()
    rules: Mapping[str, Iterable[str]] = ()  # type: ignore[assignment]  # empty, and immutable

    def leaves_out(self, file: str) -> bool:
        """Whether a file is not scanned."""
        return any(self._matches(file, pattern) for pattern in self.exclude)

    def ignores(self, finding: ScanFinding) -> bool:
        """Whether a finding is left out."""
        return any(
            finding.id in ids and (not pattern or self._matches(finding.location.file, pattern))
            for pattern, ids in dict(self.rules).items()
        )

    def _matches(self, file: str, pattern: str) -> bool:
        path = PurePath(file)
        inside = path.relative_to(self.root) if path.is_relative_to(self.root) else path
        pattern = pattern.rstrip("/")
        folders = [str(folder) for folder in inside.parents][:-1]
        if any(fnmatchcase(one, pattern) for one in (str(inside), *folders)):
            return True
        return "/" not in pattern and any(fnmatchcase(part, pattern) for part in inside.parts)
