"""Root causes: the change of state that explains why no cache entry matched."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from esper_audit.events import Compile, GuardFailure, Outcome, Phase
from esper_audit.findings import Finding, JudgedStep, Pattern, StepVerdict

_FIELD = re.compile(r"(\w+)=")
_CAUSED = (Outcome.RECOMPILED, Outcome.LIMIT)


def closest_failures(compile_: Compile) -> tuple[GuardFailure, ...]:
    """The failures that kept the closest cache entry from matching.

    Closest is the entry with the fewest failing guards, and of the fewest words where one guard
    stands for several fields: the smallest change of state would have made it match. A failure
    whose actual value another entry accepts is no cause by itself, so entries whose failures no
    entry accepts go first. Of the ticket's cache, this is the alpha value: other entries accept
    ``None`` for the cached tensor, none accepts the new alpha.
    """
    entries: dict[str, list[GuardFailure]] = defaultdict(list)
    for failure in compile_.guard_failures:
        entries[failure.cache_entry].append(failure)
    if not entries:
        return ()

    def distance(failures: Sequence[GuardFailure]) -> tuple[int, int, int]:
        accepted = sum(1 for failure in failures if failure.accepted_by)
        words = sum(len(failure.actual.split()) for failure in failures)
        return accepted, len(failures), words

    nearest: Sequence[GuardFailure] = min(entries.values(), key=distance)
    return tuple(nearest)


def root_causes(compiles: Sequence[Compile], steps: Sequence[JudgedStep]) -> tuple[Finding, ...]:
    """One finding for each frame, guard source and aspect that cost compiles after warm-up.

    Those that cost most come first.
    """
    grouped: dict[tuple[str, ...], list[tuple[Compile, GuardFailure]]] = defaultdict(list)
    for compile_ in compiles:
        if compile_.phase is Phase.STEADY and compile_.outcome in _CAUSED:
            for failure in closest_failures(compile_):
                key = (compile_.frame.key, failure.source, *_aspect(failure))
                grouped[key].append((compile_, failure))
    findings = [_finding(group, steps) for group in grouped.values()]
    return tuple(sorted(findings, key=lambda finding: -finding.seconds))


def _aspect(failure: GuardFailure) -> list[str]:
    """Which fields of a tensor changed: its dtype and its size are two causes."""
    return _FIELD.findall(failure.actual) if failure.kind == "TENSOR_MATCH" else []


def _finding(group: Sequence[tuple[Compile, GuardFailure]], steps: Sequence[JudgedStep]) -> Finding:
    first, failure = group[0]
    limit_hit = any(each.outcome is Outcome.LIMIT for each, _ in group)
    recompiles = [each for each, _ in group if each.outcome is Outcome.RECOMPILED]
    return Finding(
        frame=first.frame,
        source=failure.source,
        kind=failure.kind,
        expected=failure.expected,
        actual=failure.actual,
        text=failure.text,
        values=tuple(dict.fromkeys(each.actual for _, each in group)),
        pattern=_pattern(group[-1][0], len(recompiles), limit_hit, steps),
        compiles=len(recompiles),
        seconds=sum(each.seconds.total for each, _ in group),
        limit_hit=limit_hit,
        user_line=failure.user_line,
        called_from=first.stack[-1] if first.stack else None,
    )


def _pattern(
    last: Compile, recompiles: int, limit_hit: bool, steps: Sequence[JudgedStep]
) -> Pattern:
    """Two further changes that cost nothing tell convergence from a storm cut short."""
    if limit_hit:
        return Pattern.STORM
    calm_changes = sum(
        1
        for step in steps
        if last.step is not None
        and step.index > last.step
        and step.label
        and step.verdict is StepVerdict.REUSED
    )
    if recompiles == 1:
        return Pattern.SINGLE
    return Pattern.CONVERGENCE if calm_changes >= 2 else Pattern.STORM
