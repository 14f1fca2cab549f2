"""Words of the command line that are taken as they are given, or read by a parser of ours.

Newer typer (0.29) reads each value by pydantic, whose import takes a quarter of the CPU time of a
short command (0.15 of 0.58 s, medians of nine runs of ``import`` on a small log). A text needs no
reading, and what has a parser of ours is read by it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def taken_as_given(parameter: Any) -> None:
    """Let typer read a parameter only where it has to: other values, and older typer, are left."""
    usual = getattr(parameter, "get_runtime_param", None)
    if usual is not None and not isinstance(usual, _Given):
        parameter.get_runtime_param = _Given(parameter, usual)


class _Given:
    """Stands for what typer reads the values of a parameter by."""

    def __init__(self, parameter: Any, usual: Callable[[], Any]) -> None:
        self._kind = parameter.type_descriptor.annotation
        self._parser = parameter.type_descriptor.parameter_info.parser
        self._is_several = parameter.multiple or parameter.nargs == -1
        self._usual = usual

    def __call__(self) -> _Given:
        return self

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """The value, as typer reads it."""
        if value is None:
            return () if self._is_several else None
        if self._is_several:
            texts = isinstance(value, list | tuple) and all(type(one) is str for one in value)
            if texts and self._kind == list[str] and self._parser is None:
                return list(value)
        elif self._parser is not None:
            return self._parser(value)
        elif type(value) is str and self._kind is str:
            return value
        return self._usual().coerce(value, param=param, ctx=ctx)
