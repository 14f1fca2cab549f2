"""Levers of torch, pulled in this process and put back: settings, keywords, marks, dropped guards.

Worked example: ``Lever(kind=COMPILE, name="dynamic", value="True")`` makes every later
``torch.compile(f)`` a ``torch.compile(f, dynamic=True)``, also through ``nn.Module.compile``; one
that is given a ``dynamic`` of its own keeps that, and :attr:`Pulled.overridden` says so.
"""

from __future__ import annotations

import ast
import functools
import importlib
import inspect
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch

from esper_audit.data.remedies import Lever, LeverKind
from esper_audit.torch_text.sources import guard_name

_LISTS = {
    **dict.fromkeys(("dynamic_sources", "unbacked_sources", "static_sources"), ","),
    "dynamic_values": ",",
    "debug_dynamo_config_override": ";",
}
"""Settings that hold several entries in one text, and what stands between them."""

_FILTER = "guard_filter_fn"


class NoSuchLeverError(AttributeError):
    """This torch has no such setting."""


class Pulled:
    """Levers that are in force, or were."""

    def __init__(self, levers: Sequence[Lever]) -> None:
        self.levers = tuple(levers)
        self._overridden: dict[str, None] = {}
        self._set: dict[str, Any] = {}
        self._keywords = compile_keywords(levers)

    def keywords(self, given: dict[str, Any]) -> dict[str, Any]:
        """The keywords of one ``torch.compile``: those of the levers, where none is given.

        Of ``options`` the program's own entries stay; ``mode`` and ``options`` exclude each other.
        """
        found = dict(given)
        for name, value in self._keywords.items():
            own = given.get(name)
            if name == "options" and (own is not None or given.get("mode") is not None):
                self._add_options(found, value)
            elif name in given and own != value and not _is_default(name, own):
                self._keep(name)
            else:  # torch.compile takes entries out of its options
                found[name] = dict(value) if isinstance(value, dict) else value
        return found

    def _add_options(self, found: dict[str, Any], wanted: dict[str, Any]) -> None:
        own = found.get("options") or {}
        if found.get("mode") is not None:
            self._keep("mode")
        elif own.get(_FILTER, wanted[_FILTER]) is not wanted[_FILTER]:  # a decorator\'s comes twice
            self._keep(_FILTER)
        else:
            found["options"] = own | wanted

    @property
    def overridden(self) -> tuple[str, ...]:
        """What the program sets itself instead: keywords, and settings that have another value."""
        other = (name for name, value in self._set.items() if _get(name) != value)
        return tuple(dict.fromkeys((*self._overridden, *other)))

    @contextmanager
    def in_force(self) -> Iterator[None]:
        """Set the settings, and add the keywords to every ``torch.compile``, until the end.

        Raises:
            NoSuchLeverError: this torch lacks a setting; then none is set.
        """
        wanted = _settings(self.levers)
        before = {name: _get(name) for name in wanted}
        try:
            for name, value in wanted.items():
                _set(name, value)
                self._set[name] = value
            with self._compiling():
                yield
        finally:
            self._overridden.update(dict.fromkeys(self.overridden))
            self._set.clear()
            for name, value in before.items():
                _set(name, value)

    @contextmanager
    def _compiling(self) -> Iterator[None]:
        """A stand-in for ``torch.compile``, which ``nn.Module.compile`` calls, too."""
        if not self._keywords:
            yield
            return
        original, is_in_force = torch.compile, True

        @functools.wraps(original)
        def stand_in(*args: Any, **given: Any) -> Any:
            return original(*args, **(self.keywords(given) if is_in_force else given))

        torch.compile = stand_in
        try:
            yield
        finally:
            is_in_force = False
            if torch.compile is stand_in:  # else it passes through, wherever it hangs
                torch.compile = original

    def _keep(self, name: str) -> None:
        """That the program sets this one itself."""
        self._overridden[name] = None


def _is_default(name: str, value: object) -> bool:
    """Whether a keyword was given as what ``torch.compile`` has without it."""
    return value is None or (name in ("fullgraph", "isolate_recompiles") and value is False)


@contextmanager
def pulled(levers: Sequence[Lever]) -> Iterator[Pulled]:
    """:class:`Pulled` levers, in force until the end. Raises NoSuchLeverError."""
    found = Pulled(levers)
    with found.in_force():
        yield found


def missing(levers: Sequence[Lever]) -> tuple[str, ...]:
    """The settings that this torch lacks."""
    names = [lever.name for lever in levers if lever.kind is LeverKind.CONFIG]
    return tuple(name for name in names if not _exists(name))


def compile_keywords(levers: Sequence[Lever]) -> dict[str, Any]:
    """What the levers add to the keywords of ``torch.compile``."""
    found = {
        lever.name: ast.literal_eval(lever.value)
        for lever in levers
        if lever.kind is LeverKind.COMPILE
    }
    dropped = frozenset(
        ast.literal_eval(lever.value) for lever in levers if lever.kind is LeverKind.DROP_GUARD
    )
    return found | ({"options": {_FILTER: without_guards_of(dropped)}} if dropped else {})


