"""The failures of one cache entry, each change once, however many guards failed for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from esper_audit.data.compiles import GuardFailure
from esper_audit.torch_text.guard_text import set_asked
from esper_audit.torch_text.guard_values import GLOBAL_STATE, of_fields


def told_once(failures: Iterable[GuardFailure]) -> list[GuardFailure]:
    """Without repetitions, and without what follows from another failure.

    Torch repeats some expressions. All settings are one failure; a tensor's dispatch keys follow
    from them. That a set holds an item or not follows from what is in it.
    """
    kept: list[GuardFailure] = []
    for failure in _with_one_of_settings(failures):
        if not any(_is_same(failure, other) for other in kept):
            kept.append(failure)
    return [failure for failure in kept if not _follows(failure, kept)]


def _with_one_of_settings(failures: Iterable[GuardFailure]) -> list[GuardFailure]:
    settings = [failure for failure in failures if failure.source == GLOBAL_STATE]
    rest = [failure for failure in failures if failure.source != GLOBAL_STATE]
    if len(settings) < 2:
        return [*settings, *rest]
    fields = {name: pair for failure in reversed(settings) for name, pair in failure.fields.items()}
    found = of_fields(fields)
    merged = replace(
        settings[0],
        kind="GLOBAL_STATE",
        expected=found.expected,
        actual=found.actual,
        fields=fields,
    )
    return [merged, *rest]


def _follows(failure: GuardFailure, others: list[GuardFailure]) -> bool:
    if failure.fields.keys() == {"keys"}:
        return any(other.source == GLOBAL_STATE for other in others)
    if failure.kind != "SET_CONTAINS":
        return False
    owner = set_asked(failure.source)
    return any(other.kind == "EQUALS_MATCH" and other.source == owner for other in others)


def _is_same(one: GuardFailure, other: GuardFailure) -> bool:
    return _bare(one) == _bare(other)


def _bare(failure: GuardFailure) -> GuardFailure:
    return replace(failure, text="", user_line=None, hint="")
