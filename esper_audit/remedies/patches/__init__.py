"""Patches of the user's source: which are known for a diagnosis, and what they make of a finding.

Each is a module of this folder with ``make(finding, project)``, which yields the edits of one
remedy at a time, best first, and raises ``Refused`` where the code is not of a form that it knows,
``Unconcerned`` where the finding is none of its own.
They are imported as they are needed: reading source is slow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.reasons import said
from esper_audit.data.remedies import (
    Because,
    Cause,
    Edit,
    Ground,
    Lever,
    LeverKind,
    NotMade,
    Reach,
    Remedy,
)
from esper_audit.remedies.patches.refused import Refused, Unconcerned

if TYPE_CHECKING:
    from esper_audit.source.project import Project

Make = Callable[[Finding, "Project"], Iterable[tuple[Edit, ...]]]

_MOST = 3  # remedies of one patch for one finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Patch:
    """One kind of edit. ``id`` names the remedy; ``module`` lies in this folder.

    ``levers`` are pulled as well.
    """

    id: str
    module: str
    diagnoses: frozenset[Diagnosis]
    reach: Reach = Reach.SOURCE
    unsafe: bool = False
    levers: tuple[Lever, ...] = ()

    def make(self, finding: Finding, project: Project) -> Iterable[tuple[Edit, ...]]:
        """The edits of one remedy at a time; raises Refused."""
        make: Make = import_module(f"{__name__}.{self.module}").make
        return make(finding, project)


def _for(*diagnoses: Diagnosis) -> frozenset[Diagnosis]:
    return frozenset(diagnoses)


_DYNAMIC = Lever(kind=LeverKind.COMPILE, name="dynamic", value="True")

_A_FLOAT = _for(Diagnosis.FLOAT_SPECIALIZED, Diagnosis.OTHER_INSTANCE)

_OF_STATE = (
    Patch(
        id="cache-to-buffer",
        module="lazy_cache",
        diagnoses=_for(
            Diagnosis.LAZY_CACHE,
            Diagnosis.ATTRIBUTE_PRESENCE,
            Diagnosis.FLOAT_SPECIALIZED,
            Diagnosis.INT_COUNTER,
        ),
    ),
    Patch(
        id="computed-each-call",
        module="uncached",
        diagnoses=_for(Diagnosis.LAZY_CACHE, Diagnosis.ATTRIBUTE_PRESENCE, Diagnosis.SIZE_CHANGED),
    ),
    Patch(
        id="attribute-in-init",
        module="presence",
        diagnoses=_for(Diagnosis.ATTRIBUTE_PRESENCE, Diagnosis.FLOAT_SPECIALIZED),
    ),
    Patch(id="float-to-buffer", module="numbers", diagnoses=_A_FLOAT),
    Patch(id="int-to-buffer", module="numbers", diagnoses=_for(Diagnosis.INT_COUNTER)),
)

_OF_CODE = (
    Patch(
        id="learning-rate-tensor",
        module="learning_rate",
        diagnoses=_for(Diagnosis.FLOAT_SPECIALIZED),
        reach=Reach.CALLABLE,
    ),
    Patch(
        id="list-to-buffer",
        module="number_list",
        diagnoses=_for(Diagnosis.FLOAT_SPECIALIZED, Diagnosis.OTHER_INSTANCE),
    ),
    Patch(id="captured-tensor", module="captured", diagnoses=_for(Diagnosis.CAPTURED_VARIABLE)),
    Patch(id="symbolic-arithmetic", module="arithmetic", diagnoses=_A_FLOAT),
    Patch(
        id="symbolic-arithmetic-dynamic",
        module="arithmetic",
        diagnoses=_A_FLOAT,
        reach=Reach.CALLABLE,
        levers=(_DYNAMIC,),
    ),
    Patch(
        id="mark-dimension",
        module="marks",
        diagnoses=_for(Diagnosis.SIZE_CHANGED, Diagnosis.SIZE_ZERO_ONE, Diagnosis.DIMENSION_MARKED),
    ),
    Patch(id="tensor-argument", module="door", diagnoses=_for(Diagnosis.FLOAT_SPECIALIZED)),
    Patch(id="contiguous-argument", module="door", diagnoses=_for(Diagnosis.LAYOUT_CHANGED)),
    Patch(id="cloned-argument", module="door", diagnoses=_for(Diagnosis.TENSOR_ALIASING)),
    Patch(id="one-type-argument", module="door", diagnoses=_for(Diagnosis.TYPE_CHANGED)),
    Patch(
        id="compile-once",
        module="compile_once",
        diagnoses=_for(Diagnosis.BACKEND_CHANGED),
        reach=Reach.CALLABLE,
    ),
    Patch(
        id="made-once",
        module="made_once",
        diagnoses=_for(Diagnosis.OBJECT_IDENTITY, Diagnosis.OBJECT_EXPIRED),
    ),
    Patch(
        id="choice-of-tensors",
        module="choice",
        diagnoses=_for(Diagnosis.FLAG_CHANGED, Diagnosis.EAGER_EMPTY_GRAPH, Diagnosis.GRAPH_BREAK),
    ),
    Patch(
        id="view-returned",
        module="empty_graph",
        diagnoses=_for(Diagnosis.EAGER_EMPTY_GRAPH),
        reach=Reach.FRAME,
    ),
    Patch(
        id="one-dtype-argument",
        module="door",
        diagnoses=_for(Diagnosis.DTYPE_CHANGED),
        unsafe=True,
    ),
    Patch(
        id="one-device-argument",
        module="door",
        diagnoses=_for(Diagnosis.DEVICE_CHANGED),
        unsafe=True,
    ),
    Patch(
        id="earlier-change",
        module="order",
        diagnoses=_for(
            Diagnosis.REQUIRES_GRAD_CHANGED,
            Diagnosis.GLOBAL_STATE_CHANGED,
            Diagnosis.HOOK_CHANGED,
        ),
        reach=Reach.CALLABLE,
        unsafe=True,
    ),
)
"""An unsafe one changes what is computed: a dtype, or what the first calls see."""

PATCHES: tuple[Patch, ...] = (*_OF_STATE, *_OF_CODE)
"""Best first. A patch that is listed first is tried first."""


def patches_for(cause: Cause, finding: Finding, project: Project) -> tuple[Remedy | NotMade, ...]:
    """The remedies by edits for a cause, best first, and why others could not be made."""
    found: list[Remedy | NotMade] = []
    for patch in PATCHES:
        if finding.id in patch.diagnoses:
            found += _made(patch, cause, finding, project)
    made = [one for one in found if isinstance(one, Remedy)]
    return (*made, *(one for one in found if isinstance(one, NotMade)))


def _made(
    patch: Patch, cause: Cause, finding: Finding, project: Project
) -> Iterable[Remedy | NotMade]:
    made = 0
    try:
        for edits in patch.make(finding, project):
            changed = tuple(edit for edit in edits if edit.before != edit.after)
            if changed and made < _MOST:
                made += 1
                yield Remedy(
                    id=patch.id,
                    covers=(cause,),
                    reach=patch.reach,
                    edits=changed,
                    unsafe=patch.unsafe,
                    levers=patch.levers,
                )
    except Unconcerned:
        return
    except Refused as refused:
        if not made:
            yield NotMade(id=patch.id, covers=(cause,), because=refused.because)
    except Exception as error:  # of code that the patch has never met: it costs that patch alone
        if not made:
            because = Because(ground=Ground.RAISED, text=said(error))
            yield NotMade(id=patch.id, covers=(cause,), because=because)
    else:
        if not made:
            because = Because(ground=Ground.NO_PATTERN)
            yield NotMade(id=patch.id, covers=(cause,), because=because)
