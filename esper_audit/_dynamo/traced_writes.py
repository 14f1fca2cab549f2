"""Writes that Dynamo traces: compiled code repeats them where they have no line of their own.

Generated code has the line of ``def``, or of its first decorator, up to the statement of a graph
break (torch/_dynamo/side_effects.py and bytecode_transformation.py, 2.8 to 2.14). So a change
that such code makes is matched with the writes that were traced for it; without a match, its line
is not known.

Worked example: line 5, ``self.table["n"] += 1``, is traced as a write to the container at
``L['self'].table``. When a run of this code has changed ``L['self'].table['n']``, that container
holds it, and no later write in the trace may have changed it as well: line 5 wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import CodeType, FrameType, ModuleType
from typing import Any

from esper_audit._dynamo import readings
from esper_audit._dynamo.watched_value import Item, Path, Scope, path_of
from esper_audit.data.places import Location

Slot = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class TracedWrite:
    """A write in a trace: to an attribute of what is at ``owner``, or to a container's entries.

    ``owner`` is None for what can't be read; ``is_new``: because it was made in the trace.
    ``local`` is a captured variable, which is written itself. ``is_alone``: no other line of the
    trace writes to entries of the container.
    """

    line: Location | None
    owner: Path | None
    is_new: bool = False
    attribute: str = ""
    local: str = ""
    is_alone: bool = True


@dataclass(slots=True)
class _Draft:
    """A write as it is traced. ``graph`` is a weak reference: each attempt to trace has its own."""

    graph: Any
    item: Any
    line: Location | None
    attribute: str = ""


@dataclass(slots=True)
class Trace:
    """All writes traced in one compile; ``writes`` are those of the code that it gave, in order."""

    code: CodeType | None
    drafts: list[_Draft] = field(default_factory=list)
    writes: tuple[TracedWrite, ...] = ()

    def stored(self, effects: Any, item: Any, attribute: str) -> None:
        """An attribute of this variable of Dynamo's is written; without one, its entries are."""
        graph = effects.output_graph_weakref
        self.drafts.append(_Draft(graph, item, readings.traced_line(), attribute))

    def made(self, graph: Any) -> None:
        """This graph is the one that is compiled; earlier attempts left nothing behind."""
        drafts = [draft for draft in self.drafts if draft.graph() is graph]
        self.writes = tuple(_final(draft, drafts) for draft in drafts)
        self.drafts.clear()


def _final(draft: _Draft, drafts: list[_Draft]) -> TracedWrite:
    item, source = draft.item, getattr(draft.item, "source", None)
    if type(item).__name__ == "NewGlobalVariable":
        return TracedWrite(draft.line, Path("G", ()), attribute=draft.attribute)
    local = getattr(item, "local_name", None) if draft.attribute == "cell_contents" else None
    if local:
        return TracedWrite(draft.line, None, local=str(local))
    owner = None if source is None else _owner(source)
    # Which entries a write changes is not told: torch tells it before some and after others (2.13).
    same = (other for other in drafts if other.item is item and not other.attribute)
    is_alone = all(other.line == draft.line for other in same)
    return TracedWrite(draft.line, owner, source is None, draft.attribute, is_alone=is_alone)


def _owner(source: Any) -> Path | None:
    try:
        return path_of(source.name if isinstance(source.name, str) else source.name())
    except Exception:  # no path; a local cell's source raises NotImplementedError
        return None


_GONE = object()


class Run:
    """One call of compiled code: what its writes reach, from the values that it was called with."""

    def __init__(self, frame: FrameType, writes: tuple[TracedWrite, ...]) -> None:
        self._scope = Scope({"frame": frame, "code": frame.f_code})
        self._frame = frame
        self._writes = writes

    def line_of(self, item: Item, *, is_moved: bool) -> Location | None:
        """The line that has changed this value; None where that is not known.

        ``is_moved``: what holds the value was replaced too, maybe by what is made in the trace.
        """
        where = _Place(item, is_moved)
        for write in reversed(self._writes):
            hits = self._hits(write, where)
            if hits is None:
                return None
            if hits:
                return write.line
        return None

    def _hits(self, write: TracedWrite, where: _Place) -> bool | None:
        """Whether a write has changed this value; None for maybe."""
        if write.local:
            return self._hits_local(write, where)
        if write.is_new and not where.is_moved:
            return False
        try:
            owner = self._scope.read(write.owner) if write.owner is not None else _GONE
        except Exception:  # gone since, or not to be read without the user's code
            owner = _GONE
        if owner is _GONE:
            return None if where.may_be_reached(write) else False
        if write.attribute:
            return not where.slots.isdisjoint(_slots(owner, "attribute", write.attribute))
        return (write.is_alone or None) if where.is_in(owner) else False

    def _hits_local(self, write: TracedWrite, where: _Place) -> bool | None:
        """Which cell it was is not told: one of the same name with the same value is taken for it.

        A trace knows a cell by one name. So there is doubt where it writes to others, too.
        """
        if where.is_in_a_cell:
            return None
        if where.captured != write.local:
            return False
        others = any(other.attribute == "cell_contents" for other in self._writes)
        same = self._frame.f_locals.get(write.local, _GONE) is where.captured_value
        return True if same and not others else None


class _Place:
    """Where a watched value is held."""

    def __init__(self, item: Item, is_moved: bool) -> None:
        path, scope = item.path, item.scope
        self.is_moved = is_moved
        held = list(scope.steps(path))
        self.slots = frozenset(
            slot for step in (held if is_moved else held[-1:]) for slot in _slots(*step)
        )
        self._names = {key for kind, key in path.steps if kind == "attribute"}
        self.is_in_a_cell = "cell_contents" in self._names
        captured = scope.captured(path)
        self.captured = captured if is_moved or len(path.steps) == 1 else ""
        self.captured_value = scope[captured] if self.captured else None
        self._own = _read(item)

    def may_be_reached(self, write: TracedWrite) -> bool:
        """Whether a write to what can't be read may be one to a part of this path."""
        return not write.attribute or write.attribute in self._names

    def is_in(self, container: object) -> bool:
        """Whether this value is the container, or an entry of it."""
        return self._own is container or any(slot[0] == id(container) for slot in self.slots)


def _read(item: Item) -> Any:
    try:
        return item.scope.read(item.path)
    except Exception:
        return None


def _slots(owner: object, kind: str, key: object) -> Iterator[Slot]:
    """Of an attribute: in the object, in its dictionary, or in the class that it is found in."""
    if isinstance(owner, ModuleType):
        yield id(vars(owner)), key
        return
    yield id(owner), key
    if kind != "attribute":
        return
    held = _dictionary(owner)
    if held is not None:
        yield id(held), key
    if held is None or key not in held:
        classes = type.mro(owner) if isinstance(owner, type) else type(owner).__mro__
        yield from ((id(one), key) for one in classes if key in vars(one))


def _dictionary(owner: object) -> dict[Any, Any] | None:
    try:
        held = object.__getattribute__(owner, "__dict__")
    except AttributeError:
        return None
    return held if type(held) is dict else None
