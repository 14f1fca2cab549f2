"""Settings of torch that hold for a thread or the process, as guards want them and as they are.

All of them are told as fields by name, (expected, actual), whatever guard of torch's holds them.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import torch

from esper_audit._dynamo import names, values
from esper_audit.torch_text.global_state import changed_state
from esper_audit.torch_text.guard_text import body_of, wanted_value
from esper_audit.torch_text.guard_values import Fields, Values, of_fields

_NONE = "none"
_LAYER = re.compile(r"\('(?P<name>\w+)', \d+")
_DEVICE_MODE = re.compile(r"___get_torch_function_mode_stack_at\((?P<depth>\d+)\)\.device")


def of_state(kind: str, text: str, manager: Any) -> Values:
    """Of a guard on a setting: which, and from what to what."""
    read = _READ.get(kind)
    return of_fields(_read_flags(manager) if read is None else read(text, manager))


def is_default_device(source: str) -> bool:
    """Whether a source is the device of a ``with torch.device(…)``, or of a default device."""
    return _DEVICE_MODE.fullmatch(source) is not None


def default_device(found: Values) -> Values:
    """The same where the failed guard is one on the device of such a mode."""
    return of_fields({"default_device": (found.expected, found.actual)})


def of_keys(fields: Fields, value: torch.Tensor) -> Fields:
    """The setting that changed where a tensor's dispatch keys differ, and nothing else of it.

    Inference mode takes the keys for autograd away from every tensor (c10/core/InferenceMode.h),
    functorch adds its own. The guard's keys are printed as they were in force (2.8 to 2.14); those
    of a tensor that is asked for them now are not, so the thread's state is asked. Empty where
    that is as it was.
    """
    wanted, found = fields["keys"]
    if value.is_inference():
        return {}
    if "FuncTorch" in wanted or "FuncTorch" in found:
        was = "some" if "FuncTorch" in wanted else _NONE
        return {"functorch_transforms": (was, _layers())}
    settings = {
        "inference_mode": ("Autograd" not in wanted, torch.is_inference_mode_enabled()),
        f"autocast({value.device.type})_enabled": (
            "Autocast" in wanted,
            torch.is_autocast_enabled(value.device.type),
        ),
    }
    return {name: (str(was), str(now)) for name, (was, now) in settings.items() if was != now}


def _read_flags(manager: Any) -> Fields:
    check = manager.closure_vars.get("___check_global_state")
    guard = check.__self__ if check is not None else None
    if guard is None:
        return {}
    changed = guard.reason().split()
    try:
        return changed_state(changed, guard.__getstate__(), type(guard)().__getstate__())
    except Exception:  # a guard of another version
        return dict.fromkeys(changed, ("", ""))


def _function_modes(_: str, manager: Any) -> Fields:
    """The check that torch made from the modes holds their types (2.8 to 2.14)."""
    check = manager.closure_vars.get("___check_torch_function_mode_stack")
    cells = (
        dict(zip(check.__code__.co_freevars, check.__closure__ or (), strict=True)) if check else {}
    )
    wanted = cells["types"].cell_contents if "types" in cells else None
    now = [type(mode) for mode in _function_mode_stack()]
    return {"torch_function_modes": ("" if wanted is None else _classes(wanted), _classes(now))}


def _function_mode_stack() -> list[Any]:
    count, at = names.find("mode_stack_depth"), names.find("mode_stack_at")
    return [] if count is None or at is None else [at(number) for number in range(count())]


def _classes(types: list[type]) -> str:
    return " + ".join(kind.__name__ for kind in types) or _NONE


def _default_device(text: str, _: Any) -> Fields:
    wanted = wanted_value(text) or ""
    device = getattr(names.module_of("default_device"), "CURRENT_DEVICE", None)
    short = str(eval(wanted, {"device": torch.device})) if wanted.startswith("device(") else _NONE
    return {"default_device": (short, _NONE if device is None else str(device))}


def _dual_level(text: str, _: Any) -> Fields:
    level = names.find("dual_level")
    return {"forward_mode_level": (_level(wanted_value(text)), _level(level))}


def _level(level: Any) -> str:
    """Torch counts from 0, and has -1 outside of every level."""
    return _NONE if str(level) == "-1" else str(level)


def _functorch(text: str, _: Any) -> Fields:
    wanted = " + ".join(match["name"] for match in _LAYER.finditer(body_of(text)))
    return {"functorch_transforms": (wanted or _NONE, _layers())}


def _layers() -> str:
    stack = names.find("functorch_stack")
    layers = stack() if stack is not None else None
    return " + ".join(layer.key().name for layer in layers or ()) or _NONE


def _saved_tensors_hooks(text: str, _: Any) -> Fields:
    wanted = _NONE if body_of(text).endswith("== None") else "those it was compiled with"
    hooks = names.find("saved_tensors_hooks")
    now = hooks(True) if hooks is not None else None
    shown = ", ".join(map(values.text_of, now)) if now else _NONE
    return {"saved_tensors_hooks": (wanted, shown)}


_READ: dict[str, Callable[[str, Any], Fields]] = {
    "TORCH_FUNCTION_MODE_STACK": _function_modes,
    "DEFAULT_DEVICE": _default_device,
    "DUAL_LEVEL_MATCH": _dual_level,
    "FUNCTORCH_STACK_MATCH": _functorch,
    "AUTOGRAD_SAVED_TENSORS_HOOKS": _saved_tensors_hooks,
}
