"""Whether two results are equal within a dtype's tolerance, and where they differ most."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from esper_audit.data.differences import Difference, DifferenceKind
from esper_audit.data.reasons import Reason, Why
from esper_audit.replay.values import Opaque, Thing, plain

DEFAULT_TOLERANCES: dict[str, tuple[float, float]] = {
    "float64": (1e-7, 1e-7),
    "float32": (1e-4, 1e-5),
    "float16": (1e-2, 1e-3),
    "bfloat16": (1.6e-2, 1e-2),
}
"""(rtol, atol) by dtype name: ten times those of ``torch.testing.assert_close`` (2.13) for float32,
since a compiler may reorder a sum; of the same order for the others."""

Tolerances = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class StepResult:
    """What a step gave, or should give, as plain data (see :mod:`values`).

    ``output`` holds the loss too, where there is one. ``gradients`` are those left on parameters
    and inputs, ``state`` the tensors that the step can reach (of a twin: those that it wrote), by
    name, ``sums`` tell whether one of the others was written all the same.
    """

    output: Any
    gradients: Mapping[str, torch.Tensor | None]
    state: Mapping[str, torch.Tensor]
    sums: Mapping[str, tuple[float, float]] = field(default_factory=dict)


class CannotCompare(Exception):  # noqa: N818  # becomes a comparison that could not be made
    """Two values of a kind that has no equality to speak of: where they are, and of which kind."""

    @property
    def reason(self) -> Reason:
        """As a fact."""
        place, kind = self.args
        return Reason(why=Why.NO_EQUALITY, text=kind, names=(place,))


@dataclass(frozen=True)
class _Rules:
    """``scale``: the size of what the values belong to; a small share of it is rounding."""

    tolerances: Tolerances
    scale: float


def difference(
    actual: Any,
    expected: Any,
    tolerances: Tolerances,
    path: str = "output",
    scale: float = 0.0,
) -> Difference | None:
    """None where the two are equal; else the first place that differs, and by how much.

    ``scale``: what is smaller than rtol of this is rounding. Raises CannotCompare for objects that
    don't say what makes them equal.
    """
    rules = _Rules(tolerances, scale)
    return next(_differences(plain(actual), plain(expected), rules, path), None)


def _differences(actual: Any, expected: Any, rules: _Rules, path: str) -> Iterator[Difference]:
    if isinstance(expected, torch.Tensor):
        yield from _of_tensors(actual, expected, rules, path)
    elif isinstance(expected, float) and isinstance(actual, float):
        yield from _of_floats(actual, expected, rules, path)
    elif isinstance(expected, dict) and isinstance(actual, dict):
        yield from _of_mappings(actual, expected, rules, path)
    elif isinstance(expected, list) and isinstance(actual, list):
        yield from _of_sequences(actual, expected, rules, path)
    elif isinstance(expected, Thing) and isinstance(actual, Thing):
        yield from _of_things(actual, expected, rules, path)
    elif isinstance(expected, Opaque) and isinstance(actual, Opaque):
        if actual.kind == expected.kind:
            raise CannotCompare(path, expected.kind)
        yield from _unless_equal(actual.kind, expected.kind, DifferenceKind.TYPE, path)
    elif type(actual) is not type(expected) and not _are_numbers(actual, expected):
        yield Difference(path, DifferenceKind.TYPE, _kind(actual), _kind(expected))
    else:
        yield from _unless_equal(actual, expected, DifferenceKind.VALUE, path)


def _unless_equal(
    actual: Any, expected: Any, kind: DifferenceKind, path: str
) -> Iterator[Difference]:
    if actual != expected:
        yield Difference(path, kind, str(actual), str(expected))


def _are_numbers(*values: Any) -> bool:
    return all(type(value) in (int, float, complex) for value in values)


def _kind(value: Any) -> str:
    return value.kind if isinstance(value, Thing | Opaque) else type(value).__name__


def _of_floats(actual: float, expected: float, rules: _Rules, path: str) -> Iterator[Difference]:
    # A float that comes out of compiled code was computed as a tensor of 32 bits, mostly.
    rtol, atol = rules.tolerances.get("float32", (0.0, 0.0))
    both_nan = math.isnan(actual) and math.isnan(expected)
    if not both_nan and not math.isclose(actual, expected, rel_tol=rtol, abs_tol=atol):
        yield Difference(
            path,
            DifferenceKind.VALUE,
            repr(actual),
            repr(expected),
            largest=abs(actual - expected),
            rtol=rtol,
            atol=atol,
        )


def _of_mappings(
    actual: Mapping[Any, Any], expected: Mapping[Any, Any], rules: _Rules, path: str
) -> Iterator[Difference]:
    if actual.keys() != expected.keys():
        yield Difference(path, DifferenceKind.KEYS, str(list(actual)), str(list(expected)))
        return
    for key, value in expected.items():
        yield from _differences(actual[key], value, rules, f"{path}[{key!r}]")


def _of_sequences(
    actual: list[Any], expected: list[Any], rules: _Rules, path: str
) -> Iterator[Difference]:
    if len(actual) != len(expected):
        yield Difference(path, DifferenceKind.LENGTH, str(len(actual)), str(len(expected)))
        return
    for index, (left, right) in enumerate(zip(actual, expected, strict=True)):
        yield from _differences(left, right, rules, f"{path}[{index}]")


def _of_things(actual: Thing, expected: Thing, rules: _Rules, path: str) -> Iterator[Difference]:
    if actual.kind != expected.kind:
        yield Difference(path, DifferenceKind.TYPE, actual.kind, expected.kind)
        return
    if actual.fields.keys() != expected.fields.keys():
        left, right = (str(list(thing.fields)) for thing in (actual, expected))
        yield Difference(path, DifferenceKind.KEYS, left, right)
        return
    for name, value in expected.fields.items():
        yield from _differences(actual.fields[name], value, rules, f"{path}.{name}")


def _of_tensors(
    actual: Any, expected: torch.Tensor, rules: _Rules, path: str
) -> Iterator[Difference]:
    if not isinstance(actual, torch.Tensor):
        yield Difference(path, DifferenceKind.TYPE, _kind(actual), "Tensor")
        return
    for kind, name in ((DifferenceKind.SHAPE, "shape"), (DifferenceKind.DTYPE, "dtype")):
        left, right = (_text_of(getattr(tensor, name)) for tensor in (actual, expected))
        if left != right:
            yield Difference(path, kind, left, right)
            return
    rtol, atol = rules.tolerances.get(str(expected.dtype).removeprefix("torch."), (0.0, 0.0))
    try:
        torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol, equal_nan=True)
    except AssertionError:
        if not _is_rounding(actual, expected, rtol, rules.scale):
            yield _largest(actual, expected, rtol, atol, path)


def _is_rounding(actual: torch.Tensor, expected: torch.Tensor, rtol: float, scale: float) -> bool:
    """Whether two tensors differ by what a sum leaves where large terms cancel.

    A small element of a gradient is a sum of large terms; compiled code adds them up in another
    order, and is off by a share of the terms, not of the sum. So an element may be off by
    10 * rtol of the tensor's root mean square, as long as all of the tensor is within rtol of its
    norm: a weight of 0.5 that should be 0.5003 is not. Example, a gradient of norm 60 over 432
    elements (root mean square 2.9), rtol 1e-4: one element may be off by 0.0029, all of them
    together by 0.006. Where all of a tensor cancels, as in the gradient of a bias before a batch
    norm, ``scale`` is what it is small against.
    """
    if rtol == 0.0 or not expected.dtype.is_floating_point or not expected.numel():
        return False
    left, right = _wide(actual), _wide(expected)
    off, norm = left - right, right.norm()
    if not (bool(off.isfinite().all()) and math.isfinite(norm) and math.isfinite(scale)):
        return False  # a share of infinity would hold anything
    if off.abs().max() <= rtol * scale:
        return True
    mean_square = norm / math.sqrt(right.numel())
    several = right.numel() > 1
    return several and bool(
        off.abs().max() <= 10 * rtol * mean_square and off.norm() <= rtol * norm
    )


def root_mean_square(tensors: Iterable[torch.Tensor | None]) -> float:
    """Of all elements of several tensors together; 0.0 where there is none."""
    squares, count = 0.0, 0
    for tensor in tensors:
        if tensor is not None and tensor.dtype.is_floating_point:
            squares += float(_wide(tensor).square().sum())
            count += tensor.numel()
    return math.sqrt(squares / count) if count else 0.0


def _text_of(thing: Any) -> str:
    return str(list(thing)) if isinstance(thing, torch.Size) else str(thing).split(".")[-1]


def _largest(
    actual: torch.Tensor, expected: torch.Tensor, rtol: float, atol: float, path: str
) -> Difference:
    """Where two tensors of one shape and dtype differ most; a NaN on one side is the most."""
    left, right = (_wide(tensor) for tensor in (actual, expected))
    if bool((left == right).all()):  # integers that float64 can't tell apart
        place = int((actual != expected).flatten().to(torch.uint8).argmax())
        index = _index(place, actual)
        one, other = (str(tensor[index].item()) for tensor in (actual, expected))
        return Difference(path, DifferenceKind.VALUE, one, other, index=index)
    outside = ~torch.isclose(left, right, rtol=rtol, atol=atol, equal_nan=True)
    distance = (left - right).abs().nan_to_num(nan=math.inf, posinf=math.inf)
    distance = torch.where(outside, distance, torch.full_like(distance, -1.0))
    place = int(distance.argmax())
    index = _index(place, left)
    return Difference(
        path,
        DifferenceKind.VALUE,
        f"{left[index].item():.6g}",
        f"{right[index].item():.6g}",
        largest=float(distance[index]),
        index=index,
        outside=int(outside.sum()),
        values=left.numel(),
        rtol=rtol,
        atol=atol,
    )


def _index(place: int, tensor: torch.Tensor) -> tuple[int, ...]:
    return tuple(int(index) for index in torch.unravel_index(torch.tensor(place), tensor.shape))


def _wide(tensor: torch.Tensor) -> torch.Tensor:
    """Dense, and of a dtype in which a difference of any two values can be told."""
    if tensor.is_quantized:
        tensor = tensor.dequantize()
    dense = tensor.to_dense() if tensor.layout != torch.strided else tensor
    return dense.to(torch.complex128 if dense.is_complex() else torch.float64)
