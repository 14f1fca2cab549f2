"""Guard sources in the user's terms, as far as the trees of a frame and its source file tell."""

from __future__ import annotations

import ast
from dataclasses import replace

from esper_audit.data.compiles import GuardFailure
from esper_audit.torch_text import guard_trees as trees
from esper_audit.torch_text.guard_text import wanted_value
from esper_audit.torch_text.one_value import of_one_value
from esper_audit.torch_text.plain_sources import plain_source
from esper_audit.torch_text.sources import in_user_terms
from esper_audit.traces.guard_trees import GuardTree
from esper_audit.traces.stated import StatedValues
from esper_audit.traces.written_code import WrittenCode

_LISTS = ("ModuleList", "Sequential", "ParameterList")
_DICTS = ("ModuleDict", "ParameterDict")


class LoggedNames:
    """What the trees of one frame's entries know of the parts of a source."""

    def __init__(self, values: StatedValues, entries: dict[str, GuardTree], code: WrittenCode):
        self._values, self._entries, self._code = values, entries, code

    def named(self, failure: GuardFailure) -> GuardFailure:
        """The failure, its source in the user's terms, and whose state it is."""
        failure = of_one_value(failure, self._values.seen)
        source = in_user_terms(failure.source, self)
        names = () if self._wraps() else self._code.captured
        captured = failure.torch_source in {f"L['{name}']" for name in names}
        return replace(
            failure,
            source=source,
            torch_source=plain_source(failure.torch_source),
            captured=captured,
            own=self._is_own(failure.torch_source) or captured,
        )

    def _is_own(self, source: str) -> bool:
        """Whether it lies under the object whose method the frame is, or under a wrapped one."""
        first = f"L['{self._code.first}']" if self._code.is_method else ""
        owners = tuple(filter(None, (first, "L['fn']" if self._wraps() else "")))
        return bool(owners) and source.startswith(owners)

    def _wraps(self) -> bool:
        return "fn" in self._code.captured or "func" in self._code.captured

    def variable(self, _function: ast.expr, _place: int, /) -> str:
        return ""

    def parameter(self, _function: ast.expr, place: int | str, /) -> str:
        return place if isinstance(place, str) else ""

    def bound(self, _partial: ast.expr, _place: int | str, /) -> str:
        return ""

    def argument(self, _place: int, /) -> str:
        return ""

    def result(self, _name: str, /) -> str:
        return ""

    def injected(self, _name: str, /) -> str:
        return ""

    def key(self, owner: ast.expr, place: int, /) -> str:
        source = ast.unparse(owner)
        for tree in (self._values.tree, *self._entries.values()):
            text = tree.keys(source).get(place)
            if text is not None:
                return wanted_value(text) or ""
        return ""

    def container(self, module: ast.expr, _entries: str, /) -> str:
        name = self._type(module).rpartition(".")[2]
        if not name:
            return ""
        if name in _LISTS:
            return "list"
        return "dict" if name in _DICTS else "module"

    def wrapped(self) -> str:
        name = self._type(trees.tree_of("L['fn']"))
        return "self" if name and name not in ("function", "method") else ""

    def class_name(self, instance: ast.expr, place: int, /) -> str:
        return self._type(instance).rpartition(".")[2] if place == 0 else ""

    def _type(self, node: ast.expr | None) -> str:
        source = ast.unparse(node) if node is not None else ""
        for tree in (self._values.tree, *self._entries.values()):
            if name := tree.type_of(source):
                return name
        return ""
