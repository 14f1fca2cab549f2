"""Levers as the lines of code, or the environment variables, that pull them."""

from __future__ import annotations

import ast
import shlex
from collections.abc import Callable, Iterator, Sequence

from esper_audit.data.clean import clean
from esper_audit.data.remedies import Lever, LeverKind
from esper_audit.torch_text.sources import guard_name, in_user_terms

_DYNAMO = "torch._dynamo.config"
_COMPILER = "torch.compiler.config"
VARIABLES = {
    f"{_COMPILER}.dynamic_sources": "TORCH_COMPILE_DYNAMIC_SOURCES",
    f"{_COMPILER}.unbacked_sources": "TORCH_COMPILE_UNBACKED_SOURCES",
    f"{_COMPILER}.dynamic_values": "TORCH_COMPILE_DYNAMIC_VALUES",
    f"{_DYNAMO}.debug_dynamo_config_override": "TORCH_COMPILE_OVERRIDE_DYNAMO_CONFIGS",
}
"""Settings of torch whose value is text, and the environment variable of each (2.13)."""


def lever_code(levers: Sequence[Lever]) -> str:
    """The lines of Python that pull the levers; of what is no code, a comment."""
    return "\n".join(line for lever in levers for line in _CODE[lever.kind](lever))


def lever_variable(levers: Sequence[Lever]) -> str:
    """The environment variables that do the same; empty where one lever has none."""
    words = [_variable(lever) for lever in levers]
    return " ".join(words) if words and all(words) else ""


def _variable(lever: Lever) -> str:
    name = VARIABLES.get(lever.name, "") if lever.kind is LeverKind.CONFIG else ""
    value = _literal(lever.value)
    return f"{name}={_quoted(value)}" if name and isinstance(value, str) else ""


def _quoted(text: str) -> str:
    """For a shell; sources of torch hold single quotes, which are best read in double ones."""
    return shlex.quote(text) if any(sign in text for sign in '"$`\\!') else f'"{text}"'


def _config(lever: Lever) -> Iterator[str]:
    yield f"{lever.name} = {lever.value}"


def _compile(lever: Lever) -> Iterator[str]:
    yield f"torch.compile(..., {lever.name}={lever.value})"


def _mark(lever: Lever) -> Iterator[str]:
    """The argument by its name, as at the place of the call."""
    module = "torch._dynamo.decorators" if lever.name == "mark_unbacked" else "torch._dynamo"
    match _literal(lever.value):
        case (str(source), int(dimension), str(function)):
            called = f" of {function}" if function else ""
            given = f"{in_user_terms(source)}, {dimension}"
            yield f"{module}.{lever.name}({given})  # before each call{called}"
        case _:
            yield f"{module}.{lever.name}(...)  # {lever.value!r}"


def _warm_up(_lever: Lever) -> Iterator[str]:
    yield "# in warm-up, visit once everything that comes later"


def _eager_first(lever: Lever) -> Iterator[str]:
    count = lever.value or "1"
    yield 'with torch.compiler.set_stance("force_eager"):'
    yield f"    ...  # the first {'call' if count == '1' else f'{count} calls'}"


def _drop_guard(lever: Lever) -> Iterator[str]:
    name = repr(_guard_of(lever))
    yield f"keep = lambda guards: [guard.name != {name} for guard in guards]"
    yield 'torch.compile(..., options={"guard_filter_fn": keep})'


def _literal(text: str) -> object:
    """The value of a lever; None where it is no literal, as of a forged file."""
    try:
        value: object = ast.literal_eval(text)
    except (ValueError, SyntaxError, RecursionError, MemoryError, TypeError):
        return None
    return value


def _guard_of(lever: Lever) -> str:
    return guard_name(str(_literal(lever.value) or lever.value))


_CODE: dict[LeverKind, Callable[[Lever], Iterator[str]]] = {
    LeverKind.CONFIG: _config,
    LeverKind.COMPILE: _compile,
    LeverKind.MARK: _mark,
    LeverKind.WARM_UP: _warm_up,
    LeverKind.EAGER_FIRST: _eager_first,
    LeverKind.DROP_GUARD: _drop_guard,
}


def lever_words(lever: Lever) -> str:
    """One lever on one line, to name it."""
    if lever.kind is LeverKind.DROP_GUARD:
        return clean(f"guard_filter_fn, without guards of {_guard_of(lever)}")
    return clean(next(iter(_CODE[lever.kind](lever))).removeprefix("# "))
