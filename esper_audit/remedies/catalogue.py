"""All remedies that are known for the audits of a project: levers and patches."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from esper_audit.data.audits import Audit
from esper_audit.data.findings import Finding
from esper_audit.data.remedies import Cause, NotMade, Remedy
from esper_audit.data.text import to_json
from esper_audit.remedies.candidates import Candidates, For, candidates_of
from esper_audit.remedies.levers import levers_for
from esper_audit.remedies.search import Make

if TYPE_CHECKING:
    from esper_audit.source.project import Project


Levers = Callable[[Cause, Audit], Sequence[Remedy | NotMade]]


def maker(root: str, levers_of: Levers = levers_for) -> Make:
    """Candidates for audits of the project in ``root``.

    A patch that several audits ask for is made once: its files are read and changed once.
    """
    patches = _Patches(root)

    def make(audit: Audit, texts: Mapping[str, str]) -> Candidates:
        def levers(cause: Cause, _: Finding) -> Sequence[Remedy | NotMade]:
            return levers_of(cause, audit)

        return candidates_of(audit, (levers, patches.of(texts)))

    return make


class _Patches:
    """The patches of one project, by what they were asked for."""

    def __init__(self, root: str) -> None:
        self._root = root
        self._project: Project | None = None
        self._made: dict[object, tuple[Remedy | NotMade, ...]] = {}

    def of(self, texts: Mapping[str, str]) -> For:
        """The patches of files with these texts, else of those on disk."""
        if texts:
            return _patches(self._changed(texts))

        make = None

        def known(cause: Cause, finding: Finding) -> Sequence[Remedy | NotMade]:
            nonlocal make
            key = (cause, _asked(finding))
            if key not in self._made:
                make = make or _patches(self._as_it_is())
                self._made[key] = tuple(make(cause, finding))
            return self._made[key]

        return known

    def _as_it_is(self) -> Project:
        from esper_audit.source.project import Project  # reading source is slow to load

        if self._project is None:
            self._project = Project(self._root)
        return self._project

    def _changed(self, texts: Mapping[str, str]) -> Project:
        from esper_audit.source.project import Project

        return Project(self._root, self._as_it_is().files, dict(texts))


def _patches(project: Project) -> For:
    from esper_audit.remedies.patches import patches_for

    return lambda cause, finding: patches_for(cause, finding, project)


def _asked(finding: Finding) -> bytes:
    """What a patch may depend on: not what the recompiles cost."""
    return to_json(replace(finding, seconds=0.0, during=(), forecast=None, compiles=0))
