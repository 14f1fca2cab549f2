"""The values that a watch polls: guard sources, where they are read, what they were."""

from __future__ import annotations

import ast
import re
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from inspect import CO_VARARGS, CO_VARKEYWORDS, getattr_static
from types import GetSetDescriptorType, MemberDescriptorType
from typing import Any
from weakref import ref

import torch

from esper_audit._dynamo.defaults import Defaults
from esper_audit._dynamo.guard_tree import is_of_dict, walk
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.torch_text.guard_text import presence_in
from esper_audit.torch_text.plain_sources import plain_source, sources_of
from esper_audit.torch_text.relations import split_expression

ARGUMENT = Reason(why=Why.IS_ARGUMENT)
"""The call that passed it is named instead."""
_LOCAL = re.compile(r"^L\['(\w+)'\]")
_ELEMENT = re.compile(r"^L\['\w+'\]\[([^\]]+)\]")
_GLOBAL = re.compile(r"^G\['(\w+)'\]")
_CONSTANT = frozenset(
    (type(None), bool, int, float, complex, str, bytes, torch.dtype, torch.device)
)
_TENSORS = frozenset((torch.Tensor, torch.nn.Parameter))
_CONTAINERS = (list, dict, set, deque)
_MOST_KEYS = 64
_OF_FUNCTION = ".__code__"
_OF_TENSOR = re.compile(r"\.(?:size|stride|storage_offset)\(\)(?:\[\d+\])?$")
_SELDOM = ("._parameters[", "._buffers[")
_NEVER = ("__builtins", ".__class__", ".__mro__")


def root_of(source: str) -> str:
    """The local or global variable that a guard source starts from; empty for none."""
    match = _LOCAL.match(source) or _GLOBAL.match(source)
    return match[0] if match is not None else ""


@lru_cache(maxsize=4096)
def prefixes(source: str) -> tuple[str, ...]:
    """``a.b[0]`` as ``a.b[0]``, ``a.b``, ``a``: a write to any of them changes the value."""
    found = []
    node: ast.AST = ast.parse(_OF_TENSOR.sub("", source), mode="eval").body
    while True:
        found.append(ast.unparse(node))
        if not isinstance(node, (ast.Attribute, ast.Subscript)):
            break
        node = node.value
    return tuple(part for part in found if part not in ("L", "G") and _is_path(part))


@dataclass(frozen=True, slots=True)
class Path:
    """A guard source, taken apart: where it starts, and each step from there."""

    start: str
    steps: tuple[tuple[str, Any], ...]


@lru_cache(maxsize=4096)
def path_of(source: str) -> Path:
    """Raises ValueError for what is no path of attributes and constant keys."""
    steps: list[tuple[str, Any]] = []
    node: ast.AST = ast.parse(source, mode="eval").body
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(("attribute", node.attr))
        elif isinstance(node, ast.Subscript):
            steps.append(("item", ast.literal_eval(node.slice)))
        else:
            raise ValueError(f"no path: {source}")
        node = node.value
    if node.id == "L" and steps:
        steps[-1] = ("local", steps[-1][1])
    return Path(node.id, tuple(reversed(steps)))


def guarded_sources(manager: Any) -> list[str]:
    """What the guards of a cache entry read, in torch's terms: each once, what often changes first.

    Not what nobody writes, and not what is no expression.
    """
    found: dict[str, None] = {}
    for node in walk(manager.root):
        source = node.get_source()
        if is_of_dict(node):  # its length needs no guard of its own
            found[plain_source(source)] = None
        for leaf in node.get_leaf_guards():
            for read in _sources_of(source, str(leaf.verbose_code_parts()[0])):
                found[plain_source(read).removesuffix(_OF_FUNCTION)] = None
    for guard in manager.root.get_epilogue_lambda_guards():
        for text in guard.verbose_code_parts():
            found.update(dict.fromkeys(sources_of(str(text))))
    every = (source for source in found if root_of(source) and _is_readable(source))
    return sorted(every, key=lambda source: any(word in source for word in _SELDOM))


