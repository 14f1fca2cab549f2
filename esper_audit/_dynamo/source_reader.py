"""The object that a guard source names, read without running code of the user's."""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Mapping
from types import FunctionType
from typing import Any
from weakref import ref

import torch

from esper_audit._dynamo.watched_value import _attribute, _item
from esper_audit.torch_text import guard_trees as trees

MISSING = object()
"""What stands for a value that is not there, or that only the user's code would tell."""


class Reader:
    """Reads sources in a frame's local and global variables."""

    def __init__(self, f_locals: Mapping[str, Any], f_globals: Mapping[str, Any]) -> None:
        self._roots = {"L": f_locals, "G": f_globals}

    def read(self, node: ast.expr) -> Any:
        """The object, or MISSING."""
        try:
            return self._read(node)
        except Exception:
            return MISSING

    def _read(self, node: ast.expr) -> Any:
        if isinstance(node, ast.Constant):
            return node.value
        for name, variables in self._roots.items():
            local = trees.root(node, name)
            if local:
                return variables[local]
        for rule in (self._class, self._key, self._size, self._call):
            found = rule(node)
            if found is not MISSING:
                return found
        attribute = trees.attribute_place(node)
        if attribute is not None:
            return self._attribute(*attribute)
        if isinstance(node, ast.Subscript):
            return _item(self._read(node.value), self._index(node.slice))
        raise ValueError(f"not read: {ast.unparse(node)}")

    def _attribute(self, owner: ast.expr, name: str) -> Any:
        held = self._read(owner)
        if name == "__func__" and type(held) is FunctionType:
            return held  # a method is read from its class, as a function
        found = _attribute(held, name)
        # A field of a named tuple: its descriptor is Python's own (collections._tuplegetter).
        is_field = type(found).__name__ == "_tuplegetter" and isinstance(held, tuple)
        return found.__get__(held) if is_field else found

    def _class(self, node: ast.expr) -> Any:
        place = trees.class_place(node)
        return MISSING if place is None else type(self._read(place[0])).__mro__[place[1]]

    def _key(self, node: ast.expr) -> Any:
        place = trees.key_place(node)
        return MISSING if place is None else list(dict.keys(self._read(place[0])))[place[1]]

    def _size(self, node: ast.expr) -> Any:
        """A size, a stride or an offset of a tensor or an array."""
        place: object = None
        if isinstance(node, ast.Subscript):
            place, node = trees.constant(node.slice), node.value
        method = node.func if isinstance(node, ast.Call) and not node.args else None
        if not isinstance(method, ast.Attribute) or method.attr not in _OF_TENSOR:
            return MISSING
        return _dimension(self._read(method.value), method.attr, place)

    def _index(self, node: ast.expr) -> Any:
        found = trees.constant(node)
        return self._read(node) if found is node else found

    def _call(self, node: ast.expr) -> Any:
        if not isinstance(node, ast.Call):
            return MISSING
        name, given = trees.called(node), node.args
        if name in trees.SAME:
            return self._read(given[0])
        if name in trees.GET_ITEM:
            return _item(self._read(given[0]), self._index(given[1]))
        if name == "__import__":
            return sys.modules[str(trees.constant(given[0]))]
        return self._method(node)

    def _method(self, node: ast.Call) -> Any:
        function = node.func
        if node.args or isinstance(function, ast.Name):
            return MISSING
        if isinstance(function, ast.Attribute):
            same = function.attr == "item" and trees.called(function.value) in trees.SAME
            return self._read(function.value) if same else MISSING
        weak = self._read(function)
        return weak() if type(weak) is ref else MISSING


def _dimension(held: Any, name: str, place: object) -> Any:
    read = _OF_TENSOR.get(name)
    # A subclass has code of its own for these (__torch_function__).
    if read is None or type(held) not in (torch.Tensor, torch.nn.Parameter):
        return _of_array(held, place) if name == "size" else MISSING
    found = read(held)
    return found[place] if isinstance(place, int) else found


def _of_array(held: Any, place: object) -> Any:
    kind = type(held)
    if (kind.__module__, kind.__name__) != ("numpy", "ndarray") or not isinstance(place, int):
        return MISSING
    return held.shape[place]


_OF_TENSOR: dict[str, Callable[[torch.Tensor], Any]] = {
    "size": torch.Tensor.size,
    "stride": torch.Tensor.stride,
    "storage_offset": torch.Tensor.storage_offset,
}
