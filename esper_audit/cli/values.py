"""What a word of the command line stands for: numbers and names, refused in words of our own.

Typer's are those of a library, and change with its version.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from enum import StrEnum
from types import NoneType, UnionType
from typing import Annotated, Any, get_args, get_origin

from typer.models import ArgumentInfo, OptionInfo, ParameterInfo

from esper_audit.data.allowed import Numbers, but, one_of
from esper_audit.errors import UsageError, did_you_mean


def checked(name: str, annotation: Any) -> Any:
    """The annotation of a parameter, with a parser of ours where it is a number or a choice."""
    if get_origin(annotation) is not Annotated:
        return annotation
    kind, info = annotation.__origin__, annotation.__metadata__[0]
    parser = _parser(_name(name, info), _besides_none(kind), info)
    if parser is None or not isinstance(info, ParameterInfo):
        return annotation
    info = copy.copy(info)
    info.parser, info.min, info.max = parser, None, None
    return Annotated[kind, info]


def _name(name: str, info: object) -> str:
    """As it is written, the long name if there is one."""
    if isinstance(info, ArgumentInfo):
        return info.metavar or name
    # In an annotation, typer takes the first word for the default, and corrects it later.
    given = [info.default, *(info.param_decls or ())] if isinstance(info, OptionInfo) else []
    plain = [option.partition("/")[0] for option in given if isinstance(option, str)]
    return max(plain, key=len, default=f"--{name.replace('_', '-')}")


def _besides_none(kind: Any) -> Any:
    if isinstance(kind, UnionType):
        return next(inner for inner in get_args(kind) if inner is not NoneType)
    return kind


def _parser(name: str, kind: Any, info: Any) -> Callable[[Any], Any] | None:
    if kind in (int, float):
        return _Number(name, Numbers(kind is int, info.min, info.max))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return _Choice(name, kind)
    return None


class _Number:
    """A number of a range; called with a default, too."""

    def __init__(self, name: str, numbers: Numbers) -> None:
        self._name, self._numbers = name, numbers
        self.__name__ = "number"

    def __call__(self, given: Any) -> int | float:
        value = _read(given, self._numbers.whole)
        if value not in self._numbers:
            raise UsageError(f"{self._name} {but(value, self._numbers.words(value))}.")
        return value if self._numbers.whole else float(value)


def _read(given: Any, whole: bool) -> Any:
    """The number that a text holds, else the text."""
    for kind in (int,) if whole else (int, float):
        try:
            return kind(given) if isinstance(given, str) else given
        except ValueError:
            continue
    return given


class _Choice:
    """A member of an enum, whatever the case it is written in."""

    def __init__(self, name: str, kind: type[StrEnum]) -> None:
        self._name, self._kind = name, kind
        self.__name__ = "choice"

    def __call__(self, given: Any) -> StrEnum:
        known = {member.value: member for member in self._kind}
        if str(given).lower() not in known:
            allowed = one_of(list(known))
            raise UsageError(
                f"{self._name} {but(given, allowed)}{did_you_mean(str(given), known)}."
            )
        return known[str(given).lower()]
