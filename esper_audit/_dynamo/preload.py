"""Imports that every replay needs, done once in the process that replays are forked from.

Only imports: a process that has run a parallel operation can't be forked safely (its OpenMP
threads would be missing in the child). Dynamo imports most of these at the first compile.
"""

from __future__ import annotations

import contextlib
import gc
import importlib

_MODULES = (
    "torch._dynamo.convert_frame",
    "torch._dynamo.backends.debugging",
    "torch._dynamo.backends.inductor",
    "torch._dynamo.repro.after_dynamo",
    "torch._dynamo.dce_extra_outputs",
    "torch._functorch._aot_autograd.autograd_cache",
    "torch._functorch.partitioners",
    "torch._inductor.output_code",
    "torch._inductor.fx_passes.post_grad",
    "torch._inductor.compile_fx",
    "torch._export.non_strict_utils",
    "torch.export._trace",
    "torch.distributed.tensor.experimental",
    "networkx",
)

for _name in _MODULES:
    with contextlib.suppress(ImportError):  # a version without one imports it later, or never
        importlib.import_module(_name)

gc.collect()
gc.freeze()  # a collection in a forked child would copy every page of what lies here
