"""Several remedies as one: side by side, or one made from the texts that another leaves."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Sequence
from dataclasses import replace

from esper_audit.data.remedies import Edit, Lever, LeverKind, Reach, Remedy
from esper_audit.remedies.diffs import merged

AND = " + "
"""Between the names of what a combined remedy is made of."""

_LISTS = ("dynamic_sources", "unbacked_sources", "static_sources", "dynamic_values")
_SEVERAL = (LeverKind.MARK, LeverKind.DROP_GUARD)
_REACHES = tuple(Reach)


def together(remedies: Sequence[Remedy]) -> Remedy | None:
    """Remedies that were each made from the same files, as one; None where they contradict."""
    edits = merged(edit for remedy in remedies for edit in remedy.edits)
    return None if edits is None else _combined(remedies, edits)


def after(first: Remedy, second: Remedy) -> Remedy | None:
    """``second``, whose edits were made from the texts that ``first`` leaves, with it."""
    edits = {edit.file: edit for edit in first.edits}
    for edit in second.edits:
        known = edits.get(edit.file, edit)
        if known is not edit and edit.before != known.after:
            return None
        edits[edit.file] = replace(known, after=edit.after)
    return _combined((first, second), tuple(edits.values()))


def _combined(remedies: Sequence[Remedy], edits: tuple[Edit, ...]) -> Remedy | None:
    levers = merged_levers(lever for remedy in remedies for lever in remedy.levers)
    if levers is None:
        return None
    return Remedy(
        id=AND.join(dict.fromkeys(remedy.id for remedy in remedies)),
        covers=tuple(dict.fromkeys(cause for remedy in remedies for cause in remedy.covers)),
        reach=max((remedy.reach for remedy in remedies), key=_REACHES.index),
        levers=levers,
        edits=edits,
        unsafe=any(remedy.unsafe for remedy in remedies),
    )


def merged_levers(levers: Iterable[Lever]) -> tuple[Lever, ...] | None:
    """Each lever once; lists of sources joined; None where one is asked for two values."""
    found: dict[tuple[str, ...], Lever] = {}
    for lever in levers:
        several = lever.kind in _SEVERAL
        key = (lever.kind, lever.name, lever.value) if several else (lever.kind, lever.name)
        known = found.get(key, lever)
        joined = known if known.value == lever.value else _joined(known, lever)
        if joined is None:
            return None
        found[key] = joined
    return tuple(found.values())


def _joined(one: Lever, other: Lever) -> Lever | None:
    if one.kind is LeverKind.EAGER_FIRST:
        return max(one, other, key=lambda lever: int(lever.value or 0))
    if one.kind is not LeverKind.CONFIG or one.name.rpartition(".")[2] not in _LISTS:
        return None
    texts = [str(ast.literal_eval(lever.value)) for lever in (one, other)]
    entries = dict.fromkeys(entry for text in texts for entry in text.split(",") if entry)
    return replace(one, value=repr(",".join(entries)))
