"""What to try for an audit: its causes, and the remedies for them, cheapest and safest first.

The order: levers with a narrow reach, patches, levers of the whole process, warm-up and order of
calls, and last what can make output wrong. Two causes that ask for the same remedy share one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest

from esper_audit.data.audits import Audit
from esper_audit.data.compiles import Compile
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.remedies import Cause, Lever, LeverKind, NotMade, Reach, Remedy
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.kinds import AT_A_LIMIT, EAGER
from esper_audit.remedies.combined import together

For = Callable[[Cause, Finding], Sequence[Remedy | NotMade]]
"""The remedies for a cause, best first."""

REACHES = tuple(Reach)
_ORDER = (LeverKind.WARM_UP, LeverKind.EAGER_FIRST)


@dataclass(frozen=True, slots=True)
class Candidates:
    """What to try, in order, and what could not be made."""

    remedies: tuple[Remedy, ...] = ()
    not_made: tuple[NotMade, ...] = ()


def causes_of(audit: Audit) -> tuple[Cause, ...]:
    """The causes that an audit names, those that cost most first."""
    return tuple(cause for cause, _ in _pairs(audit))


def candidates_of(audit: Audit, makers: Iterable[For]) -> Candidates:
    """The remedies for all causes of an audit."""
    makers = tuple(makers)
    found = [made for finding in _told(audit) for made in _for_finding(audit, finding, makers)]
    remedies = _unique(one for one in found if isinstance(one, Remedy))
    made = {remedy.id for remedy in remedies}
    missing = _unique_missing(one for one in found if isinstance(one, NotMade))
    return Candidates(
        tuple(sorted(remedies, key=_place)), tuple(one for one in missing if one.id not in made)
    )


def _told(audit: Audit) -> Iterator[Finding]:
    """The findings that a remedy may be for; a limit comes after what led to it."""
    found = (finding for finding in audit.findings if _fails(finding, audit))
    yield from sorted(found, key=lambda finding: finding.id in AT_A_LIMIT)


def _fails(finding: Finding, audit: Audit) -> bool:
    """Whether it may have failed the audit: not a graph break, or eager code of warm-up, alone."""
    if audit.fail_on:
        return True
    if finding.id is Diagnosis.GRAPH_BREAK:
        return audit.budget.graph_breaks is not None
    steady = [step for step in audit.steps if step.phase is Phase.STEADY]
    return finding.id not in EAGER or any(step.eager is finding.id for step in steady)


def _pairs(audit: Audit) -> Iterator[tuple[Cause, Finding]]:
    for finding in _told(audit):
        yield from _causes(finding, audit.recording.compiles)


def _causes(finding: Finding, compiles: Sequence[Compile]) -> Iterator[tuple[Cause, Finding]]:
    """One for each source that failed, with the finding as that source's."""
    for source in finding.sources or (finding.source,):
        cause = Cause(
            id=finding.id,
            frame=finding.frame,
            source=source,
            torch_source=_torch_source(source, finding, compiles),
        )
        yield cause, finding if source == finding.source else replace(finding, source=source)


def _torch_source(source: str, finding: Finding, compiles: Sequence[Compile]) -> str:
    """As torch names it in the guard failures of this frame, else in those of any."""
    known = [
        (compile_.frame.key == finding.frame.key, failure.torch_source)
        for compile_ in compiles
        for failure in compile_.guard_failures
        if failure.source == source and failure.torch_source
    ]
    own = (name for is_own, name in known if is_own)
    return next(own, known[0][1] if known else "")


def _for_finding(
    audit: Audit, finding: Finding, makers: Sequence[For]
) -> Iterator[Remedy | NotMade]:
    """Sources that failed together are freed together: of one, another would fail alone."""
    pairs = list(_causes(finding, audit.recording.compiles))
    for make in makers:
        by_source = [list(make(cause, own)) for cause, own in pairs]
        if len(by_source) > 1:
            yield from _joint(by_source)
        yield from (one for found in zip_longest(*by_source) for one in found if one is not None)


def _joint(by_source: Sequence[Sequence[Remedy | NotMade]]) -> Iterator[Remedy]:
    """For each kind of remedy that every source has: the first of each, in one."""
    firsts: list[dict[str, Remedy]] = []
    for found in by_source:
        remedies = [one for one in found if isinstance(one, Remedy)]
        firsts.append({one.id: one for one in reversed(remedies)})
    for name in (one.id for one in by_source[0] if isinstance(one, Remedy)):
        parts = [known[name] for known in firsts if name in known]
        joint = together(parts) if len(parts) == len(firsts) else None
        if joint is not None:
            yield replace(joint, id=name)


def _unique(remedies: Iterable[Remedy]) -> list[Remedy]:
    """Each change once, covering the causes of all that ask for it."""
    found: dict[object, Remedy] = {}
    for remedy in remedies:
        known = found.setdefault(changed_by(remedy), remedy)
        covers = tuple(dict.fromkeys((*known.covers, *remedy.covers)))
        found[changed_by(remedy)] = replace(known, covers=covers)
    return list(found.values())


def changed_by(remedy: Remedy) -> tuple[tuple[Lever, ...], tuple[tuple[str, str], ...]]:
    """What a remedy changes: the same levers and texts are the same remedy."""
    return remedy.levers, tuple((edit.file, edit.after) for edit in remedy.edits)


def _unique_missing(missing: Iterable[NotMade]) -> Iterator[NotMade]:
    """Each kind once, with its first ground, for the causes of all."""
    found: dict[str, NotMade] = {}
    for one in missing:
        known = found.setdefault(one.id, one)
        covers = tuple(dict.fromkeys((*known.covers, *one.covers)))
        found[one.id] = replace(known, covers=covers)
    return iter(found.values())


def _place(remedy: Remedy) -> tuple[int, int]:
    return group_of(remedy), REACHES.index(remedy.reach) if not remedy.edits else 0


def group_of(remedy: Remedy) -> int:
    """0 narrow levers, 1 edits, 2 levers of the process, 3 warm-up and order, 4 unsafe."""
    if remedy.unsafe:
        return 4
    if any(lever.kind in _ORDER for lever in remedy.levers):
        return 3
    if remedy.edits:
        return 1
    # What is for one frame is a debugging setting of the process, by torch's number of the frame.
    return 2 if remedy.reach in (Reach.FRAME, Reach.PROCESS) else 0
