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
    UNRECOGNIZED = "unrecognized"
    EAGER_AFTER_LIMIT = "eager-after-limit"
    EAGER_EMPTY_GRAPH = "eager-empty-graph"
    EAGER_DISPATCH_MODE = "eager-dispatch-mode"
    EAGER_UNSUPPORTED = "eager-unsupported"
    EAGER_DISABLED = "eager-disabled"
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
        "keep it in a tensor or a registered buffer, and write that with fill_",
    ),
    Diagnosis.INT_COUNTER: Meaning(
        "a Python int was baked into the compiled code as a constant",
        "count outside compiled code, or in a tensor",
    ),
    Diagnosis.LAZY_CACHE: Meaning(
        "None became a tensor, or a tensor became None",
        "create the tensor before the first compiled call, and write it in place",
    ),
    Diagnosis.SIZE_CHANGED: Meaning(
        "a tensor has another size than the compiled code takes",
        "compile with dynamic=True, mark the dimension with mark_dynamic, or pad to fixed sizes",
    ),
    Diagnosis.SIZE_ZERO_ONE: Meaning(
        "a size became 0 or 1, which Dynamo always compiles on its own",
        "pad to 2, keep such a batch out, or warm up with it",
    ),
    Diagnosis.DTYPE_CHANGED: Meaning(
        "a tensor or a dtype argument has another dtype", "convert before the compiled call"
    ),
    Diagnosis.DEVICE_CHANGED: Meaning(
        "a tensor lies on another device", "move before the first call, or compile once per device"
    ),
    Diagnosis.LAYOUT_CHANGED: Meaning(
        "a tensor has other strides",
        "call contiguous() before the compiled call, or keep one memory format",
    ),
    Diagnosis.REQUIRES_GRAD_CHANGED: Meaning(
        "a tensor's requires_grad was changed", "freeze before the first compiled call"
    ),
    Diagnosis.GRAD_MODE_CHANGED: Meaning(
        "gradients were switched on or off between calls",
        "warm up each mode once; both variants stay in the cache",
    ),
    Diagnosis.AUTOCAST_CHANGED: Meaning(
        "autocast was switched on or off between calls", "call under one setting, or warm up both"
    ),
    Diagnosis.TRAIN_EVAL_FLIPPED: Meaning(
        "train() or eval() was called between calls",
        "warm up both modes once; both variants stay in the cache",
    ),
    Diagnosis.GLOBAL_STATE_CHANGED: Meaning(
        "torch's global state was changed: threads, default dtype, deterministic mode, …",
        "set it once, before the first compiled call",
    ),
    Diagnosis.MODULE_SWAPPED: Meaning(
        "a submodule was replaced by one of another kind",
        "keep one module and change its parameters, or warm up each kind",
    ),
    Diagnosis.OBJECT_IDENTITY: Meaning(
        "another object stands where the compiled code knew one",
        "keep one object and change what it holds",
    ),
    Diagnosis.ATTRIBUTE_PRESENCE: Meaning(
        "an attribute appeared or vanished", "set every attribute in __init__"
    ),
    Diagnosis.FLAG_CHANGED: Meaning(
        "a string, an enum member or a bool has another value",
        "warm up each value once, or branch outside compiled code",
    ),
    Diagnosis.CONTAINER_CHANGED: Meaning(
        "a list, dict or set has another length or other keys",
        "keep the number of entries fixed, or keep them in one tensor",
    ),
    Diagnosis.CAPTURED_VARIABLE: Meaning(
        "a variable of a closure or a module was bound anew",
        "pass it as an argument, or keep it in a tensor",
    ),
    Diagnosis.TENSOR_ALIASING: Meaning(
        "two inputs are one tensor or share memory, and were not before, or the reverse",
        "clone one of them before the call",
    ),
    Diagnosis.TYPE_CHANGED: Meaning("a value has another Python type", "pass one type throughout"),
    Diagnosis.BACKEND_CHANGED: Meaning(
        "one code object is compiled with several backends or options",
        "compile it once and keep the compiled function",
    ),
    Diagnosis.HOOK_CHANGED: Meaning(
        "a module hook was added or removed", "register hooks before the first compiled call"
    ),
    Diagnosis.OBJECT_EXPIRED: Meaning(
        "an object that the compiled code depended on was freed",
        "keep the object, or the class, alive as long as the compiled function",
    ),
    Diagnosis.OTHER_INSTANCE: Meaning(
        "another object of the same class shares the code object's cache",
        "make what differs a tensor, or raise the recompile limit to the number of instances",
    ),
    Diagnosis.FORCED_BY_OTHER_RANK: Meaning(
        "another rank had to recompile, and guard collectives make all ranks do so",
        "look at the rank whose own guard failed",
    ),
    Diagnosis.UNRECOGNIZED: Meaning(
        "torch gave a guard that this version can't read; its text is kept",
        "read the text, and report it",
    ),
    Diagnosis.EAGER_AFTER_LIMIT: Meaning(
        "the recompile limit was hit: calls that match no cache entry run eagerly",
        "remove the cause of the recompiles; a higher limit only delays it",
    ),
    Diagnosis.EAGER_EMPTY_GRAPH: Meaning(
        "the first call ran no tensor operation, so Dynamo gave the code up for good",
        "make the first call one that computes, or branch with torch.where",
    ),
    Diagnosis.EAGER_DISPATCH_MODE: Meaning(
        "one call ran under a dispatch mode, and the code runs eagerly ever since",
        "measure with such a mode on the uncompiled module",
    ),
    Diagnosis.EAGER_UNSUPPORTED: Meaning(
        "Dynamo can't compile the code and runs it eagerly for good",
        "move the unsupported part out of the compiled function",
    ),
    Diagnosis.EAGER_DISABLED: Meaning(
        "compiling is switched off, by a stance, a setting or an environment variable",
        "switch it on",
    ),
    Diagnosis.EAGER_UNEXPLAINED: Meaning(
        "compiled code did not run, and nothing that was recorded says why",
        "record from the start of the process: a limit or a stance may be older than the recording",
    ),
    Diagnosis.COMPILE_FAILED: Meaning(
        "the compile ended in an error, so there is no compiled code; each call tries again",
        "fix what the error names, or leave this function uncompiled",
    ),
    Diagnosis.COMPILE_REFUSED: Meaning(
        "torch had to compile and raised an error instead, as it was told to",
        "remove the cause of the recompile, or warm up this variant before recompiles are refused",
    ),
    Diagnosis.STALE_OUTPUT: Meaning(
        "compiled code gives another result than eager execution",
        "make the state that it missed part of the graph: a tensor, a buffer, an argument",
    ),
    Diagnosis.GRAPH_BREAK: Meaning(
        "Dynamo ended a graph and resumed after it",
        "move the unsupported call out of the compiled function",
    ),
    Diagnosis.RANKS_DIFFER: Meaning(
        "ranks compiled different things; one that compiles alone stalls every collective",
        "give each rank the same shapes and state",
    ),
}
