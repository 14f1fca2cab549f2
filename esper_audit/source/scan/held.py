"""What an attribute of a class holds, and who writes it."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from esper_audit.source.attributes import Site
from esper_audit.source.definitions import Class
from esper_audit.source.values import NUMBERS, Kinds, ValueKind

if TYPE_CHECKING:
    from esper_audit.source.scan.context import Context


@dataclass(frozen=True)
class Held:
    """An attribute of a class: the sites that write it on ``self``, and the kinds it may hold."""

    context: Context
    made: Class
    attribute: str
    own: tuple[Site, ...]
    kinds: Kinds

    @cached_property
    def sites(self) -> tuple[Site, ...]:
        """Every site that may write it, those on other receivers too."""
        return (*self.own, *self.context.foreign(self.made, self.attribute))

    @cached_property
    def later(self) -> tuple[Site, ...]:
        """Those that may run after construction."""
        return tuple(site for site in self.sites if not self.context.is_construction(site))

    @property
    def is_number(self) -> bool:
        """Whether it is a Python number whenever that can be told."""
        known = self.kinds - {ValueKind.UNKNOWN, ValueKind.NONE}
        return bool(known) and known <= NUMBERS

    @property
    def is_float(self) -> bool:
        return self.is_number and ValueKind.FLOAT in self.kinds

    @cached_property
    def changes(self) -> bool:
        """Whether it may get another value after construction."""
        if any(not isinstance(site.value, ast.Constant) for site in self.later):
            return True
        values = {_constant(site) for site in self.sites}
        return bool(self.later) and len(values) > 1


def _constant(site: Site) -> str:
    return ast.dump(site.value) if site.value is not None else site.kind
