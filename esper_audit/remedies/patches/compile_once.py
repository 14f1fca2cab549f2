"""``torch.compile`` called once, and its result kept; or the backend made once."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import call_places, is_compile
from esper_audit.remedies.patches.hoisting import Changes, hoisted, refuse
from esper_audit.remedies.patches.making import edits_of, syntax_at
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.syntax import Syntax, before, dotted
from esper_audit.source.project import Project


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The compile of the call that recompiled, moved out of its loop or function."""
    places = call_places(finding)
    syntax = syntax_at(project, places[0] if places else None, "the call of the compiled function")
    compiles = list(_compiles_of(syntax, places))
    if not compiles:
        raise Refused("a call of torch.compile near the call that recompiled", places[0])
    made = False
    for changes in _ways(syntax, compiles):
        made = True
        yield edits_of({syntax: changes})
    if not made:
        raise refuse(syntax, compiles[0], "a compile of what outlives the loop or the call")


def _ways(syntax: Syntax, compiles: list[cst.Call]) -> Iterator[Changes]:
    if len(compiles) > 1:
        yield from _one_for_all(syntax, compiles)
        return
    [compiled] = compiles
    yield from hoisted(syntax, compiled, _name(syntax, compiled))
    backend = _backend(compiled)
    if backend is not None and not isinstance(backend, cst.Name | cst.SimpleString):
        yield from hoisted(syntax, backend, "backend_once")


def _compiles_of(syntax: Syntax, places: list[Location]) -> Iterator[cst.Call]:
    """Calls of torch.compile that made what these lines call; with those of the same function."""
    found = [one for one in syntax.all(cst.Call) if is_compile(one) and _is_torchs(one)]
    near = [one for one in found if any(_made_for(syntax, one, place) for place in places)]
    if not near:
        return
    what = {_compiled(syntax, one) for one in near}
    scopes = {syntax.scope_of(one) for one in near}
    for one in found:
        same = _compiled(syntax, one) in what and syntax.scope_of(one) in scopes
        if one in near or (same and not _is_decorator(syntax, one)):
            yield one


def _is_torchs(call: cst.Call) -> bool:
    return not dotted(call.func).startswith("re.")


def _made_for(syntax: Syntax, call: cst.Call, place: Location) -> bool:
    """Whether the line calls what this compile returns."""
    if syntax.covers(syntax.statement_of(call), place.line) and not _is_decorator(syntax, call):
        return syntax.covers(call, place.line)
    called = {dotted(one.func) for one in syntax.all(cst.Call) if syntax.covers(one, place.line)}
    parent = syntax.parent(call)
    if isinstance(parent, cst.Assign):
        return bool(called & {dotted(target.target) for target in parent.targets})
    if isinstance(parent, cst.Decorator):
        function = syntax.parent(parent)
        return isinstance(function, cst.FunctionDef) and function.name.value in called
    return False


def _is_decorator(syntax: Syntax, call: cst.Call) -> bool:
    return isinstance(syntax.parent(call), cst.Decorator)


def _compiled(syntax: Syntax, call: cst.Call) -> str:
    first = call.args[0] if call.args else None
    return syntax.code(first.value) if first is not None and first.keyword is None else ""


def _name(syntax: Syntax, call: cst.Call) -> str:
    text = _compiled(syntax, call).rpartition(".")[2]
    return f"compiled_{text}" if text.isidentifier() else "compiled_once"


def _backend(call: cst.Call) -> cst.BaseExpression | None:
    return next(
        (one.value for one in call.args if one.keyword and one.keyword.value == "backend"), None
    )


def _one_for_all(syntax: Syntax, compiles: list[cst.Call]) -> Iterator[Changes]:
    """Several compiles of one function in one scope: the first is kept for all."""
    first, *others = compiles
    blocks = {id(syntax.parent(syntax.statement_of(one))) for one in compiles}
    if len(blocks) > 1 or not _compiled(syntax, first).isidentifier():
        return
    name = _name(syntax, first)
    statement = syntax.statement_of(first)
    parent = syntax.parent(first)
    changes: Changes = {one: (lambda _: cst.Name(name)) for one in others}
    if isinstance(parent, cst.Assign) and isinstance(parent.targets[0].target, cst.Name):
        kept = parent.targets[0].target.value
        yield {one: (lambda _: cst.Name(kept)) for one in others}
        return
    changes[first] = lambda _: cst.Name(name)
    changes[statement] = before(f"{name} = {syntax.code(first)}")
    yield changes
