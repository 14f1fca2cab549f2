"""What a program sees of the stack it runs on, as text that is the same in each run."""

from __future__ import annotations

import logging
import re
import traceback
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import torch

Program = Callable[[], Any]
PROGRAMS: list[Program] = []
X = torch.ones(2)


def program(function: Program) -> Program:
    PROGRAMS.append(function)
    return function


VARYING = (
    (r"__compiled_fn_\w+", "__compiled_fn"),
    (r"<eval_with_key>\.\d+", "<eval_with_key>"),
    (r"\d+\.\d+(e-\d+)?", "F"),
    (r"(_us|_s|_ms|time)=\d+", "=N"),
    (r"0x[0-9a-f]+|\b\d{6,}\b|\b[0-9a-f]{8,}\b", "N"),
    (r"___?\w+_\d+_c\d+", "NAME"),
)


def plain_text(text: object) -> str:
    """Without what differs from run to run: numbers of objects, of processes, of time."""
    text = str(text)
    for pattern, name in VARYING:
        text = re.sub(pattern, name, text)
    return text


def stack() -> list[str]:
    """Where this is called from, outermost first."""
    return [plain_text(frame) for frame in traceback.extract_stack()[:-1]]


def printed(call: Callable[[], object]) -> str:
    """The traceback that a user would get to see."""
    try:
        call()
    except Exception:
        return plain_text(traceback.format_exc())
    return "no error"


class Backend:
    """Records each graph, where it is compiled and where it runs from."""

    def __init__(self, wrap: Callable[[Any], Any] | None = None) -> None:
        self.seen: list[object] = []
        self.wrap = wrap or self.closure

    def __call__(self, graph: torch.fx.GraphModule, _inputs: object) -> Any:
        self.seen.append((graph.code, stack()))
        return self.wrap(graph)

    def closure(self, graph: torch.fx.GraphModule) -> Any:
        def run(*args: Any) -> Any:
            self.seen.append(stack())
            return graph.forward(*args)

        return run


class Emitted(logging.Handler):
    """Records of a logger, each with the stack that it was emitted on."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.seen: list[object] = []

    def emit(self, record: logging.LogRecord) -> None:
        said = plain_text(record.getMessage())
        metadata = plain_text(sorted(getattr(record, "metadata", {})))
        self.seen.append((record.name, record.funcName, record.lineno, said, metadata, stack()))


@contextmanager
def emitted(*loggers: str) -> Iterator[Emitted]:
    handler = Emitted()
    with ExitStack() as exits:
        for name in loggers:
            logger = logging.getLogger(name)
            exits.callback(logger.setLevel, logger.level)
            exits.callback(logger.removeHandler, handler)
            logger.setLevel(logging.DEBUG)
            logger.addHandler(handler)
        yield handler
