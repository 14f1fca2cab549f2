"""How ``forward`` gets alpha: eight ways, one class each, with what each costs under torch.compile.

All report alpha as a Python float, ``value``. They differ in what ``read`` hands to the blend and
in what ``write`` must do for that. The counts in the docstrings are checked by the audit.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AlphaStrategy(nn.Module):
    """Holds alpha. Subclasses decide in what form ``forward`` sees it."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def write(self, value: float) -> None:
        """Set alpha."""
        self.value = value

    def read(self, like: Tensor) -> Tensor | float:
        """Alpha for a blend with ``like``; a tensor is 0-dimensional, of its dtype and device."""
        raise NotImplementedError

    def invalidate(self) -> None:
        """Forget what was derived from ``value``, on a move or a stage change."""

    def mix(self, host: Tensor, seed: Tensor, alpha: Tensor | float) -> Tensor:
        """Between host and seed features, alpha of the way. Shapes of host and seed agree."""
        return torch.lerp(host, seed, alpha)


class LazyCache(AlphaStrategy):
    """The ticket's pattern: a tensor made inside ``forward`` when there is none that fits.

    No allocation in the steady state. But the compiled code that makes the tensor holds the
    float as a constant: each new alpha recompiles, up to the recompile limit, after which the
    whole frame runs eagerly at each new value.
    """

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(value)
        self._cached: Tensor | None = None

    def write(self, value: float) -> None:
        self.value = value
        self._cached = None

    def invalidate(self) -> None:
        self._cached = None

    def read(self, like: Tensor) -> Tensor:
        if (
            self._cached is None
            or self._cached.device != like.device
            or self._cached.dtype != like.dtype
        ):
            self._cached = torch.tensor(self.value, device=like.device, dtype=like.dtype)
        return self._cached


class NeverInvalidated(LazyCache):
    """Wrong on purpose: nothing ever drops the cached tensor but a change of device or dtype.

    No recompiles, and the blend keeps the old alpha. The negative control of every audit.
    """

    def write(self, value: float) -> None:
        self.value = value

    def invalidate(self) -> None:
        pass


class FreshTensor(AlphaStrategy):
    """``torch.tensor(alpha)`` at each call. Nothing to invalidate; recompiles at each new alpha."""

    def read(self, like: Tensor) -> Tensor:
        return torch.tensor(self.value, device=like.device, dtype=like.dtype)


class PythonFloat(AlphaStrategy):
    """The float itself as the weight of ``torch.lerp``, which bakes it in: recompiles each time."""

    def read(self, like: Tensor) -> float:  # noqa: ARG002
        return self.value


class FloatArithmetic(PythonFloat):
    """The float in arithmetic. One recompile makes it symbolic; ``dynamic=False`` forbids that."""

    def mix(self, host: Tensor, seed: Tensor, alpha: Tensor | float) -> Tensor:
        return host + alpha * (seed - host)


class EagerCache(AlphaStrategy):
    """A tensor that ``write`` makes anew, outside ``forward``.

    Dynamo guards on its shape, dtype and device, not on its number or identity: no recompiles.
    The setter must know the device and dtype, and must run outside compiled code.
    """

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(value)
        self._tensor = torch.tensor(value)

    def write(self, value: float) -> None:
        self.value = value
        self._tensor = torch.tensor(value, device=self._tensor.device, dtype=self._tensor.dtype)

    def _apply(self, fn, recurse=True):  # type: ignore[no-untyped-def]  # torch leaves it unannotated
        self._tensor = fn(self._tensor)
        return super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # as above

    def read(self, like: Tensor) -> Tensor:
        return self._tensor.to(like)


class Buffer(AlphaStrategy):
    """A registered buffer that ``write`` fills in place. No recompiles; moves with the module."""

    alpha: Tensor

    def __init__(self, value: float = 0.0) -> None:
        super().__init__(value)
        self.register_buffer("alpha", torch.tensor(value), persistent=False)

    def write(self, value: float) -> None:
        self.value = value
        self.alpha.fill_(value)

    def read(self, like: Tensor) -> Tensor:
        return self.alpha.to(like)


@torch._dynamo.forbid_in_graph
def _fill_outside_compiled_regions(buffer: Tensor, value: float) -> None:
    buffer.fill_(value)


class Guarded(Buffer):
    """The PyTorch specialist's proposal: a buffer that compiled code may not write.

    A change outside is written in place, as in :class:`Buffer`; one inside a compiled region makes
    the compile fail with an AssertionError that names the function, instead of a graph break.
    """

    def write(self, value: float) -> None:
        _fill_outside_compiled_regions(self.alpha, value)
        self.value = value


STRATEGIES: dict[str, type[AlphaStrategy]] = {
    "lazy_cache": LazyCache,
    "fresh_tensor": FreshTensor,
    "python_float": PythonFloat,
    "float_arithmetic": FloatArithmetic,
    "eager_cache": EagerCache,
    "buffer": Buffer,
    "guarded": Guarded,
    "never_invalidated": NeverInvalidated,
}


def build_strategy(name: str, value: float = 0.0) -> AlphaStrategy:
    """The named strategy, holding ``value``; raises ValueError for an unknown name."""
    if name not in STRATEGIES:
        raise ValueError(f"no alpha strategy {name!r}; there are {', '.join(STRATEGIES)}")
    return STRATEGIES[name](value)
