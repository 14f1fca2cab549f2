"""Which of the user's lines run tensor operations while code runs eagerly."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from esper_audit.data.places import Location

# Wrappers that Dynamo compiles with their caller, never on their own (seen on 2.13), and the two
# that torch puts around the mode itself. Modules and optimizers of torch are frames of their own.
_WRAPPERS = tuple(
    f"{torch.__path__[0]}/{name}"
    for name in (
        "nn/functional.py",
        "functional.py",
        "_tensor.py",
        "_ops.py",
        "_jit_internal.py",
        "_dynamo/eval_frame.py",
        "_compile.py",
    )
)


class _Lines(TorchDispatchMode):
    """Notes the frame that runs each operation."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # torch 2.13 leaves it unannotated
        self.found: dict[Location, None] = {}

    def __torch_dispatch__(
        self, operation: Any, _types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        frame = sys._getframe(1)
        while frame.f_back is not None and frame.f_code.co_filename in _WRAPPERS:
            frame = frame.f_back
        code = frame.f_code
        self.found[Location(code.co_filename, frame.f_lineno or 0, code.co_qualname)] = None
        return operation(*args, **(kwargs or {}))


@contextmanager
def operation_lines() -> Iterator[dict[Location, None]]:
    """The lines of operations inside, in order, torch's own included.

    Never around compiled code: one call under a dispatch mode makes it run eagerly for good (2.13).
    """
    with _Lines() as mode:
        yield mode.found
