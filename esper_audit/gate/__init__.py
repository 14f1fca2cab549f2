"""The gate: what was measured, held against what was accepted. Pure, no torch."""

from __future__ import annotations

from esper_audit.data.changes import verdict_of
from esper_audit.gate.measure import Measured, differs, measure
from esper_audit.gate.results import Declared, compare, hold_against
from esper_audit.gate.sides import Side, align
from esper_audit.gate.update import NOT_ACCEPTED, updated

__all__ = [
    "NOT_ACCEPTED",
    "Declared",
    "Measured",
    "Side",
    "align",
    "compare",
    "differs",
    "hold_against",
    "measure",
    "updated",
    "verdict_of",
]
