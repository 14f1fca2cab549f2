"""An argument made alike at the door: contiguous, a copy, one dtype, device or type."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import libcst as cst

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches.calls import Passed, alike, passed, writes_in_place
from esper_audit.remedies.patches.making import edits_of, import_torch, is_float, literal
from esper_audit.remedies.patches.refused import Refused, Unconcerned
from esper_audit.remedies.patches.syntax import Change, Syntax, instead, wrapped
from esper_audit.source.project import Project
from esper_audit.torch_text.relations import ONE_TENSOR, aliases

_FLOATS = ("float", "float16", "float32", "float64")
_INTS = ("bool", "int", "int8", "int16", "int32", "int64", "uint8")
"""Types of Python and numpy that convert without loss."""

_EVERYWHERE = (Diagnosis.TYPE_CHANGED, Diagnosis.FLOAT_SPECIALIZED)
"""What the first call passes is converted, too."""

_LITERALS = {"list": cst.List, "tuple": cst.Tuple, "float": cst.Float, "int": cst.Integer}


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The argument of each call that recompiled, converted to what the first call passed."""
    if finding.id is Diagnosis.FLOAT_SPECIALIZED and finding.source.startswith("self"):
        raise Unconcerned
    convert = _conversion(finding)
    source = finding.source
    if finding.id is Diagnosis.TENSOR_ALIASING:
        source = _second(source)
    changed: dict[Syntax, dict[cst.CSTNode, Change]] = {}
    for one in passed(finding, project, source):
        _check(finding, project, one)
        changes = changed.setdefault(one.syntax, {})
        everywhere = finding.id in _EVERYWHERE
        for call in alike(one, finding, project) if everywhere else (one,):
            if _is_literal(finding, call.argument):
                continue
            changes[call.argument] = instead(convert(_operand(finding, call)))
        if finding.id in (Diagnosis.DTYPE_CHANGED, Diagnosis.FLOAT_SPECIALIZED):
            changes |= import_torch(project, one.syntax)
    yield edits_of(changed)


def _check(finding: Finding, project: Project, one: Passed) -> None:
    """Refuse what would change meaning: a part of an argument, a copy of what is written."""
    place = Location(one.syntax.file.path, one.syntax.line(one.call))
    if one.path:
        raise Refused("a tensor that is an argument itself", place)
    if writes_in_place(project, finding.frame, one.parameter):
        raise Refused(f"a function that does not write {one.parameter} in place", place)


def _conversion(finding: Finding) -> Callable[[str], str]:
    field = finding.fields
    match finding.id:
        case Diagnosis.LAYOUT_CHANGED:
            return _contiguous(*field.get("stride", ("", "")))
        case Diagnosis.TENSOR_ALIASING if finding.actual == ONE_TENSOR:
            return lambda text: f"{text}.clone()"
        case Diagnosis.DTYPE_CHANGED if "dtype" in field:
            return lambda text: f"{text}.to(torch.{field['dtype'][0]})"
        case Diagnosis.DEVICE_CHANGED if "device" in field:
            return lambda text: f'{text}.to("{field["device"][0]}")'
        case Diagnosis.FLOAT_SPECIALIZED if is_float(finding):
            return lambda text: f"torch.tensor({text})"
        case Diagnosis.TYPE_CHANGED if _common_type(finding):
            return lambda text: f"{_common_type(finding)}({text})"
    raise Refused("a conversion to what the first call passed")


def _contiguous(was: str, now: str) -> Callable[[str], str]:
    """To the memory format of the first call, as its strides tell it."""
    strides = [int(part) for part in was.strip("[]").split(",") if part.strip().isdigit()]
    if strides and strides == sorted(strides, reverse=True):
        return lambda text: f"{text}.contiguous()"
    if len(strides) == 4 and strides[1] == 1 and was != now:
        return lambda text: f"{text}.contiguous(memory_format=torch.channels_last)"
    raise Refused("a contiguous tensor in the first call")


def _second(source: str) -> str:
    if not (pair := aliases(source)):
        raise Refused("two arguments that are one tensor")
    return pair[1]


def _operand(finding: Finding, call: Passed) -> str:
    """The argument's text: as what a method is called on, or as an argument of a type."""
    of_method = finding.id not in _EVERYWHERE
    return call.syntax.code(wrapped(call.argument) if of_method else call.argument)


def _type_of(text: str) -> str:
    """The type's name where a finding tells the type, or a number's value.

    A scalar of numpy is a tensor without dimensions to Dynamo.
    """
    if text.startswith("tensor(size=[], dtype=float64"):
        return "float64"
    value = literal(text)
    return type(value).__name__ if isinstance(value, int | float) else text.rpartition(".")[2]


def _is_literal(finding: Finding, argument: cst.BaseExpression) -> bool:
    """Whether it is of the type already, as is plain to see."""
    kind = _LITERALS.get(_common_type(finding)) if finding.id is Diagnosis.TYPE_CHANGED else None
    return kind is not None and isinstance(argument, kind)


def _common_type(finding: Finding) -> str:
    """The type that both values convert to without loss; empty if they share none."""
    types = [_type_of(text) for text in (finding.expected, finding.actual)]
    if set(types) <= {"list", "tuple"}:
        return types[0]
    if not set(types) <= {*_FLOATS, *_INTS}:
        return ""
    return "float" if set(types) & set(_FLOATS) else "int"
