"""The tree of guard managers of a cache entry: one for each source, with its leaf guards."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from esper_audit._dynamo import names
from esper_audit.torch_text.plain_sources import key_of


def walk(root: Any) -> Iterator[Any]:
    """A guard manager and all below it."""
    dict_guards = names.find("dict_guards")
    waiting = [root]
    while waiting:
        manager = waiting.pop()
        if manager is None:
            continue
        yield manager
        below: list[Any] = []
        if dict_guards is not None and isinstance(manager, dict_guards):
            below += [child for pair in manager.get_key_value_managers().values() for child in pair]
        waiting += reversed([*below, *manager.get_child_managers()])


def is_of_dict(manager: Any) -> bool:
    """Whether it guards a dict, and so its length (torch/csrc/dynamo/guards.cpp, 2.8 to 2.14)."""
    dict_guards = names.find("dict_guards")
    return dict_guards is not None and isinstance(manager, dict_guards)


def type_of_dict(manager: Any) -> type | None:
    """The class that a manager of a dict wants; it has no leaf guard on it."""
    known = getattr(manager, "get_type_of_guarded_value", None)
    return known() if known is not None and is_of_dict(manager) else None


def type_guard(source: str, wanted: type) -> str:
    """The text of a guard on a class, as torch writes it where there is one."""
    return f"___check_type_id({source}, {id(wanted)}), type={wanted!r}"


def keys_of(root: Any, owner: str) -> dict[int, str]:
    """Torch's texts of the guards on a dict's keys, by their places in its order."""
    texts: dict[int, str] = {}
    for manager in walk(root):
        key = key_of(manager.get_source())
        if key is not None and key[0] == owner:
            for leaf in manager.get_leaf_guards():
                texts[key[1]] = str(leaf.verbose_code_parts()[0])
    return texts


def holds(leaf: Any, value: Any) -> bool:
    try:
        return bool(leaf(value))
    except Exception:  # a guard that can't be evaluated on this value does not match it
        return False
