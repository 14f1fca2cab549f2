"""Judging: pure functions from a recording to verdicts, causes and claims. No torch."""

from __future__ import annotations

from esper_audit.diagnosis.audit import compiles_after_warm_up, judge
from esper_audit.diagnosis.causes import closest_failures, root_causes
from esper_audit.diagnosis.claims import decide_claims, matches
from esper_audit.diagnosis.controls import caught, is_control
from esper_audit.diagnosis.steps import judge_steps

__all__ = [
    "caught",
    "closest_failures",
    "compiles_after_warm_up",
    "decide_claims",
    "is_control",
    "judge",
    "judge_steps",
    "matches",
    "root_causes",
]
