"""What is added to a class so that its objects hold a buffer: in ``__init__``, and a property."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from esper_audit.data.places import Location
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites, statement_of
from esper_audit.remedies.patches.subject import Subject, first_writes
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import Class, Def, dotted

_NEW_INIT = """\
def __init__(self, *args, **kwargs):
    super().__init__(*args, **kwargs)
    {lines}
"""


_WIDTH = 92  # of a line without its indentation


def buffer(name: str, value: str) -> str:
    """The line that makes a buffer, or the lines."""
    inside = f'"{name}", {value}, persistent=False'
    if len(inside) + len("self.register_buffer()") <= _WIDTH:
        return f"self.register_buffer({inside})"
    return f"self.register_buffer(\n    {inside}\n)"


def is_first(site: Site, subject: Subject) -> bool:
    """Whether it is the line that becomes the making of the buffer."""
    first = next(first_writes(subject.home, subject.name, subject.classes), None)
    return first is site


def as_buffer(rewrites: Rewrites, subject: Subject, whole: bool) -> None:
    """``self.a = V`` in ``__init__`` makes a buffer of that name."""
    home, name = subject.home, subject.name
    site = next(first_writes(home, name, subject.classes), None)
    if site is None or site.value is None:
        raise Refused(f"__init__ of {home.name} does not set it", home.location)
    rewrite = rewrites.of(home.file)
    line = statement_of(site.node, rewrite.parents)
    before, after = _opening(site.value, whole), _closing(site.value, whole)
    if subject.is_module:
        before = f'self.register_buffer("{name}", {before}'
        after = f"{after}, persistent=False)"
    else:  # a tensor that does not move; of one number, it goes with tensors of any device
        before = f"self.{name} = {before}"
    rewrite.import_torch()
    if site.kind is SiteKind.DECLARED:
        subject.refuse_plain()
        text = f"{before}{rewrite.text(site.value)}{after}"
        rewrite.remove(line)
        at_construction(rewrite, home, text)
        return
    if not isinstance(line, ast.Assign | ast.AnnAssign) or not _is_only_target(line, site.node):
        raise Refused("__init__ sets it together with something else", site.location)
    if _top_level(line, rewrite) is not line:
        raise Refused("__init__ sets it in a block of its own", site.location)
    if subject.is_module:
        _check_after_super(home, line)
    rewrite.around(line, site.value, before, after)


def _is_only_target(line: ast.Assign | ast.AnnAssign, node: ast.AST) -> bool:
    return line.targets == [node] if isinstance(line, ast.Assign) else line.target is node


def _opening(value: ast.expr, whole: bool) -> str:
    if _is_of_kind(value, whole):
        return "torch.tensor("
    return "torch.tensor(int(" if whole else "torch.tensor(float("


def _closing(value: ast.expr, whole: bool) -> str:
    return ")" if _is_of_kind(value, whole) else "))"


def _is_of_kind(value: ast.expr, whole: bool) -> bool:
    """Whether a literal makes a tensor of the right dtype as it is."""
    value = value.operand if isinstance(value, ast.UnaryOp) else value
    wanted = int if whole else float
    return isinstance(value, ast.Constant) and type(value.value) is wanted


@dataclass(frozen=True, kw_only=True)
class Held:
    """What stands beside a number: the name of its ``tensor``, if any, and answers about it.

    ``is_read_from_tensor``: compiled code writes the tensor, so the number is read from it.
    """

    tensor: str
    kind: str
    is_read_from_tensor: bool
    flags: Mapping[str, str]


def beside(rewrites: Rewrites, subject: Subject, held: Held) -> None:
    """A property in place of the attribute, which fills a buffer beside the number."""
    home, name = subject.home, subject.name
    rewrite = rewrites.of(home.file)
    lines: list[str] = []
    if held.tensor:
        rewrite.import_torch()
        zero = "0" if held.kind == "int" else "0.0"
        lines.append(buffer(held.tensor, f"torch.tensor({zero})"))
    sites = list(first_writes(home, name, subject.classes))
    declared = [site for site in sites if site.kind is SiteKind.DECLARED]
    for site in declared:
        assert site.value is not None
        lines.append(f"self.{name} = {rewrite.text(site.value)}")
        rewrite.remove(statement_of(site.node, rewrite.parents))
    written = next((site for site in sites if site.kind is not SiteKind.DECLARED), None)
    _refuse_other_definitions(subject)
    number = _free_name(subject, name)
    text = _property(name, number, held)
    if written is not None and not declared and lines:
        line = _top_level(statement_of(written.node, rewrite.parents), rewrite)
        _check_after_super(home, line)
        rewrite.before(line, *lines)
        into_class(rewrite, home, text)
    elif lines:
        at_construction(rewrite, home, *lines, methods=text)
    else:
        into_class(rewrite, home, text)


def _refuse_other_definitions(subject: Subject) -> None:
    """A property or a class attribute of this name in a related class would stand in the way."""
    for one in subject.related:
        if subject.name in one.methods:
            raise Refused(f"{one.name} has a method of that name", one.location)
    for site in subject.sites:
        if site.kind is SiteKind.DECLARED and site.owner is not subject.home:
            raise Refused("another class declares it", site.location)
        if _is_of_class(site, subject):
            raise Refused("a line uses it of the class itself", site.location)


def _is_of_class(site: Site, subject: Subject) -> bool:
    """Whether it is ``Scale.gain``, ``type(m).gain`` or the like: a property is none there."""
    if not isinstance(site.node, ast.Attribute):
        return False
    held = site.node.value
    if isinstance(held, ast.Call):
        return dotted(held.func) == "type"
    last = dotted(held).rpartition(".")[2]
    return last in ("cls", "__class__") or last in {one.name for one in subject.related}


def _free_name(subject: Subject, name: str) -> str:
    bare = name.strip("_")
    for one in (f"_{bare}", f"_{bare}_number"):
        if one != name and not any(mentions(made, one) for made in subject.related):
            return one
    raise Refused(f"_{bare} is in use already")


def mentions(owner: Class, name: str) -> bool:
    """Whether the body of a class names an attribute, or writes its name."""
    return any(
        (isinstance(node, ast.Attribute) and node.attr == name)
        or (isinstance(node, ast.FunctionDef) and node.name == name)
        or (isinstance(node, ast.Constant) and node.value == name)
        for node in ast.walk(owner.node)
    )


def _property(name: str, number: str, held: Held) -> str:
    tensor, kind = held.tensor, held.kind
    is_from = held.is_read_from_tensor
    return "\n".join(
        (
            "@property",
            f"def {name}(self) -> {kind}:",
            f"    return {kind}(self.{tensor})" if is_from else f"    return self.{number}",
            "",
            f"@{name}.setter",
            f"def {name}(self, value: {kind}) -> None:",
            *(() if is_from else (f"    self.{number} = value",)),
            *(f"    self.{flag} = {answer}" for flag, answer in held.flags.items()),
            *((f"    self.{tensor}.fill_(value)",) if tensor else ()),
        )
    )


def _init_of(home: Class) -> Def | None:
    return next((one for one in home.node.body if _is_init(one)), None)  # type: ignore[return-value]


def _is_init(node: ast.stmt) -> bool:
    return isinstance(node, ast.FunctionDef) and node.name == "__init__"


def super_call(home: Class) -> ast.stmt:
    """The statement in ``__init__`` that constructs what lies above; raises Refused."""
    init = _init_of(home)
    if init is None:
        raise Refused(f"{home.name} has no __init__", home.location)
    for line in init.body:
        if isinstance(line, ast.Expr) and isinstance(line.value, ast.Call):
            called = line.value.func
            if isinstance(called, ast.Attribute) and called.attr == "__init__":
                return line
    raise Refused(f"__init__ of {home.name} does not call super().__init__()", home.location)


def _check_after_super(home: Class, line: ast.stmt) -> None:
    if line.lineno < super_call(home).lineno:
        raise Refused("it is set before super().__init__()", Location(home.file.path, line.lineno))


def _top_level(line: ast.stmt, rewrite: Rewrite) -> ast.stmt:
    """The statement of the function's own body that holds a line."""
    while not isinstance(rewrite.parents[line], ast.FunctionDef):
        line = statement_of(rewrite.parents[line], rewrite.parents)
    return line


