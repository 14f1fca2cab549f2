"""How a cache is written that forward fills: the test, what it makes, what remains without it."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Location
from esper_audit.remedies.patches.literals import last_name
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite
from esper_audit.remedies.patches.subject import Subject
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import Function, dotted

CACHES = frozenset((Diagnosis.LAZY_CACHE, Diagnosis.ATTRIBUTE_PRESENCE))
"""Diagnoses that are mostly about a cache; others can be about what one is made of."""


@dataclass(frozen=True)
class Cache:
    """``made`` are the attributes that are filled, with what; ``lines`` are those that go.

    ``name`` is the attribute that is tested.
    """

    name: str
    function: Function
    made: dict[str, ast.expr]
    lines: tuple[ast.stmt, ...]

    def holds(self, node: ast.AST) -> bool:
        """Whether a node stands in what goes."""
        return any(node is one for line in self.lines for one in ast.walk(line))

    def take_out(self, rewrite: Rewrite) -> None:
        """Remove the lines that test and fill it; raises Refused where more needs them."""
        gone = {
            one.id
            for line in self.lines
            for one in ast.walk(line)
            if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
        }
        for one in ast.walk(self.function.node):
            if isinstance(one, ast.Name) and one.id in gone and not self.holds(one):
                at = Location(rewrite.file.path, one.lineno, self.function.qualname)
                raise Refused(f"{one.id} is used elsewhere, too", at)
        for line in self.lines:
            rewrite.remove(line, comments=True)


_RANDOM = re.compile(
    r"(rand|randn|randint|randperm)(_like)?|new_rand\w*|bernoulli_?|multinomial|normal_?|uniform_"
    r"|random_|exponential_|geometric_|cauchy_|log_normal_|\w*dropout\w*"
)


def refuse_changing(subject: Subject, cache: Cache, needs: frozenset[str]) -> None:
    """Raise Refused where it is made of what is another thing at another time.

    These are random numbers, and parameters: training and ``load_state_dict`` change them, and the
    cache stays as it was made. ``needs`` are the attributes that it is made of.
    """
    at = Location(cache.function.file.path, cache.lines[0].lineno, cache.function.qualname)
    for line in cache.lines:
        for one in ast.walk(line):
            if isinstance(one, ast.Call) and _RANDOM.fullmatch(last_name(one)):
                raise Refused(f"it is made of random numbers, by {last_name(one)}", at)
    for name in sorted(needs):
        if any(_is_learned(site) for site in subject.named(name).sites):
            raise Refused(f"it is made of {name}, which training or loading changes", at)


def _is_learned(site: Site) -> bool:
    """Whether a line binds a parameter, or a module of torch."""
    if site.via == "register_parameter":
        return True
    made = dotted(site.value.func) if isinstance(site.value, ast.Call) else ""
    last = made.rpartition(".")[2]
    is_module = made.startswith(("nn.", "torch.nn.")) and last[:1].isupper() and last != "Buffer"
    return site.kind is SiteKind.WRITE and (last == "Parameter" or is_module)


def cache_of(subject: Subject, sized: bool = False) -> Cache | None:
    """The cache that the subject is, or that is made where the subject is used; None: it is none.

    ``sized``: it may also be filled again where something else than its dtype or device differs.
    Raises Refused where it is one that is filled in a way that can't be moved.
    """
    functions = [
        site.function
        for site in subject.sites
        if site.function is not None and site.function.owner in subject.reading
    ]
    for function in dict.fromkeys((subject.user, *functions)):
        for node in ast.walk(function.node):
            if isinstance(node, ast.If):
                found = _cache_in(node, function, subject, sized)
                if found is not None:
                    return found
    return None


def _cache_in(node: ast.If, function: Function, subject: Subject, sized: bool) -> Cache | None:
    name = _tested(node.test, sized=sized)
    if name is not None and not node.orelse:
        made = _made_in(node.body, function, name)
        if made is not None and _concerns(name, node.body, subject):
            return Cache(name, function, made, (node,))
    name = _tested(node.test, empty=False)
    if name is not None and _returns_it(node, name):
        return _early_return(node, function, name, subject)
    return None


def _concerns(name: str, lines: list[ast.stmt], subject: Subject) -> bool:
    """Whether the finding is about the cache, or about a line that fills it."""
    if name == subject.name:
        return True
    line = subject.finding.user_line
    assert line is not None
    return any(
        isinstance(one, ast.Attribute)
        and one.attr == subject.name
        and one.lineno <= line.line <= (one.end_lineno or 0)
        for filling in lines
        for one in ast.walk(filling)
    )


def _tested(test: ast.expr, empty: bool = True, sized: bool = False) -> str | None:
    """The attribute of self that is asked for: ``self.a is None``, ``not hasattr(self, "a")``."""
    match test:
        case ast.BoolOp(op=ast.Or(), values=[first, *rest]) if empty:
            name = _tested(first)
            fits = sized or (name is not None and all(_is_fit(one, name) for one in rest))
            return name if fits else None
        case ast.BoolOp(op=ast.And(), values=[first, *rest]) if not empty:
            name = _tested(first, empty=False)
            return name if name is not None and all(_is_fit(one, name) for one in rest) else None
        case ast.Compare(
            left=ast.Attribute(value=ast.Name(id="self"), attr=name),
            ops=[operator],
            comparators=[ast.Constant(value=None)],
        ):
            wanted = ast.Is if empty else ast.IsNot
            return name if isinstance(operator, wanted) else None
        case ast.UnaryOp(op=ast.Not(), operand=ast.Call() as call) if empty:
            return _asked(call)
        case ast.Call() if not empty:
            return _asked(test)
    return None


def _asked(call: ast.Call) -> str | None:
    if dotted(call.func) == "hasattr" and len(call.args) == 2 and dotted(call.args[0]) == "self":
        name = call.args[1]
        held = name.value if isinstance(name, ast.Constant) else None
        return held if isinstance(held, str) else None
    return None


def _is_fit(test: ast.expr, name: str) -> bool:
    """Whether a test is about the cached tensor's dtype or device, and nothing else."""
    if isinstance(test, ast.BoolOp):
        return all(_is_fit(one, name) for one in test.values)
    if isinstance(test, ast.UnaryOp):
        return _is_fit(test.operand, name)
    if not isinstance(test, ast.Compare):
        return False
    sides = (test.left, *test.comparators)
    return any(dotted(one).startswith(f"self.{name}.") for one in sides) and all(
        dotted(one).rpartition(".")[2] in ("device", "dtype", "type", "index") for one in sides
    )