def without_guards_of(sources: frozenset[str]) -> Callable[[Sequence[Any]], list[bool]]:
    """A ``guard_filter_fn`` that drops the guards of these sources, named as torch names them."""
    names = {guard_name(source) for source in sources}

    def keep(entries: Sequence[Any]) -> list[bool]:
        return [entry.name not in names for entry in entries]

    return keep


# --- marks, on the arguments of one call ---


def mark(
    levers: Sequence[Lever], target: Callable[..., Any], args: Any, kwargs: dict[str, Any]
) -> None:
    """Mark the tensors among the arguments of a call of ``target`` that the levers name.

    A lever for another function, or for what is no tensor or has no such dimension in this call,
    marks nothing. A mark stays on its tensor, and eager execution does not look at it.
    """
    for lever in levers:
        if lever.kind is LeverKind.MARK:
            source, dimension, function = ast.literal_eval(lever.value)
            # Torch's wrapper around a callable goes by the name of its type.
            if function in ("", _code_name(target), type(target).__qualname__):
                found = _value_of(source, target, args, kwargs)
                if isinstance(found, torch.Tensor) and dimension < found.dim():
                    _marker(lever.name)(found, dimension)


def _marker(name: str) -> Callable[[torch.Tensor, int], None]:
    """``mark_unbacked`` is in ``decorators`` alone (torch/_dynamo/decorators.py, 2.6 to 2.13)."""
    found: Callable[[torch.Tensor, int], None] | None = getattr(
        torch._dynamo.decorators, name, None
    )
    if found is None:
        raise NoSuchLeverError(f"torch {torch.__version__} has no {name}")
    return found


def _function(target: Callable[..., Any]) -> Any:
    """The function whose frame Dynamo compiles for a callable."""
    function = type(target).forward if isinstance(target, torch.nn.Module) else target
    return getattr(function, "__func__", function)


def _code_name(target: Callable[..., Any]) -> str:
    code = getattr(_function(target), "__code__", None)
    return getattr(code, "co_qualname", "")


def _value_of(source: str, target: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> Any:
    """What a source such as ``L['batch']['x'].y`` is in this call; None where it is not there."""
    try:
        return _read(ast.parse(source, mode="eval").body, _locals(target, args, kwargs))
    except (TypeError, LookupError, AttributeError, SyntaxError):
        return None


def _locals(target: Callable[..., Any], args: Any, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The variables with which a call begins; of torch's wrapper these are ``args``, ``kwargs``."""
    found = {"args": args, "kwargs": kwargs}
    owner = [target] if isinstance(target, torch.nn.Module) else []
    owner = owner or ([target.__self__] if hasattr(target, "__self__") else [])
    try:
        signature = inspect.signature(_function(target), follow_wrapped=False)
        bound = signature.bind(*owner, *args, **kwargs)
    except (TypeError, ValueError):
        return found
    bound.apply_defaults()
    return found | bound.arguments


def _read(node: ast.expr, local: dict[str, Any]) -> Any:
    """Attributes and items with constant keys, from ``L`` down; LookupError for all else."""
    match node:
        case ast.Name("L"):
            return local
        case ast.Attribute(owner, name):
            return getattr(_read(owner, local), name)
        case ast.Subscript(owner, ast.Constant(key)):
            return _read(owner, local)[key]
    raise LookupError(ast.unparse(node))


# --- settings, by their dotted names ---


def _settings(levers: Sequence[Lever]) -> dict[str, Any]:
    """Values by dotted name; lists of sources are joined, with what the program has set, too."""
    found: dict[str, Any] = {}
    for lever in levers:
        if lever.kind is LeverKind.CONFIG:
            value = ast.literal_eval(lever.value)
            sign = _LISTS.get(lever.name.rpartition(".")[2])
            if sign is not None:
                value = _joined(found.get(lever.name, _get(lever.name)), value, sign)
            found[lever.name] = value
    return found


def _joined(present: str, value: str, sign: str) -> str:
    entries = [entry for text in (present, value) for entry in text.split(sign) if entry]
    return sign.join(dict.fromkeys(entries))


def _owner(name: str) -> tuple[Any, str]:
    """The module or group that holds a setting: groups, as ``triton``, have attributes of theirs.

    Raises NoSuchLeverError.
    """
    *path, last = name.split(".")
    for length in range(len(path), 0, -1):
        try:
            owner: Any = importlib.import_module(".".join(path[:length]))
        except ImportError:
            continue
        rest = [*path[length:], last]
        if _reaches(owner, rest):
            return owner, ".".join(rest)
        break
    raise NoSuchLeverError(f"torch {torch.__version__} has no setting {name}")


def _reaches(owner: Any, path: Sequence[str]) -> bool:
    for part in path:
        if not hasattr(owner, part):
            return False
        owner = getattr(owner, part)
    return True


def _exists(name: str) -> bool:
    try:
        _owner(name)
    except NoSuchLeverError:
        return False
    return True


def _get(name: str) -> Any:
    owner, path = _owner(name)
    return functools.reduce(getattr, path.split("."), owner)


def _set(name: str, value: Any) -> None:
    owner, path = _owner(name)
    *groups, last = path.split(".")
    setattr(functools.reduce(getattr, groups, owner), last, value)
