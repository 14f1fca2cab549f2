"""Levers of torch that may help against a cause: the catalogue, by diagnosis, the best first. Pure.

That a lever is listed proves nothing: a trial does.

Worked example: of an int counter ``self.step`` these are a listed dynamic source, a listed unbacked
source, module ints made symbolic in the whole process, and last the dropped guard, which is unsafe.
"""

from __future__ import annotations

from esper_audit.data.audits import Audit, ProgramAudit
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import Because, Cause, Ground, NotMade, Remedy
from esper_audit.remedies import makers as make
from esper_audit.remedies.evidence import Evidence


def levers_for(cause: Cause, audit: Audit | ProgramAudit) -> tuple[Remedy | NotMade, ...]:
    """The levers that fit a cause, the best first, and why others that would do can't be pulled.

    One NotMade where the catalogue has none for it.
    """
    evidence = Evidence(cause, audit)
    found: dict[object, Remedy | NotMade] = {}
    for maker in CATALOGUE[cause.id]:
        for made in maker(evidence):
            # Torch's own advice may be what another one is made of.
            found.setdefault(made.levers if isinstance(made, Remedy) else made.id, made)
    nothing = NotMade(id="lever", covers=(cause,), because=Because(ground=Ground.NO_CANDIDATE))
    return tuple(found.values()) or (nothing,)


_INT = (make.dynamic_sources, make.unbacked_sources, make.dynamic, make.module_ints)
_VARIANTS: tuple[make.Maker, ...] = (
    make.hinted,
    make.warm_up,
    make.limit_that_was_hit,
    make.drop_guard,
)
"""For what has no symbol: a variant for each value."""
_NONE: tuple[make.Maker, ...] = ()

CATALOGUE: dict[Diagnosis, tuple[make.Maker, ...]] = {
    # No list of sources takes a float (torch/_dynamo/variables/builder.py, 2.8 to 2.13).
    Diagnosis.FLOAT_SPECIALIZED: (make.dynamic, *_VARIANTS),
    Diagnosis.INT_COUNTER: (*_INT, *_VARIANTS),
    Diagnosis.LAZY_CACHE: (make.eager_first, *_VARIANTS),
    Diagnosis.SIZE_CHANGED: (
        *(
            make.mark_dynamic,
            make.dynamic_sources,
            make.dynamic,
            make.mark_unbacked,
            make.unbacked_sources,
        ),
        *(
            make.unequal_sizes,
            make.module_sizes,
            make.hinted,
            make.warm_up,
            make.limit_that_was_hit,
        ),
    ),
    Diagnosis.SIZE_ZERO_ONE: (
        *(make.mark_unbacked, make.unbacked_sources, make.sizes_of_one, make.module_sizes),
        *(make.hinted, make.warm_up),
    ),
    Diagnosis.CAPTURED_VARIABLE: (*_INT, *_VARIANTS),
    Diagnosis.OTHER_INSTANCE: (*_INT, make.isolate, make.recompile_limit, make.warm_up),
    Diagnosis.EAGER_AFTER_LIMIT: (make.isolate, make.recompile_limit),
    Diagnosis.EAGER_EMPTY_GRAPH: (make.empty_graphs, make.fullgraph),
    Diagnosis.EAGER_UNSUPPORTED: (make.hinted,),
    Diagnosis.EAGER_OUTSIDE_GRAPH: (make.hinted, make.nested_breaks),
    Diagnosis.EAGER_DISABLED: (make.switched_on,),
    Diagnosis.COMPILE_FAILED: (make.hinted,),
    Diagnosis.GRAPH_BREAK: (make.hinted, make.nested_breaks),
    Diagnosis.STALE_OUTPUT: (make.checks,),
    **dict.fromkeys(
        (
            *(Diagnosis.DTYPE_CHANGED, Diagnosis.DEVICE_CHANGED, Diagnosis.LAYOUT_CHANGED),
            *(Diagnosis.REQUIRES_GRAD_CHANGED, Diagnosis.GRAD_MODE_CHANGED),
            *(Diagnosis.AUTOCAST_CHANGED, Diagnosis.TRAIN_EVAL_FLIPPED),
            *(Diagnosis.GLOBAL_STATE_CHANGED, Diagnosis.MODULE_SWAPPED),
            *(Diagnosis.OBJECT_IDENTITY, Diagnosis.TENSOR_ALIASING),
            *(Diagnosis.HOOK_CHANGED, Diagnosis.DIMENSION_MARKED),
        ),
        _VARIANTS,
    ),
    **dict.fromkeys(
        (
            *(Diagnosis.ATTRIBUTE_PRESENCE, Diagnosis.FLAG_CHANGED),
            *(Diagnosis.CONTAINER_CHANGED, Diagnosis.TYPE_CHANGED),
        ),
        (make.eager_first_once, *_VARIANTS),
    ),
    **dict.fromkeys((Diagnosis.BACKEND_CHANGED, Diagnosis.OBJECT_EXPIRED), (make.warm_up,)),
    **dict.fromkeys(
        (
            *(Diagnosis.FORCED_BY_OTHER_RANK, Diagnosis.CONCURRENT_COMPILE),
            *(Diagnosis.UNRECOGNIZED, Diagnosis.EAGER_DISPATCH_MODE),
            *(Diagnosis.EAGER_UNEXPLAINED, Diagnosis.COMPILE_REFUSED, Diagnosis.RANKS_DIFFER),
        ),
        _NONE,
    ),
}
"""Every diagnosis, with what is tried against it, in order."""
