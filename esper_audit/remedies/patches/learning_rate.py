"""A learning rate as a tensor: made where the optimizer is, filled in place where it is written.

Every optimizer of torch 2.13 but ``Muon`` takes a tensor as ``lr``; ``foreach=True`` needs
``capturable=True`` with it (``torch/optim/adam.py``). Schedulers of torch fill it in place by
themselves (``_update_param_group_val`` in ``torch/optim/lr_scheduler.py``, 2.13).
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.flows import leaf_of
from esper_audit.remedies.patches.making import edits_of, import_torch, is_float, meaning
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.syntax import Change, Syntax, arguments, dotted, instead
from esper_audit.source.project import Project

_DEFAULTS = {
    "ASGD": "0.01",
    "Adadelta": "1.0",
    "Adagrad": "0.01",
    "Adam": "0.001",
    "AdamW": "0.001",
    "Adamax": "0.002",
    "NAdam": "0.002",
    "RAdam": "0.001",
    "RMSprop": "0.01",
    "Rprop": "0.01",
    "SGD": "0.001",
}
"""What ``lr`` is where it is not given (torch 2.13)."""


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """Each optimizer's learning rate as a tensor, and each write to it in place."""
    leaf = leaf_of(finding.source)
    if not is_float(finding) or leaf is None or leaf.item != "lr":
        raise Unconcerned
    changed: dict[Syntax, dict[cst.CSTNode, Change]] = {}
    made = 0
    for file in project.all(("optim", "param_groups")):
        if file.unread is not None:
            continue
        syntax = Syntax(file)
        rates = _rates(project, syntax)
        made += len(rates)
        changed[syntax] = {**_kept(syntax), **rates, **_writes(syntax)}
        if rates:
            changed[syntax] |= import_torch(project, syntax)
    if not made:
        raise Refused("an optimizer of torch that is made in this project, with a float as lr")
    yield edits_of(changed)


def _rates(project: Project, syntax: Syntax) -> dict[cst.CSTNode, Change]:
    """The learning rates that are given to constructors."""
    found: dict[cst.CSTNode, Change] = {}
    for call in syntax.all(cst.Call):
        name = meaning(project, syntax, call.func).rpartition(".")
        if name[0].startswith("torch.optim") and name[2] in _DEFAULTS:
            found |= _rates_of(syntax, call, _DEFAULTS[name[2]])
    return found


def _rates_of(syntax: Syntax, call: cst.Call, default: str) -> dict[cst.CSTNode, Change]:
    place = Location(syntax.file.path, syntax.line(call))
    positional, keywords = arguments(call)
    for name in ("foreach", "fused"):
        switched = name in keywords and syntax.code(keywords[name].value) == "True"
        if switched and name == "foreach" and "capturable" not in keywords:
            raise Refused("an optimizer without foreach=True, or with capturable=True", place)
    groups = _groups(syntax, positional[0].value) if positional else []
    own = [rate for rate in groups if rate is not None]
    if len(groups) > 1 and len(own) < len(groups) and _hand_written(syntax):
        raise Refused("a learning rate of its own for each parameter group", place)
    given = positional[1] if len(positional) > 1 else keywords.get("lr")
    rates = [*own, *([given.value] if given is not None else [])]
    changes: dict[cst.CSTNode, Change] = {
        rate: _as_tensor(syntax, rate) for rate in rates if not _is_tensor(syntax, rate)
    }
    if given is None and len(own) == len(groups) == 0:
        changes[call] = _with_rate(default)
    return changes


def _groups(syntax: Syntax, parameters: cst.BaseExpression) -> list[cst.BaseExpression | None]:
    """Of each parameter group that is written out, its learning rate."""
    if not isinstance(parameters, cst.List | cst.Tuple):
        return []
    made = [one.value for one in parameters.elements]
    return [_rate_in(syntax, one) for one in made if isinstance(one, cst.Dict)]


def _rate_in(syntax: Syntax, group: cst.Dict) -> cst.BaseExpression | None:
    for element in group.elements:
        if isinstance(element, cst.DictElement) and syntax.code(element.key)[1:-1] == "lr":
            return element.value
    return None


def _as_tensor(syntax: Syntax, rate: cst.CSTNode) -> Change:
    return instead(f"torch.tensor({syntax.code(rate)})")


def _is_tensor(syntax: Syntax, rate: cst.CSTNode) -> bool:
    return "tensor(" in syntax.code(rate)


def _with_rate(default: str) -> Change:
    made = cst.Arg(
        cst.parse_expression(f"torch.tensor({default})"),
        keyword=cst.Name("lr"),
        equal=cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace("")),
    )
    return lambda call: call.with_changes(args=[*call.args, made])


def _hand_written(syntax: Syntax) -> bool:
    """Whether a line computes a learning rate from that of the same group."""
    augmented = [one for one in syntax.all(cst.AugAssign) if _is_rate(syntax, one.target)]
    return bool(augmented or _writes(syntax))


def _writes(syntax: Syntax) -> dict[cst.CSTNode, Change]:
    """``group["lr"] = value`` lines; ``*=`` changes a tensor in place by itself."""
    return {
        one: _filled(syntax, one)
        for one in syntax.all(cst.Assign)
        if len(one.targets) == 1 and _is_rate(syntax, one.targets[0].target)
    }


def _kept(syntax: Syntax) -> dict[cst.CSTNode, Change]:
    """``base = group["lr"]`` and the like keep the number: the tensor is filled later on."""
    return {
        one: instead(f"float({syntax.code(one)})")
        for one in syntax.all(cst.Subscript)
        if _is_rate(syntax, one) and _keeps(syntax, one)
    }


def _keeps(syntax: Syntax, read: cst.Subscript) -> bool:
    parent = syntax.parent(read)
    match parent:
        case cst.Assign(value=value):
            return value is read
        case cst.Element() | cst.DictElement() | cst.Return():
            return True
        case cst.Arg():
            call = syntax.parent(parent)
            return isinstance(call, cst.Call) and dotted(call.func).endswith(".append")
    return False


def _filled(syntax: Syntax, line: cst.Assign) -> Change:
    target, value = syntax.code(line.targets[0].target), syntax.code(line.value)
    return lambda _: cst.Expr(cst.parse_expression(f"{target}.fill_({value})"))


def _is_rate(syntax: Syntax, target: cst.CSTNode) -> bool:
    """Whether it is the ``lr`` of a parameter group."""
    if not isinstance(target, cst.Subscript) or len(target.slice) != 1:
        return False
    if syntax.code(target.slice[0]).strip("'\"") != "lr":
        return False
    held = syntax.code(target.value)
    if "param_groups" in held:
        return True
    loops = [one for one in syntax.around(target) if isinstance(one, cst.For)]
    return any(
        held
        in syntax.code(loop.target).replace(",", " ").replace("(", " ").replace(")", " ").split()
        and "param_groups" in syntax.code(loop.iter)
        for loop in loops
    )
