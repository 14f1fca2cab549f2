"""Short ways to make recorded data."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from esper_audit.data.audits import Audit, JudgedStep, ProgramAudit
from esper_audit.data.comparisons import Comparison
from esper_audit.data.compiles import Compile, GuardFailure, Outcome, ValueKind
from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.data.places import Frame
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Environment, Recording
from esper_audit.data.stages import Seconds
from esper_audit.data.steps import Lookups, Phase, Step
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.torch_text.guard_text import kind_of

ENVIRONMENT = Environment(torch="2.13.0", python="3.11.7", device="cpu")
EVIDENCE = Reason(why=Why.REMARK, text="because of evidence")
_FIELD = re.compile(r"(\w+)=(\[.*?\]|[^,]+(?:, \w+(?![\w=]))*)")
FRAME = Frame("Host.forward", "/p/host.py", 7, "host.py:Host.forward", "Host.forward")
OTHER = Frame("helper", "/p/host.py", 40, "host.py:helper", "helper")


def failure(entry: str = "0/0", source: str = "self.alpha", **fields: Any) -> GuardFailure:
    defaults = {
        "kind": "EQUALS_MATCH",
        "expected": "0.5",
        "actual": "0.6",
        "text": f"{source} == 0.5",
        "torch_source": source,
    }
    given = {**defaults, **fields}
    return GuardFailure(cache_entry=entry, source=source, **{**facts_of(given), **given})


def facts_of(given: dict[str, Any]) -> dict[str, Any]:
    """Kinds and fields as a recorder would find them behind these texts."""
    expected, actual = given["expected"], given["actual"]
    found = {"expected_kind": kind_of(expected), "actual_kind": kind_of(actual)}
    if given["kind"] == "TENSOR_MATCH":
        found["expected_kind"] = ValueKind.TENSOR
        pairs = zip(_FIELD.findall(expected), _FIELD.findall(actual), strict=False)
        known = not actual.startswith("tensor(")
        return found | {"fields": {a[0]: (a[1], b[1]) for a, b in pairs if known}}
    if set(found.values()) == {ValueKind.TORCH}:
        return found | {"fields": {"dtype": (expected, actual)}}
    if given["kind"] == "GLOBAL_STATE":
        return found | {"fields": dict.fromkeys(actual.split()[1:], ("", ""))}
    if given["kind"] == "SOURCE_GONE":
        kind = ValueKind.NO_KEY if actual.endswith("KeyError") else ValueKind.GONE
        return found | {"actual_kind": kind}
    return found


def compiled(step: int | None, outcome: Outcome = Outcome.COMPILED, **fields: Any) -> Compile:
    defaults: dict[str, Any] = {
        "sequence": step or 0,
        "id": f"0/{step}",
        "frame": FRAME,
        "phase": Phase.STEADY,
        "seconds": Seconds(0.1),
        "cache_entries_before": 0 if outcome is Outcome.COMPILED else 1,
        "graph_ops": 3,
    }
    return Compile(step=step, outcome=outcome, **{**defaults, **fields})


def step(index: int, hits: int = 0, misses: int = 0, **fields: Any) -> Step:
    defaults: dict[str, Any] = {
        "phase": Phase.STEADY,
        "label": "",
        "callable_index": 0,
        "seconds": 0.001,
        "comparisons": (Comparison("eager", "output", True),),
    }
    return Step(index=index, lookups=Lookups(hits, misses), **{**defaults, **fields})


def recording(
    steps: Sequence[Step] = (), compiles: Sequence[Compile] = (), **fields: Any
) -> Recording:
    return Recording(
        environment=ENVIRONMENT, steps=tuple(steps), compiles=tuple(compiles), **fields
    )


def told(text: str) -> Reason:
    """A reason in words of the user's own."""
    return Reason(why=Why.SKIPPED, text=text)


def replay(
    found: Recording | None, status: ReplayStatus = ReplayStatus.COMPLETED, **fields: Any
) -> Replay:
    reason = told(fields.pop("reason", ""))
    job = Job(scenario="some_scenario", file="/p/s.py", **fields)
    return Replay(job=job, status=status, reason=reason, recording=found)


def judged(index: int, verdict: StepVerdict, **fields: Any) -> JudgedStep:
    # What is saved must prove what it says: compiled code that is reused was looked up.
    hits = fields.pop("hits", int(verdict is StepVerdict.REUSED))
    return JudgedStep(step(index, hits=hits, **fields), verdict=verdict, because=EVIDENCE)


def _parted(fields: dict[str, Any]) -> tuple[Recording, dict[str, Any]]:
    """Fields of a recording and of an audit, given in one: (the recording, the rest)."""
    names = {field.name for field in dataclasses.fields(Recording)} - {"steps"}
    held = {name: value for name, value in fields.items() if name in names}
    rest = {name: value for name, value in fields.items() if name not in names}
    steps = tuple(judged_step.step for judged_step in fields.get("steps", ()))
    return Recording(**{"environment": ENVIRONMENT, "steps": steps, **held}), rest


def audit(verdict: AuditVerdict = AuditVerdict.PASSED, **fields: Any) -> Audit:
    defaults: dict[str, Any] = {
        "scenario": "some_scenario",
        "parameters": {"alpha": "buffer"},
        "backend": "aot_eager",
        "reasons": (told("a reason"),),
        "steps": (judged(0, StepVerdict.REUSED),),
    }
    held, rest = _parted({**defaults, **fields})
    return Audit(recording=held, verdict=verdict, **rest)


def program_audit(**fields: Any) -> ProgramAudit:
    held, rest = _parted(fields)
    return ProgramAudit(recording=held, **rest)


def but(whole: Audit, **fields: Any) -> Audit:
    """The audit with other fields, of its recording too."""
    names = {field.name for field in dataclasses.fields(Recording)} - {"steps"}
    held = {name: fields.pop(name) for name in list(fields) if name in names}
    return replace(whole, recording=replace(whole.recording, **held), **fields)
