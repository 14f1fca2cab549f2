"""Reports on remedies, as a run of ``fix`` makes them."""

from __future__ import annotations

from typing import Any

from builders import ENVIRONMENT, FRAME

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import (
    Because,
    Cause,
    Edit,
    Fix,
    FixReport,
    Gain,
    Ground,
    Lever,
    LeverKind,
    Reach,
    RemedyState,
    Trial,
    digest,
)
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.diffs import relative, unified

BEFORE = """\
import torch


class Host(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = 0.5

    def forward(self, x):
        return x * self.alpha
"""
AFTER = BEFORE.replace(
    "self.alpha = 0.5",
    'self.register_buffer("alpha", torch.tensor(0.5), persistent=False)',
)
FLOAT = Cause(id=Diagnosis.FLOAT_SPECIALIZED, frame=FRAME, source="self.alpha")
COUNTER = Cause(
    id=Diagnosis.INT_COUNTER, frame=FRAME, source="self.step", torch_source="L['self'].step"
)
GAIN = Gain(
    seconds_per_event=0.21, per_thousand=3.4, pays_back=120, after_limit=0.31, remedied=0.98
)
SOURCES = Lever(
    kind=LeverKind.CONFIG,
    name="torch.compiler.config.dynamic_sources",
    value=repr("L['self'].step"),
)
DYNAMIC = Lever(kind=LeverKind.COMPILE, name="dynamic", value="True")


def trial(state: RemedyState = RemedyState.PROVEN, **fields: Any) -> Trial:
    defaults: dict[str, Any] = {"id": "dynamic-true", "covers": (FLOAT,), "reach": Reach.CALLABLE}
    return Trial(state=state, **{**defaults, **fields})


def patched(
    before: str = BEFORE, after: str = AFTER, file: str = "/p/host.py", **fields: Any
) -> Trial:
    """A proven patch of one file."""
    edit = Edit(file=file, before=before, after=after)
    name = relative(file, "/p")
    defaults: dict[str, Any] = {
        "id": "float-to-buffer",
        "reach": Reach.SOURCE,
        "files": (name,),
        "diff": unified([edit], "/p"),
        "made_from": {name: digest(before)},
        "verdict": AuditVerdict.PASSED,
        "compiles": 0,
        "gain": GAIN,
    }
    return trial(**{**defaults, **fields})


def because(ground: Ground, **fields: Any) -> Because:
    return Because(ground=ground, **fields)


OTHERS = (
    trial(
        RemedyState.CONVERGES,
        levers=(DYNAMIC,),
        compiles=1,
        because=because(Ground.STILL_COMPILES, count=1),
    ),
    trial(
        RemedyState.HIDES,
        id="drop-guard",
        levers=(Lever(kind=LeverKind.DROP_GUARD, value=repr("L['self'].alpha")),),
        unsafe=True,
        because=because(Ground.STALE),
    ),
    trial(RemedyState.NOT_TRIED, id="warm-up", because=because(Ground.NOT_NEEDED)),
    trial(
        RemedyState.NOT_TRIED,
        id="lerp-to-arithmetic",
        because=because(Ground.NO_PATTERN, text="no call of torch.lerp"),
    ),
)


def fix(title: str = "rollout [lazy]", *trials: Trial, **fields: Any) -> Fix:
    """A failed audit; the first proven of its trials is the best."""
    trials = trials or (patched(), *OTHERS)
    best = next((n for n, one in enumerate(trials) if one.state is RemedyState.PROVEN), None)
    defaults: dict[str, Any] = {
        "file": "/p/checks.py",
        "backend": "aot_eager",
        "verdict": AuditVerdict.FAILED,
        "compiles": 7,
        "eager": 2,
        "causes": (FLOAT,),
        "best": best,
        "seconds": 4.0,
        "replay_seconds": 1.5,
    }
    return Fix(title=title, trials=trials, **{**defaults, **fields})


LEVERS = fix(
    "counter",
    trial(id="dynamic-sources", covers=(COUNTER,), levers=(SOURCES,), reach=Reach.SOURCE),
    causes=(COUNTER,),
    eager=0,
)
HOPELESS = fix("spin", *OTHERS[:2], because=because(Ground.NO_CANDIDATE))


def fix_report(*fixes: Fix, **fields: Any) -> FixReport:
    defaults: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "root": "/p",
        "passed": ("rollout [buffer]",),
        "wall_seconds": 9.0,
    }
    return FixReport(fixes=fixes, **{**defaults, **fields})