def _sources_of(source: str, text: str) -> Iterator[str]:
    yield source
    presence = presence_in(text)
    if presence is not None:  # the guard is about what is in its source
        yield presence.source


def _is_readable(source: str) -> bool:
    if any(word in source for word in _NEVER):
        return False
    try:
        prefixes(source)
    except SyntaxError:
        return False
    return True


def _is_path(source: str) -> bool:
    try:
        path_of(source)
    except (ValueError, SyntaxError):
        return False
    return True


class Scope:
    """What a frame's guard sources are read from, without keeping most objects alive.

    Built-in containers can't be referred to weakly, and captured variables are read from their
    cells: these are kept as long as the watch.
    """

    def __init__(self, call: Mapping[str, Any]) -> None:
        frame, code = call.get("frame"), call["code"]
        f_locals = frame.f_locals if frame is not None else call.get("locals", {})
        self._cells = dict(zip(code.co_freevars, call.get("closure") or (), strict=False))
        self._defaults: Defaults = call.get("defaults") or Defaults()
        names = code.co_varnames[code.co_argcount + code.co_kwonlyargcount :]
        several = bool(code.co_flags & CO_VARARGS) + bool(code.co_flags & CO_VARKEYWORDS)
        self._several = {name: _Several(f_locals[name]) for name in names[:several]}
        self._roots = {name: _weakly(value) for name, value in f_locals.items()}
        self._globals = {"G": frame.f_globals if frame is not None else call["globals"], "L": self}

    def __getitem__(self, name: str) -> Any:
        if name in self._cells:
            return self._cells[name].cell_contents
        if name in self._defaults:
            return self._defaults[name]
        return self._several[name] if name in self._several else self._roots[name]()

    def read(self, path: Path) -> Any:
        """The value at a path, without running code of the user; raises where there is none."""
        value: Any = self._globals[path.start]
        for kind, key in path.steps:
            value = self._step(value, kind, key)
        return value

    def _step(self, value: Any, kind: str, key: Any) -> Any:
        if kind == "attribute":
            return _attribute(value, key)
        return self[key] if kind == "local" else _item(value, key)

    def steps(self, path: Path) -> Iterator[tuple[Any, str, Any]]:
        """What holds each part of a path, and as what: up to where nothing is there any more."""
        value: Any = self._globals[path.start]
        for kind, key in path.steps:
            if kind != "local":
                yield value, kind, key
            elif key in self._cells:
                yield self._cells[key], "attribute", "cell_contents"
            try:
                value = self._step(value, kind, key)
            except Exception:
                return

    def captured(self, path: Path) -> str:
        """The captured variable that a path starts from; empty for none."""
        kind, key = path.steps[0] if path.steps else ("", "")
        return str(key) if kind == "local" and key in self._cells else ""

    def identity(self, source: str) -> int:
        """Which object a source starts from; the cell for a captured variable."""
        match = _LOCAL.match(source)
        if match is None:
            return id(self._globals["G"])
        name = match[1]
        element = _ELEMENT.match(source) if name in self._several else None
        if element is not None:
            return id(self._several[name][ast.literal_eval(element[1])])
        if name in self._defaults:
            return id(self._defaults.function)
        return id(self._cells[name] if name in self._cells else self[name])

    def is_dead(self, source: str) -> bool:
        """Whether the object that a source starts from is gone."""
        if self.is_default(source):
            return self._defaults.function is None
        match = _LOCAL.match(source)
        held = self._roots.get(match[1]) if match is not None else None
        return isinstance(held, ref) and held() is None

    def is_default(self, source: str) -> bool:
        """Whether it starts from a parameter that holds its default: the function's state."""
        match = _LOCAL.match(source)
        return match is not None and match[1] in self._defaults

    def is_argument(self, source: str) -> bool:
        """Whether it is a value that the caller passed, and no state that it reaches.

        Of a relation between several: whether each of them is.
        """
        sides = split_expression(source).sides or (source,)
        return all(map(self._is_passed, sides))

    def is_mutable(self, source: str) -> bool:
        """Whether it is a container, which may change after it was passed."""
        try:
            return issubclass(type(self.read(path_of(source))), _CONTAINERS)
        except Exception:  # a relation, or nothing that can be read
            return False

    def _is_passed(self, source: str) -> bool:
        match = _LOCAL.match(source)
        if match is None or match[1] in self._cells or match[1] in self._defaults:
            return False
        rest = _OF_TENSOR.sub("", source[match.end() :])
        return not rest or (match[1] in self._several and rest.count("[") == 1 and rest[-1] == "]")


