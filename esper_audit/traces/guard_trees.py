"""The guard tree that torch logs of each cache entry, read: managers, their sources, their guards.

``GuardManagerWrapper.__str__`` of torch/_dynamo/guards.py writes it (2.6 to 2.14), one guard or
manager a line, indented by ``| ``. Worked example::

    +- RootGuardManager
    | +- GLOBAL_STATE: ___check_global_state()
    | +- GuardManager: source=L['k'], accessed_by=FrameLocalsGuardAccessor(…), type=<class 'int'>
    | | +- EQUALS_MATCH: L['k'] == 2    # return x * k  # case.py:10 in body
    +- LAMBDA_GUARD: L['x'].size()[0] == 3

is the type of ``L['k']``, and three guards: of the whole process, of ``L['k']``, and of none of the
sources alone. Types stand in it in 2.13, not yet in 2.8.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from esper_audit.torch_text.guard_kinds import Reading, kind_by, reading_of
from esper_audit.torch_text.plain_sources import key_of, one_way
from esper_audit.traces.remembered import Remembered

_LINE = re.compile(r"(?P<bars>(?:\| )*)\+- (?P<rest>.*)")
_MANAGER = re.compile(
    r"(?:(?:Key|Value)Manager: )?(?P<kind>\w*Manager\w*): source=(?P<source>.*?)"
    r"(?:, accessed_by=.*?)?(?:, type=<(?P<what>class|enum|flag) '(?P<type>.*?)'>)?"
    r"(?:, tag_safe=\(.*\))?"
)
_LEAF = re.compile(r"(?P<kind>[A-Za-z_]\w*): (?P<text>.*)", re.DOTALL)
_DICT_MANAGER = "Dict"
_LATENCY = "Guard latency"
MOST_LINES = 100_000
"""Lines of guard trees of which answers are remembered."""


@dataclass(frozen=True, slots=True)
class Guard:
    """One guard: torch's text of it, and the source that its manager is of; empty for none.

    ``line`` is its line of the tree, without the bars: two entries whose lines are equal want the
    same. ``of_enum``: the value is a member of an enum, as its manager says.
    """

    kind: str
    source: str
    text: str
    line: str
    of_enum: bool = False


@dataclass(slots=True)
class GuardTree:
    """All guards of one cache entry, and what its managers say of their sources.

    ``types`` are class names by source, ``dicts`` the sources of dictionaries that are guarded key
    by key, and ``sources`` all that are read, ``written`` these as torch writes them. ``enums``
    are those that hold members of enums.
    """

    guards: list[Guard] = field(default_factory=list)
    types: dict[str, str] = field(default_factory=dict)
    dicts: dict[str, str] = field(default_factory=dict)
    sources: set[str] = field(default_factory=set)
    written: set[str] = field(default_factory=set)
    enums: set[str] = field(default_factory=set)
    lines: set[str] = field(default_factory=set)
    of_source: dict[str, list[Guard]] = field(default_factory=dict)

    def of(self, source: str) -> Sequence[Guard]:
        """The guards of a source, whichever way it is read."""
        return self.of_source.get(one_way(source), ())

    def type_of(self, source: str) -> str:
        """The class of what the source holds; empty where the tree does not say."""
        return self.types.get(one_way(source), "")

    def length(self, owner: str) -> str:
        """How many keys a dictionary has, where each of them is guarded; else empty."""
        places = sorted(self.keys(owner))
        return str(len(places)) if places and places == list(range(len(places))) else ""

    def keys(self, owner: str) -> dict[int, str]:
        """Torch's texts of the guards on a dictionary's keys, by their places in its order."""
        keys = ((key_of(guard.source), guard.text) for guard in self.key_guards(owner))
        return {key[1]: text for key, text in keys if key is not None}

    def key_guards(self, owner: str) -> Iterator[Guard]:
        """The guards on a dictionary's keys."""
        if one_way(owner) in self.dicts:
            for guard in self.guards:
                key = key_of(guard.source)
                if key is not None and key[0] == owner:
                    yield guard


_TREES: Remembered[GuardTree] = Remembered(MOST_LINES)


def tree_of(lines: tuple[str, ...]) -> GuardTree:
    """The same as :func:`tree_of_lines`, worked out once; it is not to be changed."""
    return _TREES.answer(lines, len(lines), lambda: tree_of_lines(lines))


def tree_of_lines(lines: Iterable[str]) -> GuardTree:
    """The tree of these lines; lines of another form are left out."""
    tree, above = GuardTree(), [""]
    for depth, text in _whole_lines(lines):
        source = above[min(depth, len(above)) - 1] if depth else ""
        manager = _MANAGER.fullmatch(text) if "Manager" in text else None
        if manager is not None:
            del above[depth:]
            above += [source] * (depth - len(above)) + [manager["source"]]
            _add_manager(tree, manager)
        elif text == "RootGuardManager" or text.startswith("KeyValueManager"):
            del above[depth:]
            above += [source] * (depth + 1 - len(above))
        elif (leaf := _LEAF.fullmatch(text)) is not None:
            kind = kind_by(leaf["kind"], leaf["text"])
            if kind.startswith("LAMBDA_GUARD") and not source:
                kind = "SHAPE_EXPRESSION"  # what torch checks last is on several sources
            of_enum = one_way(source) in tree.enums
            _add_guard(tree, Guard(kind, source, leaf["text"], text, of_enum))
    return tree


def _whole_lines(lines: Iterable[str]) -> Iterator[tuple[int, str]]:
    """Each guard or manager with its depth; a text with line ends goes on in the next lines."""
    depth, parts = 0, list[str]()
    for line in lines:
        match = _LINE.fullmatch(line)
        if match is None and not parts:
            continue
        if match is None and not line.startswith((_LATENCY, "TREE_GUARD_MANAGER")):
            parts.append(line)
            continue
        if parts:
            yield depth, "\n".join(parts).rstrip()
        depth, parts = (len(match["bars"]) // 2, [match["rest"]]) if match else (0, [])
    if parts:
        yield depth, "\n".join(parts).rstrip()


def _add_manager(tree: GuardTree, manager: re.Match[str]) -> None:
    source = one_way(manager["source"])
    tree.sources.add(source)
    tree.written.add(manager["source"])
    if manager["type"]:
        tree.types.setdefault(source, manager["type"])  # one of its defaults has its source, too
    if manager["what"] in ("enum", "flag"):
        tree.enums.add(source)
    if _DICT_MANAGER in manager["kind"]:
        tree.dicts[source] = manager["source"]
        if manager["type"]:  # the manager itself checks it
            text = f"___check_type_id({manager['source']}), type=<class '{manager['type']}'>"
            _add_guard(tree, Guard("TYPE_MATCH", manager["source"], text, f"TYPE_MATCH: {text}"))


def _add_guard(tree: GuardTree, guard: Guard) -> None:
    own = tree.of_source.setdefault(one_way(guard.source), [])
    if reading_of(guard.kind) is Reading.MARKS and own and own[-1].kind == guard.kind:
        before = own.pop()  # one guard, whose parts torch writes on lines of their own
        tree.guards.remove(before)
        whole = f"{before.text} and {guard.text}"
        guard = Guard(guard.kind, guard.source, whole, f"{before.line}\n{guard.line}")
    own.append(guard)
    tree.guards.append(guard)
    tree.lines.add(guard.line)
