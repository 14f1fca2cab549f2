"""A number of torch's own modules that is set after construction: ``self.drop.p = rate``."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding
from esper_audit.source.attributes import Site, SiteKind, sites_in
from esper_audit.source.definitions import dotted, walk
from esper_audit.source.project import SourceFile
from esper_audit.source.scan.context import Context
from esper_audit.source.values import ValueKind, kinds_of

_NUMBERS = {
    "p": ("Dropout", "AlphaDropout", "FeatureAlphaDropout"),
    "momentum": ("BatchNorm", "InstanceNorm", "SyncBatchNorm"),
    "eps": ("BatchNorm", "InstanceNorm", "LayerNorm", "GroupNorm", "RMSNorm", "SyncBatchNorm"),
    "negative_slope": ("LeakyReLU",),
}
"""Attributes that forward of a module of torch reads as a float, and those modules."""


def find(context: Context) -> Iterator[ScanFinding]:
    """Writes of such an attribute on an object that is known to be such a module."""
    for file in context.project.all(tuple(f".{name}" for name in _NUMBERS)):
        if file.path not in context.wanted:
            continue
        for site in sites_in(file, context.classes):
            kind = _NUMBERS.get(site.attribute)
            if kind is not None and _is_late(site) and _is_of(site, file, kind, context):
                yield context.finding(
                    Diagnosis.FLOAT_SPECIALIZED,
                    Pattern.NUMBER_OF_LIBRARY_MODULE,
                    file,
                    site.node,  # type: ignore[arg-type]  # an expression, as of all sites
                    site.function,
                    made=site.owner,
                    subject=f"{site.receiver}.{site.attribute}",
                    later=(site,),
                )


def _is_late(site: Site) -> bool:
    named = site.function.name if site.function is not None else ""
    is_write = site.kind in (SiteKind.WRITE, SiteKind.AUGMENTED)
    known = kinds_of(site.value, site.function)
    is_number = not known & {ValueKind.TENSOR, ValueKind.NONE, ValueKind.TEXT}
    varies = site.kind is SiteKind.AUGMENTED or not isinstance(site.value, ast.Constant)
    return is_write and is_number and varies and named != "__init__" and site.receiver != "self"


def _is_of(site: Site, file: SourceFile, kind: tuple[str, ...], context: Context) -> bool:
    """Whether the receiver is assigned such a module, or tested to be one."""
    if site.function is None and site.owner is None:
        scope: ast.AST = file.tree
    elif site.owner is not None and site.receiver.startswith("self."):
        scope = site.owner.node
    else:
        assert site.function is not None or site.owner is not None
        scope = site.function.node if site.function is not None else file.tree
    if _says(scope, site.receiver, kind):
        return True
    return "." in site.receiver and _attribute_says(site, context, kind)


def _attribute_says(site: Site, context: Context, kind: tuple[str, ...]) -> bool:
    """``model.drop.p``: whether some class of the file assigns such a module to ``self.drop``."""
    last = site.receiver.rpartition(".")[2]
    return any(
        other.attribute == last and other.receiver == "self" and _makes(other.value, kind)
        for other in sites_in(site.file, context.classes)
    )


def _says(scope: ast.AST, receiver: str, kind: tuple[str, ...]) -> bool:
    for node in walk(scope):
        match node:
            case ast.Assign(targets=[target], value=value):
                if dotted(target) == receiver and _makes(value, kind):
                    return True
            case ast.Call(func=ast.Name(id="isinstance"), args=[one, classes]):
                named = classes.elts if isinstance(classes, ast.Tuple) else [classes]
                if dotted(one) == receiver and any(_is_named(name, kind) for name in named):
                    return True
    return False


def _makes(value: ast.expr | None, kind: tuple[str, ...]) -> bool:
    return isinstance(value, ast.Call) and _is_named(value.func, kind)


def _is_named(node: ast.expr, kind: tuple[str, ...]) -> bool:
    last = dotted(node).rpartition(".")[2]
    return last.rstrip("123d") in kind or last in kind
