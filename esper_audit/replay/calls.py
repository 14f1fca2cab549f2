"""What levers do around the calls of a replay: marks, eager calls before the first, a rehearsal."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import torch

from esper_audit import _dynamo
from esper_audit.data.remedies import Lever, LeverKind
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.snapshot import modules_of, same_randomness

Aside = Callable[[], AbstractContextManager[None]]


class Calls:
    """Prepares each call of compiled code. ``aside``: what happens in it is not recorded."""

    def __init__(self, levers: Sequence[Lever], aside: Aside) -> None:
        self._levers = levers
        self._aside = aside
        self._called: set[int] = set()
        self._kept: list[Any] = []
        self._eager = sum(
            ast.literal_eval(lever.value) for lever in levers if lever.kind is LeverKind.EAGER_FIRST
        )
        self.rehearsing = False

    @property
    def need_rehearsal(self) -> bool:
        """Whether the scenario runs twice, the first time all as warm-up."""
        return any(lever.kind is LeverKind.WARM_UP for lever in self._levers)

    @contextmanager
    def rehearsal(self) -> Iterator[None]:
        """The first of two runs: what its calls get is kept, or compiled code would go with it.

        The second one then begins with the same settings of torch and the same random numbers.
        """
        self.rehearsing = True
        try:
            with _settings_kept(), same_randomness():
                yield
        finally:
            self.rehearsing = False
            self._called.clear()

    def prepare(
        self, number: int, target: Callable[..., Any], compiled: Any, args: Any, kwargs: Any
    ) -> None:
        """Before a call of the callable with this number, and before its eager twin is made."""
        if self.rehearsing:
            modules = modules_of(target, args, kwargs)
            parts = [[*module.modules()] for module in modules]
            self._kept.append((target, compiled, args, kwargs, parts))
        if number not in self._called:
            self._called.add(number)
            self._call_eagerly(compiled, args, kwargs)
        _dynamo.mark(self._levers, target, args, kwargs)

    def _call_eagerly(self, compiled: Any, args: Any, kwargs: Any) -> None:
        """Fills what the first call fills: caches, lazy parameters. Writes of it stay."""
        for _ in range(self._eager):
            with self._aside(), leave_unless_home(), torch.compiler.set_stance("force_eager"):
                compiled(*args, **kwargs)


_SETTINGS: tuple[tuple[Callable[[], Any], Callable[[Any], object]], ...] = (
    (torch.get_default_dtype, torch.set_default_dtype),
    (torch.get_num_threads, torch.set_num_threads),
    (torch.is_grad_enabled, torch.set_grad_enabled),
    (torch.are_deterministic_algorithms_enabled, torch.use_deterministic_algorithms),
    (torch.get_float32_matmul_precision, torch.set_float32_matmul_precision),
)
"""What a scenario may set and leave set: each setting's reader and writer."""


@contextmanager
def _settings_kept() -> Iterator[None]:
    before = [read() for read, _ in _SETTINGS]
    try:
        yield
    finally:
        for (read, write), value in zip(_SETTINGS, before, strict=True):
            if read() != value:
                write(value)
