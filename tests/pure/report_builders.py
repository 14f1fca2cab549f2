"""Judged audits and reports as a report is made of."""

from __future__ import annotations

import io

from builders import ENVIRONMENT, audit, compiled, failure, judged
from rich.console import Console

from esper_audit.data.audits import Report
from esper_audit.data.compiles import Outcome
from esper_audit.data.expectations import Control, Question
from esper_audit.data.places import Location
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import overall, root_causes
from esper_audit.report.formats import print_document

LAZY, BUFFER, NEVER = ({"alpha": name} for name in ("lazy", "buffer", "never"))
CONTROL = Control({"alpha": "never"})
QUESTION = Question("Does it recompile?", {"alpha": "lazy"})


def recompiles(count: int, limit: bool = False):
    def one(step: int, outcome: Outcome):
        failures = (failure(actual=f"0.{step}", user_line=Location("/p/slot.py", 61, "read")),)
        stack = (Location("/p/main.py", 9, "main"),)
        return compiled(step, outcome, guard_failures=failures, stack=stack)

    made = [one(step, Outcome.RECOMPILED) for step in range(1, count + 1)]
    return tuple(made + ([one(count + 1, Outcome.LIMIT)] if limit else []))


def failing(scenario: str = "rollout", count: int = 6, limit: bool = True, **fields):
    made = [
        judged(n, StepVerdict.RECOMPILED, label=f"set_alpha(0.{n})") for n in range(1, count + 1)
    ]
    last = judged(count + 1, StepVerdict.EAGER if limit else StepVerdict.REUSED)
    steps = (judged(0, StepVerdict.COMPILED, phase=Phase.WARM_UP), *made, last)
    compiles = recompiles(count, limit)
    defaults = {
        "scenario": scenario,
        "parameters": LAZY,
        "steps": steps,
        "compiles": compiles,
        "findings": root_causes(compiles, steps),
    }
    return audit(AuditVerdict.FAILED, **{**defaults, **fields})


def stale(scenario: str = "rollout"):
    steps = (judged(0, StepVerdict.STALE),)
    return audit(AuditVerdict.FAILED, scenario=scenario, parameters=NEVER, steps=steps)


def eager(parameters=BUFFER):
    steps = (judged(0, StepVerdict.EAGER),)
    return audit(AuditVerdict.FAILED, scenario="dormant", parameters=parameters, steps=steps)


def report(*audits, **fields) -> Report:
    defaults = {
        "environment": ENVIRONMENT,
        "root": "/p",
        "question": QUESTION,
        "control": CONTROL,
        "columns": "alpha",
        "verdict": overall(audits, control=fields.get("control", CONTROL)),
    }
    return Report(audits=audits, **{**defaults, **fields})


def printed(whole: Report, width: int = 100, verbosity: int = 0) -> str:
    stream = io.StringIO()
    print_document(whole, Console(file=stream, width=width, highlight=False), verbosity)
    return stream.getvalue()
