"""Judging: pure functions from a recording to verdicts, causes and claims. No torch."""

from __future__ import annotations

from esper_audit.diagnosis.audit import DEFAULT_OPTIONS, judge
from esper_audit.diagnosis.believed import believed
from esper_audit.diagnosis.causes import attempts_to_watch, root_causes
from esper_audit.diagnosis.claims import decide_claims, matches, testable
from esper_audit.diagnosis.controls import caught, is_control, misses, overall
from esper_audit.diagnosis.counts import Counts, count
from esper_audit.diagnosis.eager import eager_findings
from esper_audit.diagnosis.frames import runs_eagerly
from esper_audit.diagnosis.identify import identify
from esper_audit.diagnosis.kinds import CHANGES, EAGER, KINDS, Door, is_of_kind, parse_kinds
from esper_audit.diagnosis.program import judge_program
from esper_audit.diagnosis.proof import doubts, ran_compiled, unproven
from esper_audit.diagnosis.steps import judge_steps
from esper_audit.diagnosis.tally import Tally, Totals

__all__ = [
    "CHANGES",
    "DEFAULT_OPTIONS",
    "EAGER",
    "KINDS",
    "Counts",
    "Door",
    "Tally",
    "Totals",
    "attempts_to_watch",
    "believed",
    "caught",
    "count",
    "decide_claims",
    "doubts",
    "eager_findings",
    "identify",
    "is_control",
    "is_of_kind",
    "judge",
    "judge_program",
    "judge_steps",
    "matches",
    "misses",
    "overall",
    "parse_kinds",
    "ran_compiled",
    "root_causes",
    "runs_eagerly",
    "testable",
    "unproven",
]
