"""Whether a call reads an attribute before it writes it: only then does the call before matter."""

from __future__ import annotations

import ast

from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.definitions import Class
from esper_audit.source.scan.context import Context


def is_read_first(context: Context, site: Site, made: Class) -> bool:
    """Whether reached code may read what a site writes before this very write runs.

    Reads after it, in its function or in one that has called that, find what this call has
    written; no guard is made of what was there before.
    """
    if site.kind is SiteKind.AUGMENTED:
        return True
    return any(not _is_after(context, read, site) for read in context.reads(made, site.attribute))


def _is_after(context: Context, read: Site, site: Site) -> bool:
    if read.function is site.function:
        is_before = (read.line, read.column) < (site.line, site.column)
        return not is_before and not _is_in(read, site)
    step = context.functions.get(site.function) if site.function is not None else None
    while step is not None and step.caller is not None:
        if step.caller.function is read.function:
            return step.line is not None and read.line > step.line
        step = step.caller
    return False


def _is_in(read: Site, site: Site) -> bool:
    """Whether a read stands in the value that is written: ``self.n = self.n + 1``."""
    return site.value is not None and any(node is read.node for node in ast.walk(site.value))
