"""The damage of many logs as a few lines: memory and reports don't grow with their number."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace

from esper_audit.data.logs import Damage, DamageKind

_MOST = 5
"""Files with damage of one kind that are told each by itself."""


def folded(damage: Iterable[Damage]) -> tuple[Damage, ...]:
    """Each once; of a kind that many files have, the first few, and the others together."""
    by_kind: dict[DamageKind, list[Damage]] = defaultdict(list)
    for part in dict.fromkeys(damage):
        found = by_kind[part.kind]
        if len(found) <= _MOST:
            found.append(part)
        else:
            last = found[-1]
            found[-1] = replace(last, count=last.count + part.count, files=last.files + part.files)
    return tuple(part for found in by_kind.values() for part in found)