def _made_in(body: list[ast.stmt], function: Function, name: str) -> dict[str, ast.expr] | None:
    """The attributes that the lines bind, each with its expression; None if they do not bind it."""
    made: dict[str, ast.expr] = {}
    for line in body:
        match line:
            case ast.Assign(
                targets=[ast.Attribute(value=ast.Name(id="self"), attr=attribute)], value=value
            ) if attribute not in made and not isinstance(value, ast.Constant):
                made[attribute] = value
            case ast.Assign(targets=[ast.Name()]):
                pass  # a local name, which takes its expression's place
            case ast.Expr(value=ast.Constant()) | ast.Pass():
                pass
            case _:
                if any(_is_set(name, one) for part in body for one in ast.walk(part)):
                    at = Location(function.file.path, line.lineno, function.qualname)
                    raise Refused("more than assignments fills it", at)
                return None
    return made if name in made else None


def _is_set(name: str, node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == name and isinstance(node.ctx, ast.Store)


def _returns_it(node: ast.If, name: str) -> bool:
    match node.body:
        case [ast.Return(value=ast.Attribute(value=ast.Name(id="self"), attr=attribute))]:
            return attribute == name and not node.orelse
    return False


def _early_return(node: ast.If, function: Function, name: str, subject: Subject) -> Cache | None:
    """``if self.a is not None: return self.a``, and what follows fills and returns it."""
    body = function.node.body
    if node not in body:
        return None
    rest = body[body.index(node) + 1 :]
    filling = [line for line in rest if not isinstance(line, ast.Return)]
    made = _made_in(filling, function, name)
    ends = isinstance(rest[-1], ast.Return) if rest else False
    if made is None or not ends or not _concerns(name, rest, subject):
        return None
    return Cache(name, function, made, (node, *filling))
