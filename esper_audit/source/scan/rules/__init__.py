"""The rules of a scan, one module each. To add one, write ``find`` and name it in RULES."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from esper_audit.data.scans import ScanFinding
from esper_audit.source.scan.context import Context
from esper_audit.source.scan.rules import (
    backends,
    caches,
    compiling,
    early_returns,
    last_batches,
    learning_rates,
    library_modules,
    numbers,
    objects,
    writes,
)

Rule = Callable[[Context], Iterator[ScanFinding]]

RULES: tuple[Rule, ...] = (
    caches.find,
    numbers.find,
    writes.find,
    library_modules.find,
    early_returns.find,
    learning_rates.find,
    backends.find,
    compiling.find,
    objects.find,
    last_batches.find,
)
"""In the order in which they are asked: of two findings at one place, the first stays."""
