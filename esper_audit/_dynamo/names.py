"""The one place that names torch's internals: which, where, and what is lost without each.

Checked against torch 2.8.0, 2.13.0 and 2.14.1. Everything else asks :func:`find` or
:func:`owner_of`; a name that a version lacks is reported by :func:`lost`, never an error.
"""

from __future__ import annotations

import importlib
import sys
from dataclasses import dataclass
from typing import Any

import torch

from esper_audit.data.notices import LostEvidence

_HEAVY = ("torch._inductor", "torch._functorch")


@dataclass(frozen=True, slots=True)
class TorchName:
    """A private name. ``attributes`` are tried in order: torch renamed some of them."""

    module: str
    attributes: tuple[str, ...]
    lost: str

    def __str__(self) -> str:
        return f"{self.module}.{self.attributes[0]}"


NAMES: dict[str, TorchName] = {
    "compile": TorchName(
        "torch._dynamo.convert_frame",
        ("_compile",),
        "failing guards of every cache entry, the user's stack and local values: compiles and"
        " torch's own first reason are read from the structured trace log instead",
    ),
    "attempt": TorchName(
        "torch._dynamo.convert_frame",
        ("compile_context",),
        "when a compile begins and ends, and so everything that is lost without _compile",
    ),
    "new_frame": TorchName(
        "torch._dynamo.convert_frame",
        ("increment_frame",),
        "telling a compile that raised from a frame that torch skips right after it",
    ),
    "convert_frame": TorchName(
        "torch._dynamo.convert_frame",
        ("add_skip_reason", "CatchErrorsWrapper.__call__"),
        "frames that torch skips before it compiles, and what later calls of a frame will do",
    ),
    "metrics": TorchName(
        "torch._dynamo.utils",
        ("log_compilation_event",),
        "seconds by compiler stage, guard counts, restarts, and backwards compiled later",
    ),
    "stages": TorchName(
        "torch._dynamo.utils",
        ("record_chromium_event_internal",),
        "the stages of a compile, each with its begin",
    ),
    "guards_made": TorchName(
        "torch._dynamo.guards",
        ("guard_manager_testing_hook_fn",),
        "the user line that made a guard, with its full path",
    ),
    "lookup": TorchName(
        "torch._C._dynamo.eval_frame",
        ("set_guard_complete_hook",),
        "lookups: without them no step can be proven to have reused compiled code",
    ),
    "graph_compile": TorchName(
        "torch._dynamo.output_graph",
        ("OutputGraph.install_global_unsafe",),
        "how often each compiled graph ran",
    ),
    "stance": TorchName(
        "torch._C._dynamo.eval_frame",
        ("get_eval_frame_callback",),
        "torch.compiler.set_stance, which makes compiled functions run eagerly without a trace",
    ),
    "entries": TorchName(
        "torch._dynamo.eval_frame",
        ("_callback_from_stance",),
        "how many calls of compiled functions ran under a stance",
    ),
    "code_strategy": TorchName(
        "torch._C._dynamo.eval_frame",
        ("set_code_exec_strategy",),
        "the lines that write guarded state",
    ),
    "frame_strategy": TorchName(
        "torch._C._dynamo.eval_frame",
        ("_FrameExecStrategy",),
        "the lines that write guarded state",
    ),
    "frame_action": TorchName(
        "torch._C._dynamo.eval_frame",
        ("_FrameAction",),
        "the lines that write guarded state",
    ),
    "store_attr": TorchName(
        "torch._dynamo.side_effects",
        ("SideEffects.is_attribute_mutation",),
        "the line of a write to an attribute inside compiled code",
    ),
    "mutation": TorchName(
        "torch._dynamo.side_effects",
        ("is_side_effect_safe",),
        "the line of a write to a container's entries inside compiled code",
    ),
    "output_codes": TorchName(
        "torch._dynamo.convert_frame",
        ("output_codes",),
        "telling code that was compiled before the recording from the user's own",
    ),
    "tracing": TorchName(
        "torch._guards",
        ("TracingContext",),
        "the line of a write inside compiled code",
    ),
    "global_state_guard": TorchName(
        "torch._C._dynamo.guards", ("GlobalStateGuard",), "the lines that switch torch's settings"
    ),
    "mode_stack_depth": TorchName(
        "torch._C", ("_len_torch_function_stack",), "the lines that enter a torch function mode"
    ),
    "mode_stack_at": TorchName(
        "torch._C", ("_get_function_stack_at",), "the lines that enter a torch function mode"
    ),
    "default_device": TorchName(
        "torch.utils._device", ("CURRENT_DEVICE",), "the lines that set the default device"
    ),
    "refusal": TorchName(
        "torch._C._dynamo.eval_frame",
        ("_debug_get_cache_entry_list",),
        "calls that the stance fail_on_recompile refuses",
    ),
    "skip_code": TorchName(
        "torch._dynamo.eval_frame",
        ("skip_code",),
        "calls of compiled functions inside of code that Dynamo gave up, seen without a trace",
    ),
    "cache_entries": TorchName(
        "torch._C._dynamo.eval_frame",
        ("_debug_get_cache_entry_list",),
        "the cache entries of a frame, and with them its failing guards",
    ),
    "resume_functions": TorchName(
        "torch._dynamo.resume_execution",
        ("ContinueExecutionCache.generated_code_metadata",),
        "the call that made a value which a graph break left on the stack",
    ),
    "graph_breaks": TorchName(
        "torch._dynamo.utils", ("graph_break_reasons",), "graph breaks with reason and user line"
    ),
    "callbacks": TorchName(
        "torch._dynamo.callback",
        ("CompilationCallbackHandler.install_callbacks",),
        "CUDA-graph recordings",
    ),
    "dict_guards": TorchName(
        "torch._C._dynamo.guards", ("DictGuardManager",), "failing guards inside dictionaries"
    ),
    "deleted_guards": TorchName(
        "torch._dynamo.guards",
        ("DeletedGuardManagerWrapper",),
        "the reason why a cache entry was invalidated",
    ),
    "innermost_backend": TorchName(
        "torch._dynamo.eval_frame",
        ("innermost_backend", "innermost_fn"),
        "recompiles caused by another backend",
    ),
    "dual_level": TorchName(
        "torch.autograd.forward_ad", ("_current_level",), "what a changed level of forward mode is"
    ),
    "functorch_stack": TorchName(
        "torch._C._functorch", ("get_interpreter_stack",), "which functorch transforms are in force"
    ),
    "saved_tensors_hooks": TorchName(
        "torch._C._autograd",
        ("_top_saved_tensors_default_hooks",),
        "which hooks for saved tensors are in force",
    ),
    "dispatch_keys": TorchName(
        "torch._C", ("_dispatch_keys",), "changes of a tensor's dispatch keys"
    ),
    "config": TorchName("torch._dynamo", ("config",), "the recompile limits in force"),
    "counters": TorchName(
        "torch._dynamo.utils", ("counters",), "torch's own counts, to check ours against"
    ),
    "inductor_config": TorchName(
        "torch._inductor", ("config",), "random numbers under inductor that are those of eager"
    ),
    "functorch_config": TorchName("torch._functorch", ("config",), "whether its cache is on"),
    "cache_dir": TorchName(
        "torch._inductor.runtime.cache_dir_utils", ("cache_dir",), "where inductor keeps its code"
    ),
    "trace_logger": TorchName(
        "torch._logging._internal",
        ("trace_log",),
        "the structured trace log, which stands in where torch._dynamo.convert_frame._compile"
        " is missing",
    ),
}


