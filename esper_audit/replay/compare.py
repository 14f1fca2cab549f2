"""Whether two results are equal within a dtype's tolerance, and where they differ."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch

DEFAULT_TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-7, 1e-7),
    "float32": (1e-4, 1e-5),
    "float16": (1e-2, 1e-3),
    "bfloat16": (1.6e-2, 1e-2),
}
"""(rtol, atol) by dtype name: ten times those of ``torch.testing.assert_close`` (2.13) for float32,
since a compiler may reorder a sum; of the same order for the others."""


@dataclass(frozen=True)
class Result:
    """What a step gave, or should give.

    ``output`` holds the loss too, where there is one. ``gradients`` are those left on parameters
    and inputs, ``state`` the tensors among arguments, buffers and parameters, by name.
    """

    output: Any
    gradients: Mapping[str, torch.Tensor | None]
    state: Mapping[str, torch.Tensor]


class CannotCompare(Exception):  # noqa: N818  # becomes a comparison that could not be made
    """Two values of a kind that has no equality to speak of."""


def difference(
    actual: Any, expected: Any, tolerances: Mapping[str, tuple[float, float]], path: str = "output"
) -> str:
    """Empty where the two are equal; else the first place that differs, and by how much.

    Raises CannotCompare for objects that don't say what makes them equal.
    """
    return next(_differences(actual, expected, tolerances, path), "")


def _differences(
    actual: Any, expected: Any, tolerances: Mapping[str, tuple[float, float]], path: str
) -> Iterator[str]:
    if actual is expected:
        return
    if isinstance(expected, torch.Tensor):
        yield from _tensor_differences(actual, expected, tolerances, path)
    elif isinstance(expected, float) and isinstance(actual, float):
        # A float that comes out of compiled code was computed as a tensor of 32 bits, mostly.
        rtol, atol = tolerances.get("float32", (0.0, 0.0))
        both_nan = math.isnan(actual) and math.isnan(expected)
        if not both_nan and not math.isclose(actual, expected, rel_tol=rtol, abs_tol=atol):
            yield f"{path} is {actual!r}, not {expected!r}"
    elif isinstance(expected, Mapping) and isinstance(actual, Mapping):
        if actual.keys() != expected.keys():
            yield f"{path} has the keys {list(actual)}, not {list(expected)}"
            return
        for key, value in expected.items():
            yield from _differences(actual[key], value, tolerances, f"{path}[{key!r}]")
    elif isinstance(expected, (list, tuple)) and isinstance(actual, (list, tuple)):
        if len(actual) != len(expected):
            yield f"{path} has {len(actual)} items, not {len(expected)}"
            return
        for index, (left, right) in enumerate(zip(actual, expected, strict=True)):
            yield from _differences(left, right, tolerances, f"{path}[{index}]")
    elif type(actual).__module__ == "numpy":
        left, right = (torch.as_tensor(each) for each in (actual, expected))
        yield from _tensor_differences(left, right, tolerances, path)
    elif type(actual) is type(expected) and hasattr(expected, "__dict__"):
        yield from _differences(vars(actual), vars(expected), tolerances, path)
    elif type(actual) is type(expected) and _has_no_equality(expected):
        raise CannotCompare(f"{path} is a {type(expected).__name__}, which can't be compared")
    elif actual != expected:
        yield f"{path} is {actual!r}, not {expected!r}"


def _has_no_equality(thing: object) -> bool:
    return getattr(type(thing), "__eq__") is getattr(object, "__eq__")  # noqa: B009  # not compared


def _tensor_differences(
    actual: Any,
    expected: torch.Tensor,
    tolerances: Mapping[str, tuple[float, float]],
    path: str,
) -> Iterator[str]:
    if not isinstance(actual, torch.Tensor):
        yield f"{path} is {type(actual).__name__}, not a tensor"
        return
    rtol, atol = tolerances.get(str(expected.dtype).removeprefix("torch."), (0.0, 0.0))
    try:
        torch.testing.assert_close(
            actual.detach().cpu(), expected.detach().cpu(), rtol=rtol, atol=atol, equal_nan=True
        )
    except AssertionError as error:
        yield f"{path}: {_short(str(error))}"


def _short(message: str) -> str:
    """``assert_close`` writes a paragraph: the lines with numbers are what matters."""
    lines = [line.strip() for line in message.splitlines() if line.strip()]
    telling = ("Mismatched elements", "Greatest absolute", "Absolute difference", "Expected")
    found = [line for line in lines if line.startswith(telling)]
    return "; ".join(line.split(" (up to")[0] for line in found) or lines[0]


def state_of(
    modules: tuple[torch.nn.Module, ...], args: tuple[Any, ...], kwargs: dict[str, Any]
) -> dict[str, torch.Tensor]:
    """All tensors that a step may write: parameters, buffers and arguments, by name."""
    found: dict[str, torch.Tensor] = {}
    for number, module in enumerate(modules):
        for name, tensor in (*module.named_parameters(), *module.named_buffers()):
            found[name if number == 0 else f"{number}:{name}"] = tensor
    named = [(str(place), value) for place, value in enumerate(args)]
    for place, value in (*named, *kwargs.items()):
        if isinstance(value, torch.Tensor):
            found[f"argument {place}"] = value
    return found


def gradients(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor | None]:
    """Copies of the gradients of all leaves that require one."""
    return {
        name: _detached(tensor.grad)
        for name, tensor in state.items()
        if tensor.requires_grad and tensor.is_leaf
    }


def versions(state: Mapping[str, torch.Tensor]) -> dict[str, int]:
    """How often each tensor was written in place; inference tensors don't count it."""
    return {name: tensor._version for name, tensor in state.items() if not tensor.is_inference()}


def _detached(gradient: torch.Tensor | None) -> torch.Tensor | None:
    return None if gradient is None else gradient.detach().clone()
