"""The diagnoses: identifiers that never change their meaning, each with a page in the documents."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Diagnosis(StrEnum):
    """What makes torch.compile recompile, run eagerly, or go wrong."""

    FLOAT_SPECIALIZED = "float-specialized"
    INT_COUNTER = "int-counter"
    LAZY_CACHE = "lazy-cache"
    SIZE_CHANGED = "size-changed"
    SIZE_ZERO_ONE = "size-zero-one"
    DTYPE_CHANGED = "dtype-changed"
    DEVICE_CHANGED = "device-changed"
    LAYOUT_CHANGED = "layout-changed"
    REQUIRES_GRAD_CHANGED = "requires-grad-changed"
    GRAD_MODE_CHANGED = "grad-mode-changed"
    AUTOCAST_CHANGED = "autocast-changed"
    TRAIN_EVAL_FLIPPED = "train-eval-flipped"
    GLOBAL_STATE_CHANGED = "global-state-changed"
    MODULE_SWAPPED = "module-swapped"
    OBJECT_IDENTITY = "object-identity"
    ATTRIBUTE_PRESENCE = "attribute-presence"
    FLAG_CHANGED = "flag-changed"
    CONTAINER_CHANGED = "container-changed"
    CAPTURED_VARIABLE = "captured-variable"
    TENSOR_ALIASING = "tensor-aliasing"
    TYPE_CHANGED = "type-changed"
    BACKEND_CHANGED = "backend-changed"
    HOOK_CHANGED = "hook-changed"
    OBJECT_EXPIRED = "object-expired"
    OTHER_INSTANCE = "other-instance"
    FORCED_BY_OTHER_RANK = "forced-by-other-rank"
    CONCURRENT_COMPILE = "concurrent-compile"
    DIMENSION_MARKED = "dimension-marked"
    UNRECOGNIZED = "unrecognized"
    EAGER_AFTER_LIMIT = "eager-after-limit"
    EAGER_EMPTY_GRAPH = "eager-empty-graph"
    EAGER_DISPATCH_MODE = "eager-dispatch-mode"
    EAGER_UNSUPPORTED = "eager-unsupported"
    EAGER_DISABLED = "eager-disabled"
    EAGER_OUTSIDE_GRAPH = "eager-outside-graph"
    EAGER_UNEXPLAINED = "eager-unexplained"
    COMPILE_FAILED = "compile-failed"
    COMPILE_REFUSED = "compile-refused"
    STALE_OUTPUT = "stale-output"
    GRAPH_BREAK = "graph-break"
    RANKS_DIFFER = "ranks-differ"


@dataclass(frozen=True, slots=True)
class Meaning:
    """One sentence each: what it is, and what to do about it."""

    what: str
    remedy: str


MEANINGS = {
    Diagnosis.FLOAT_SPECIALIZED: Meaning(
        "a Python float was baked into the compiled code as a constant",
        "keep it in a tensor or a registered buffer, and update that with fill_",
    ),
    Diagnosis.INT_COUNTER: Meaning(
        "a Python int was baked into the compiled code as a constant",
        "count outside compiled code, or in a tensor",
    ),
    Diagnosis.LAZY_CACHE: Meaning(
        "None became a tensor, or a tensor became None",
        "have a tensor there from the first compiled call on, and write it in place",
    ),
    Diagnosis.SIZE_CHANGED: Meaning(
        "a tensor's size differs from the one this code was compiled for",
        "compile with dynamic=True, mark the dimension with mark_dynamic, or pad to fixed sizes",
    ),
    Diagnosis.SIZE_ZERO_ONE: Meaning(
        "a size changed to or from 0 or 1, which Dynamo always compiles as constants",
        "pad to 2, drop such a batch, or warm up with it",
    ),
    Diagnosis.DTYPE_CHANGED: Meaning(
        "a dtype differs from the one this code was compiled for",
        "use one dtype in every call, or warm up each once",
    ),
    Diagnosis.DEVICE_CHANGED: Meaning(
        "a device differs from the one this code was compiled for",
        "use one device, written one way (cpu and cpu:0 are two), or warm up each once",
    ),
    Diagnosis.LAYOUT_CHANGED: Meaning(
        "strides, a layout or a memory format differ from those this code was compiled for",
        "call contiguous() before the compiled call, or keep one memory format",
    ),
    Diagnosis.REQUIRES_GRAD_CHANGED: Meaning(
        "a tensor's requires_grad changed", "set requires_grad before the first compiled call"
    ),
    Diagnosis.GRAD_MODE_CHANGED: Meaning(
        "gradient tracking was switched on or off between calls",
        "warm up each mode once; both variants stay in the cache",
    ),
    Diagnosis.AUTOCAST_CHANGED: Meaning(
        "autocast was switched on or off between calls",
        "use one setting for every call, or warm up each once",
    ),
    Diagnosis.TRAIN_EVAL_FLIPPED: Meaning(
        "a module was switched between train() and eval()",
        "warm up both modes once; both variants stay in the cache",
    ),
    Diagnosis.GLOBAL_STATE_CHANGED: Meaning(
        "a setting of torch changed: threads, default dtype, a function mode, a transform, …",
        "use one setting for every compiled call, or warm up each once",
    ),
    Diagnosis.MODULE_SWAPPED: Meaning(
        "a submodule was replaced by a different module",
        "keep one module and change its parameters, or warm up each kind",
    ),
    Diagnosis.OBJECT_IDENTITY: Meaning(
        "a guarded object was replaced by a different object",
        "keep one object and change its contents",
    ),
    Diagnosis.ATTRIBUTE_PRESENCE: Meaning(
        "an attribute was added or removed", "set every attribute in __init__"
    ),
    Diagnosis.FLAG_CHANGED: Meaning(
        "the value of a string, an enum member or a bool changed",
        "warm up each value once, or branch outside compiled code",
    ),
    Diagnosis.CONTAINER_CHANGED: Meaning(
        "the length or the keys of a list, dict or set changed",
        "keep the same entries in the same order, or keep them in one tensor",
    ),
    Diagnosis.CAPTURED_VARIABLE: Meaning(
        "a closure or module-level variable was rebound",
        "pass it as an argument, or keep it in a tensor",
    ),
    Diagnosis.TENSOR_ALIASING: Meaning(
        "two inputs became one tensor or began to share memory, or stopped doing so",
        "clone one of them before the call",
    ),
    Diagnosis.TYPE_CHANGED: Meaning(
        "a value's Python type changed", "pass the same type in every call"
    ),
    Diagnosis.BACKEND_CHANGED: Meaning(
        "one function is compiled with several backends or options",
        "compile it once and reuse the compiled function",
    ),
    Diagnosis.HOOK_CHANGED: Meaning(
        "a module hook was added, removed or replaced",
        "register hooks before the first compiled call",
    ),
    Diagnosis.OBJECT_EXPIRED: Meaning(
        "an object that the compiled code depended on was freed",
        "keep the object, or the class, alive as long as the compiled function",
    ),
    Diagnosis.OTHER_INSTANCE: Meaning(
        "no cache entry was compiled for this object; those of others don't match it",
        "keep what differs in tensors, or raise the recompile limit to the number of objects",
    ),
    Diagnosis.FORCED_BY_OTHER_RANK: Meaning(
        "another rank had to recompile, and guard collectives make every rank recompile with it",
        "look at the rank whose own guard failed",
    ),
    Diagnosis.CONCURRENT_COMPILE: Meaning(
        "several threads compiled the same variant at the same time; no guard failed",
        "make the first call in one thread, then start the others",
    ),
    Diagnosis.DIMENSION_MARKED: Meaning(
        "a dimension of a tensor was marked dynamic, unbacked or static after the compile",
        "mark it before the first compiled call",
    ),
    Diagnosis.UNRECOGNIZED: Meaning(
        "esper-audit does not know why torch compiled again; what torch says is kept",
        "read the text, and report it as a bug of esper-audit",
    ),
    Diagnosis.EAGER_AFTER_LIMIT: Meaning(
        "calls that match no cache entry run eagerly from then on",
        "remove the cause of the recompiles; a higher limit only delays it",
    ),
    Diagnosis.EAGER_EMPTY_GRAPH: Meaning(
        "a call traced no tensor operations, so Dynamo permanently skips this function",
        "make every call run a tensor operation, or branch with torch.where",
    ),
    Diagnosis.EAGER_DISPATCH_MODE: Meaning(
        "one call ran under a dispatch mode, and this function has run eagerly since",
        "use such a mode on the uncompiled module only",
    ),
    Diagnosis.EAGER_UNSUPPORTED: Meaning(
        "Dynamo can't compile this function and permanently runs it eagerly",
        "move the unsupported part out of the compiled function",
    ),
    Diagnosis.EAGER_DISABLED: Meaning(
        "a stance, a setting, a variable or torch.compiler.disable switches compiling off",
        "leave compiling switched on",
    ),
    Diagnosis.EAGER_OUTSIDE_GRAPH: Meaning(
        "code ran outside compiled graphs: left by a graph break, or torch's own and called alone",
        "remove the graph break, or compile what runs there on its own: torch.compile(module)",
    ),
    Diagnosis.EAGER_UNEXPLAINED: Meaning(
        "compiled code did not run, and the recording does not show why",
        "record from the start of the process: a limit or a stance may precede the recording",
    ),
    Diagnosis.COMPILE_FAILED: Meaning(
        "the compile raised an error, so there is no compiled code; each call tries again",
        "fix what the error names, or leave this function uncompiled",
    ),
    Diagnosis.COMPILE_REFUSED: Meaning(
        "a call needed a compile, and torch raised an error instead, as configured",
        "remove the cause of the recompile, or warm up this variant before recompiles are refused",
    ),
    Diagnosis.STALE_OUTPUT: Meaning(
        "the output of compiled code differs from that of eager execution",
        "hold the state that it missed in a tensor, a buffer or an argument",
    ),
    Diagnosis.GRAPH_BREAK: Meaning(
        "Dynamo ended one graph here and started another after it",
        "move the unsupported call out of the compiled function",
    ),
    Diagnosis.RANKS_DIFFER: Meaning(
        "ranks compiled differently; a rank that compiles alone stalls every collective",
        "give every rank the same shapes and state",
    ),
}
