"""Documents that no version of ours has written: made of valid ones, a few values at a time."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from typing import Any

from builders import program_audit
from hostile import ENCODABLE
from hypothesis import strategies as st
from test_formats import BROKEN, COMPARED, DOCUMENTS, FAILING
from test_storage import FULL, REPORT

from esper_audit.data.audits import ProgramReport
from esper_audit.data.recording import Program
from esper_audit.data.storage import Document, dumps

PROGRAM = ProgramReport(
    root="/p",
    audits=tuple(
        program_audit(
            program=Program(argv=("train.py", "--fast"), rank=rank, world_size=3, ended="exit 0"),
            compiles=FAILING.recording.compiles,
            findings=FAILING.findings,
        )
        for rank in (0, 1)
    ),
)
VALID: list[Document] = [FULL, REPORT, *DOCUMENTS.values(), BROKEN, COMPARED, PROGRAM]
_RAW = [json.loads(dumps(document)) for document in VALID]
_NUMBERS = [0, -1, 1, 2, 2**31, 2**53, 2**53 + 1, 2**63, -(2**63), 10**30, 0.5, -0.0, 1e300, 5e-324]
_OTHERS: list[Any] = [None, True, False, "", "x", [], {}, [None], {"": ""}, [[]], {"a": {"b": [1]}}]


_ENUMERATED = (
    *("schema_version", "verdict", "phase", "outcome", "kind", "why", "id", "status", "state"),
    *(
        "pattern",
        "runs_after",
        "expected_kind",
        "actual_kind",
        "counted",
        "eager",
        "against",
        "what",
    ),
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Of everything in a document, the keys that lead to it."""
    held = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, inner in held:
        yield (*path, key)
        yield from paths(inner, (*path, key))


def at(raw: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        raw = raw[key]
    return raw


_HELD = [
    (raw, [path for path in paths(raw) if path not in (("schema_version",), ("kind",))])
    for raw in _RAW
]
_MEMBERS: dict[Any, set[str]] = {}
"""By their keys, texts that stand for members of enumerations: another text is refused."""
for _raw, _known in _HELD:
    for _path in _known:
        _text = at(_raw, _path)
        if _path[-1] in _ENUMERATED and isinstance(_text, str):
            _MEMBERS.setdefault(_path[-1], set()).add(_text)


def _like(key: Any, value: Any) -> st.SearchStrategy[Any]:
    """Another value of the same kind: most are read."""
    if key in _MEMBERS:
        return st.sampled_from(sorted(_MEMBERS[key]))
    if isinstance(value, str):
        return st.one_of(st.sampled_from(["", *ENCODABLE]), st.text(max_size=40))
    if isinstance(value, bool):
        return st.booleans()
    if isinstance(value, int):
        return st.sampled_from([0, 1, 2, 3, 7, 100, 2**31, 2**53])
    if isinstance(value, float):
        return st.floats(0, 1e12)
    if isinstance(value, list) and value:
        return st.sampled_from([[], value[:1], value * 2, value[::-1], value * 30])
    if isinstance(value, dict):
        return st.sampled_from([{**value, "more": 1}, {**value, "\x1b": "\x1b"}])
    return st.sampled_from([None, 0, 1, 10**9])


ANYTHING = st.one_of(
    st.sampled_from([*_NUMBERS, *_OTHERS, *ENCODABLE]),
    st.recursive(
        st.none() | st.text(max_size=5), lambda held: st.lists(held, max_size=3), max_leaves=8
    ),
    st.sampled_from([70, 200]).map(lambda depth: json.loads("[" * depth + "]" * depth)),
)


@st.composite
def forged(draw: st.DrawFn, kinds: tuple[int, ...] = tuple(range(len(VALID)))) -> Any:
    """A document with one to six values replaced or taken away."""
    raw, known = _HELD[draw(st.sampled_from(kinds))]
    raw = copy.deepcopy(raw)
    for _ in range(draw(st.integers(1, 6))):
        path = draw(st.sampled_from(known))
        try:
            held = at(raw, path[:-1])
            value = held[path[-1]]
        except (KeyError, IndexError, TypeError):  # an earlier change has taken it away
            continue
        how = draw(st.sampled_from(["like"] * 15 + ["any", "gone"]))
        if how == "gone":
            del held[path[-1]]
        else:
            held[path[-1]] = draw(_like(path[-1], value) if how == "like" else ANYTHING)
    return raw
