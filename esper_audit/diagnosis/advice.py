"""Which advice fits a finding: none that is known to do harm or nothing for its source.

Worked example: the float ``self.drop.p`` is read in ``torch/nn/modules/dropout.py``. The advice of
``float-specialized`` is a tensor, which breaks the graph there: ``no-tensor`` stands instead.
"""

from __future__ import annotations

import re

from esper_audit.data.compiles import GuardFailure
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Advice

_NUMBERS = (Diagnosis.FLOAT_SPECIALIZED, Diagnosis.INT_COUNTER)
_TORCHS = re.compile(r"(?:^|/)(?:torch/)?(nn|optim)/(?:modules/)?\w+\.py$")
"""A file of torch's modules or optimizers; torch cuts the front of some paths."""

_MODULES_OWN = re.compile(r"\._(?:parameters|buffers)\['[^']+'\]$")

NOT_TRIED = frozenset(
    {
        Diagnosis.FORCED_BY_OTHER_RANK,
        Diagnosis.CONCURRENT_COMPILE,
        Diagnosis.UNRECOGNIZED,
        Diagnosis.EAGER_DISPATCH_MODE,
        Diagnosis.EAGER_UNEXPLAINED,
        Diagnosis.COMPILE_REFUSED,
        Diagnosis.RANKS_DIFFER,
    }
)
"""Diagnoses against which `esper-audit fix` has nothing to try."""


def advice_against(diagnosis: Diagnosis, failure: GuardFailure, *, dynamic: bool) -> Advice:
    """The advice against a cause of recompiles; ``dynamic``: compiled with dynamic=True."""
    if diagnosis in _NUMBERS:
        return _of_number(failure)
    if diagnosis is Diagnosis.SIZE_CHANGED:
        return _of_size(failure, dynamic)
    return Advice.USUAL


def _of_number(failure: GuardFailure) -> Advice:
    line = failure.user_line
    torchs = _TORCHS.search(line.file) if line is not None else None
    if torchs is None:
        return Advice.USUAL
    is_rate = torchs[1] == "optim" and failure.torch_source.endswith("['lr']")
    return Advice.LEARNING_RATE if is_rate else Advice.NO_TENSOR


def _of_size(failure: GuardFailure, dynamic: bool) -> Advice:
    # torch.compiler.config.force_parameter_static_shapes and its kin hold (torch 2.8 to 2.14).
    if _MODULES_OWN.search(failure.torch_source):
        return Advice.MODULE_SIZE
    if failure.kind == "SHAPE_EXPRESSION":
        return Advice.SYMBOLIC_SIZE
    return Advice.DYNAMIC_SET if dynamic else Advice.USUAL


def is_tried(diagnosis: Diagnosis) -> bool:
    """Whether `esper-audit fix` has something to try against a diagnosis."""
    return diagnosis not in NOT_TRIED