def _attribute(owner: Any, name: str) -> Any:
    """Of an instance or its class; properties and ``__getattr__`` are the user's code."""
    try:
        held = object.__getattribute__(owner, "__dict__")
    except AttributeError:  # slots alone
        held = {}
    if name == "__dict__":
        return held
    if name in held:
        return held[name]
    found = getattr_static(owner, name)
    if isinstance(found, (MemberDescriptorType, GetSetDescriptorType)):
        return found.__get__(owner)
    return found


def _item(owner: Any, key: Any) -> Any:
    """Of a built-in container, past what a subclass makes of it (``defaultdict`` fills itself)."""
    if isinstance(owner, dict):
        if not dict.__contains__(owner, key):
            raise KeyError(key)
        return dict.__getitem__(owner, key)
    if isinstance(owner, list):
        return list.__getitem__(owner, key)
    if isinstance(owner, tuple):
        return tuple.__getitem__(owner, key)
    if isinstance(owner, _Several):
        return owner[key]
    raise TypeError(f"no built-in container: {type(owner).__name__}")


class _Several:
    """``*args`` or ``**kwargs``, each of them held weakly: the container is new at each call."""

    def __init__(self, values: Any) -> None:
        items = values.items() if isinstance(values, dict) else enumerate(values)
        self._held = {key: _weakly(value) for key, value in items}

    def __getitem__(self, key: Any) -> Any:
        return self._held[key]()


def _weakly(value: Any) -> Any:
    try:
        return ref(value)
    except TypeError:
        return lambda: value


class Item:
    """One watched value.

    ``write`` is the line that changed it last, and who called that; or why that is not known.
    ``is_replaced``: what changed last was which object it is, not what is in it.
    """

    def __init__(self, source: str, scope: Scope) -> None:
        self.source = source
        self.path = path_of(source)
        self.scope = scope
        self._value = self._read()
        self.write: tuple[Location, Location | None] | Reason | None = None
        self.is_replaced = False

    @property
    def is_dead(self) -> bool:
        """Whether there is nothing to watch any more."""
        return self.scope.is_dead(self.source)

    def changed(self) -> bool:
        """Whether the value is another than at the last call of this."""
        value = self._read()
        if value == self._value:
            return False
        self.is_replaced = _object_in(value) != _object_in(self._value)
        self._value = value
        return True

    def _read(self) -> object:
        """The value as what can be compared without running the user's code."""
        try:
            return _signature(self.scope.read(self.path))
        except Exception:
            return "<not there>"


def _object_in(signature: object) -> object:
    return signature[0] if isinstance(signature, tuple) else signature


def _signature(value: Any) -> object:
    kind = type(value)
    if kind in _CONSTANT:
        return kind, value
    if kind in _TENSORS:
        return id(value), kind, value.dtype, value.device, tuple(value.shape), value.requires_grad
    if issubclass(kind, (dict, set)):
        return id(value), _keys(value)
    if issubclass(kind, (list, tuple)):
        return id(value), list.__len__(value) if issubclass(kind, list) else tuple.__len__(value)
    return id(value), deque.__len__(value) if issubclass(kind, deque) else kind


def _keys(value: Any) -> object:
    """Which keys a container has; of many, only how many: each poll would look at all."""
    base: Any = dict if issubclass(type(value), dict) else set
    size = base.__len__(value)
    return size if size > _MOST_KEYS else tuple(map(id, base.__iter__(value)))
