"""Levers for causes of one diagnosis, made short."""

from __future__ import annotations

import ast
from dataclasses import replace
from typing import Any

from builders import ENVIRONMENT, FRAME, audit, compiled, failure, program_audit

from esper_audit.data.audits import Audit, ProgramAudit
from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.remedies import Cause, NotMade, Remedy
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.levers import levers_for

STEP = failure(
    source="self.step", torch_source="L['self'].step", expected="1", actual="2", own=True
)
ALPHA = failure(torch_source="L['self'].alpha", own=True)
X = failure(
    source="x",
    torch_source="L['x']",
    kind="TENSOR_MATCH",
    expected="size=[3, 4] stride=[4, 1]",
    actual="size=[5, 4] stride=[4, 1]",
    text="check_tensor(L['x'], Tensor)",
)
EQUAL = failure(
    source="y.size()[0] == x.size()[1]",
    torch_source="L['y'].size()[0]",
    kind="SHAPE_EXPRESSION",
    expected="3",
    actual="6",
    text="L['y'].size()[0] == L['x'].size()[1]  # duck sizing",
    hint="to avoid this specialization, set torch.fx.experimental._config.use_duck_shape = False",
)
WEIGHT = replace(X, source="self.w", torch_source="L['self']._parameters['w']", own=True)


def found(
    diagnosis: Diagnosis,
    *failures,
    torch="2.13.0",
    options=None,
    program=False,
    frame=FRAME,
    **fields,
) -> tuple[Remedy | NotMade, ...]:
    """The levers for a cause with these failures of guards, each in a recompile of its own."""
    first = failures[0] if failures else failure(source="")
    made = tuple(
        compiled(number, Outcome.RECOMPILED, guard_failures=(guard,), frame=frame)
        for number, guard in enumerate(failures)
    )
    finding = Finding(
        id=diagnosis,
        frame=frame,
        source=first.source,
        sources=tuple(dict.fromkeys(guard.source for guard in failures)),
        hint=first.hint,
        **{"pattern": Pattern.VARIANTS, **fields},
    )
    held = {
        "compiles": made,
        "findings": (finding,),
        "environment": replace(ENVIRONMENT, torch=torch),
    }
    whole: Audit | ProgramAudit = (
        program_audit(**held)
        if program
        else audit(AuditVerdict.FAILED, options=options or {}, **held)
    )
    cause = Cause(id=diagnosis, frame=frame, source=first.source, torch_source=first.torch_source)
    return levers_for(cause, whole)


def ids(made) -> list[str]:
    return [remedy.id for remedy in made if isinstance(remedy, Remedy)]


def named(made, name: str) -> Remedy | NotMade:
    return next(remedy for remedy in made if remedy.id == name)


def setting(made, name: str) -> Any:
    """The value of the only lever of a remedy."""
    (lever,) = named(made, name).levers
    return ast.literal_eval(lever.value)