def _resolve(name: TorchName) -> tuple[Any, str] | None:
    """The object that holds the attribute, and the attribute's own name."""
    try:
        module = importlib.import_module(name.module)
    except ImportError:
        return None
    for dotted in name.attributes:
        owner: Any = module
        *path, last = dotted.split(".")
        for part in path:
            owner = getattr(owner, part, None)
        if owner is not None and hasattr(owner, last):
            return owner, last
    return None


def find(key: str) -> Any:
    """The named object, or None where this torch lacks it."""
    place = _resolve(NAMES[key])
    return None if place is None else getattr(*place)


def owner_of(key: str) -> tuple[Any, str] | None:
    """Where to patch the named object: its owner and attribute; None where torch lacks it."""
    return _resolve(NAMES[key])


def module_of(key: str) -> Any:
    """The module that the named object is looked for in, or None where this torch lacks it."""
    try:
        return importlib.import_module(NAMES[key].module)
    except ImportError:
        return None


def lost() -> tuple[LostEvidence, ...]:
    """Every name that this torch lacks, and what can't be recorded without it.

    What the program never imported is not asked for: importing inductor costs seconds.
    """
    return tuple(
        LostEvidence(str(name), str(torch.__version__), name.lost, key)
        for key, name in NAMES.items()
        if _is_imported(name.module) and _resolve(name) is None
    )


def _is_imported(module: str) -> bool:
    """Whether asking for the module costs no import of a part of torch that nobody used."""
    return not module.startswith(_HEAVY) or module in sys.modules