def at_construction(rewrite: Rewrite, home: Class, *lines: str, methods: str = "") -> None:
    """Run lines once ``super().__init__()`` has run; ``methods`` are put below ``__init__``."""
    if _init_of(home) is not None:
        rewrite.after(super_call(home), *lines)
        if methods:
            into_class(rewrite, home, methods)
        return
    if any(dotted(_bare(one)).endswith("dataclass") for one in home.node.decorator_list):
        raise Refused(f"{home.name} is a dataclass", home.location)
    init = _NEW_INIT.format(lines="\n    ".join(lines)).rstrip()
    before = _first_method(home)
    text = f"{init}\n\n{methods}" if methods else init
    if before is not None:
        rewrite.before(before, text, "")
    else:
        rewrite.after(home.node.body[-1], "", text)


def _bare(node: ast.expr) -> ast.expr:
    return node.func if isinstance(node, ast.Call) else node


def _first_method(home: Class) -> ast.stmt | None:
    return next((one for one in home.node.body if isinstance(one, Def)), None)


def into_class(rewrite: Rewrite, home: Class, text: str) -> None:
    """Put methods below ``__init__``."""
    init = _init_of(home)
    assert init is not None
    rewrite.after(init, "", text)


def in_init(
    rewrite: Rewrite,
    subject: Subject,
    names: tuple[str, ...],
    lines: list[str],
    needs: frozenset[str],
) -> None:
    """Run lines in ``__init__``, in place of those that set these names to None.

    They come after the last line that sets an attribute which they need.
    """
    home = subject.home
    firsts = [site for name in names for site in first_writes(home, name, subject.classes)]
    for site in firsts:
        is_none = isinstance(site.value, ast.Constant) and site.value.value is None
        if not is_none and site.kind is not SiteKind.DECLARED:
            raise Refused("__init__ does not set it to None", site.location)
    olds = [statement_of(site.node, rewrite.parents) for site in firsts]
    init = _init_of(home)
    if init is None:
        for line in olds:
            rewrite.remove(line)
        at_construction(rewrite, home, *lines)
        return
    inside = [line for line in olds if line in init.body]
    if len(inside) != len([site for site in firsts if site.kind is not SiteKind.DECLARED]):
        raise Refused("__init__ sets it in a block of its own", home.location)
    place = inside[-1] if inside else super_call(home)
    last = _last_that_sets(init, needs, place, rewrite)
    kept = place if inside and last is place else None
    for line in olds:
        if line is not kept:
            rewrite.remove(line)
    if kept is not None:
        indent = rewrite.indent(kept)
        rewrite.replace(kept, "\n".join(lines).replace("\n", f"\n{indent}"))
    else:
        rewrite.after(last, *lines)


def _last_that_sets(
    init: Def, needs: frozenset[str], place: ast.stmt, rewrite: Rewrite
) -> ast.stmt:
    """The statement of ``__init__`` after which all that is needed is set."""
    last = place
    for one in ast.walk(init):
        is_stored = isinstance(one, ast.Attribute) and isinstance(one.ctx, ast.Store)
        named = one.attr if is_stored and isinstance(one, ast.Attribute) else _registered(one)
        if named in needs:
            line = _top_level(statement_of(one, rewrite.parents), rewrite)
            last = line if line.lineno > last.lineno else last
    return last


def _registered(node: ast.AST) -> str:
    """The name that ``self.register_buffer("name", …)`` sets."""
    match node:
        case ast.Call(
            func=ast.Attribute(attr=method), args=[ast.Constant(value=str() as name), *_]
        ):
            return name if method.startswith("register_") else ""
    return ""
