"""Judging: pure functions from a recording to verdicts, causes and claims. No torch."""

from __future__ import annotations

from esper_audit.diagnosis.audit import (
    DEFAULT_OPTIONS,
    compiles_after_warm_up,
    compiles_in_warm_up,
    judge,
)
from esper_audit.diagnosis.causes import closest_failures, root_causes
from esper_audit.diagnosis.claims import decide_claims, matches
from esper_audit.diagnosis.controls import caught, is_control, misses
from esper_audit.diagnosis.eager import eager_findings, why_eager
from esper_audit.diagnosis.identify import identify
from esper_audit.diagnosis.program import FAIL_ON, doubts, judge_program, ran_compiled, recompiles
from esper_audit.diagnosis.steps import judge_steps

__all__ = [
    "DEFAULT_OPTIONS",
    "FAIL_ON",
    "caught",
    "closest_failures",
    "compiles_after_warm_up",
    "compiles_in_warm_up",
    "decide_claims",
    "doubts",
    "eager_findings",
    "identify",
    "is_control",
    "judge",
    "judge_program",
    "judge_steps",
    "matches",
    "misses",
    "ran_compiled",
    "recompiles",
    "root_causes",
    "why_eager",
]
