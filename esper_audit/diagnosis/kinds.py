"""The kinds that ``--fail-on`` takes: one table for every command, and for pytest.

Worked example: ``--fail-on limit,size-changed`` fails where a recompile limit was hit
or a size changed. ``worse`` is in the table, too, but only the gate compares audits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.changes import ChangeKind
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.reasons import Reason, Why
from esper_audit.errors import UsageError, did_you_mean

EAGER = (
    Diagnosis.EAGER_AFTER_LIMIT,
    Diagnosis.EAGER_EMPTY_GRAPH,
    Diagnosis.EAGER_DISPATCH_MODE,
    Diagnosis.EAGER_UNSUPPORTED,
    Diagnosis.EAGER_DISABLED,
    Diagnosis.EAGER_OUTSIDE_GRAPH,
    Diagnosis.EAGER_UNEXPLAINED,
    Diagnosis.COMPILE_FAILED,
)
"""Code that was compiled, or should have been, ran eagerly. A refused call did not run at all."""

AT_A_LIMIT = (Diagnosis.EAGER_AFTER_LIMIT, Diagnosis.COMPILE_REFUSED)
"""What comes of a recompile limit: eager code, or with fullgraph an error."""

_NO_CAUSES = (*EAGER, *AT_A_LIMIT, Diagnosis.STALE_OUTPUT, Diagnosis.GRAPH_BREAK)
CAUSES = tuple(name for name in Diagnosis if name not in (*_NO_CAUSES, Diagnosis.RANKS_DIFFER))
"""Why a guard failed, and torch recompiled."""


class Door(StrEnum):
    """Where ``--fail-on`` is given."""

    RUN = "run"
    EXEC = "exec"
    IMPORT = "import"
    GATE = "gate"
    PYTEST = "pytest"


@dataclass(frozen=True, slots=True)
class Kind:
    """One word of ``--fail-on``: the diagnoses that it selects, and where it can be given.

    A kind of change selects no diagnosis: the gate compares, and knows what changed.
    """

    what: str
    diagnoses: tuple[Diagnosis, ...] = ()
    selects: Callable[[Finding], bool] = lambda _: True
    doors: tuple[Door, ...] = tuple(Door)
    elsewhere: str = ""


def _needs_a_recompile(finding: Finding) -> bool:
    """Made, refused, or past a limit: none of the existing cache entries matched the call."""
    return finding.id in CAUSES or finding.refused > 0 or finding.limit_hit


def _hit_a_limit(finding: Finding) -> bool:
    return finding.limit_hit


_GROUPS = {
    "recompile": Kind(
        "a recompile, also one that torch refused or that a limit prevented",
        (*CAUSES, *AT_A_LIMIT),
        _needs_a_recompile,
    ),
    "eager": Kind("code that was to be compiled ran eagerly", EAGER),
    "limit": Kind("a recompile limit was hit", AT_A_LIMIT, _hit_a_limit),
}
_DOORS = {
    Diagnosis.STALE_OUTPUT: (
        (Door.RUN, Door.GATE),
        "takes a comparison with eager execution, which run and gate make",
    ),
    Diagnosis.RANKS_DIFFER: (
        (),
        "takes the recordings of several ranks: `show FOLDER` ends with 1",
    ),
}
_ALWAYS = (ChangeKind.ERROR, ChangeKind.SAME)
CHANGES = tuple(kind for kind in ChangeKind if kind not in _ALWAYS)
"""The kinds of change that a gate can fail on, or pass."""


def _of_diagnosis(diagnosis: Diagnosis) -> Kind:
    doors, elsewhere = _DOORS.get(diagnosis, (tuple(Door), ""))
    return Kind(f"the diagnosis {diagnosis}", (diagnosis,), doors=doors, elsewhere=elsewhere)


KINDS: dict[str, Kind] = {
    **_GROUPS,
    **{diagnosis.value: _of_diagnosis(diagnosis) for diagnosis in Diagnosis},
    **{
        change.value: Kind(
            f"the change {change}",
            doors=(Door.GATE,),
            elsewhere="is a kind of change, which only gate compares",
        )
        for change in CHANGES
    },
}


def is_of_kind(finding: Finding, name: str) -> bool:
    """Whether a finding is of a kind of the table."""
    kind = KINDS[name]
    return finding.id in kind.diagnoses and kind.selects(finding)


def failures_of(findings: Iterable[Finding], names: Iterable[str]) -> Iterator[Reason]:
    """For each kind that was found, the kind and the frames that it was found in."""
    findings = tuple(findings)
    for name in names:
        found = [finding for finding in findings if is_of_kind(finding, name)]
        if found:
            frames = tuple(dict.fromkeys(finding.frame.name for finding in found))
            yield Reason(why=Why.KIND_FOUND, text=name, names=frames)


def kinds_at(door: Door) -> tuple[str, ...]:
    """The names of the kinds that can be given here: groups first, then all others."""
    return tuple(name for name, kind in KINDS.items() if door in kind.doors)


def parse_kinds(text: str | None, door: Door, option: str = "--fail-on") -> tuple[str, ...]:
    """The kinds in ``KIND[,KIND]``, each once; none where the option was not given.

    Raises UsageError for a kind that this door refuses, and for a text without any: that would
    check nothing.
    """
    if text is None:
        return ()
    names = dict.fromkeys(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise UsageError(f"{option} names no kind.", f"Kinds: {', '.join(kinds_at(door))}.")
    return check_kinds(names, door, option)


def check_kinds(names: Iterable[str], door: Door, option: str = "--fail-on") -> tuple[str, ...]:
    """The names as they are; raises UsageError for one that can't be given here."""
    names = tuple(names)
    known = kinds_at(door)
    hint = f"Kinds: {', '.join(known)}."
    for name in names:
        if name in known:
            continue
        if name in KINDS:
            why = KINDS[name].elsewhere
            raise UsageError(f"{option}: {name!r} can't be given here: it {why}.", hint)
        raise UsageError(f"{option}: unknown kind {name!r}{did_you_mean(name, known)}.", hint)
    return names
