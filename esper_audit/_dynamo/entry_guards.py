"""The guards of one cache entry, held against the values that a frame was called with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from esper_audit._dynamo import guarded_state, metadata, names, relations
from esper_audit._dynamo.careful import ITEM, compiled, item_of
from esper_audit._dynamo.guard_tree import holds, keys_of, type_guard, type_of_dict, walk
from esper_audit._dynamo.guarded_values import Failed, gone, of_guard, of_keys
from esper_audit._dynamo.made_guards import Made
from esper_audit.data.compiles import GuardFailure, ValueKind
from esper_audit.data.places import Location
from esper_audit.torch_text.guard_kinds import Reading, kind_by, reading_of
from esper_audit.torch_text.guard_text import body_of, freed_in, hint_in, location_in, presence_in
from esper_audit.torch_text.guard_values import GLOBAL_STATE, Values, of_fields, of_presence
from esper_audit.torch_text.plain_sources import is_inside, key_owner
from esper_audit.torch_text.told_once import told_once

_CODE = ".__code__"
_REPLACED = ("TYPE_MATCH", "ID_MATCH", "MAPPING_KEYS_MATCH")
"""Where one of these fails, what the value holds is another's."""


class EntryGuards:
    """The guards of one cache entry, held against the values that a frame was called with."""

    def __init__(self, entry: Any, f_locals: dict[str, Any], made: Made, file: str = "") -> None:
        self.entry_id = str(entry.compile_id)
        self.failures: list[GuardFailure] = []
        self.passed: set[str] = set()
        self.is_concurrent = False
        self._manager = entry.guard_manager
        self._f_locals = f_locals
        self._user_lines, self._objects = made.lines, made.alive()
        self._file = file
        self._gone: list[str] = []
        self._resized: list[str] = []

    def evaluate(self) -> None:
        """Fill ``failures`` and ``passed``."""
        deleted = names.find("deleted_guards")
        if deleted is not None and isinstance(self._manager, deleted):
            reason = str(self._manager.invalidation_reason)
            self.fail("INVALIDATED", freed_in(reason), Values("alive", "freed"), reason)
            return
        self._globals = {**self._manager.global_scope, ITEM: item_of}
        self._scope = {
            "L": self._f_locals,
            "G": self._manager.global_scope["G"],
            **self._manager.closure_vars,
        }
        for manager in walk(self._manager.root):
            self._check_leaves(manager)
        self._check_epilogue()
        if not self.failures:
            self._check_relational()
        self.failures = told_once(self.failures)

    # --- guards on one value ---

    def _check_leaves(self, manager: Any) -> None:
        leaves, of_type = manager.get_leaf_guards(), type_of_dict(manager)
        source = manager.get_source()
        if not (leaves or of_type) or any(is_inside(source, gone) for gone in self._gone):
            return
        try:
            value = eval(compiled(source), self._globals, self._scope)
        except Exception as error:
            text = str(leaves[0].verbose_code_parts()[0]) if leaves else source
            self._source_gone(source, text, error)
            return
        if of_type is not None and type(value) is not of_type:
            self._fail_value(Failed("TYPE_MATCH", type_guard(source, of_type), value), source)
        for leaf in leaves:
            if source not in self._gone:
                self._check_leaf(leaf, source, value)

    def _source_gone(self, source: str, text: str, error: Exception) -> None:
        self._gone.append(source)
        if self._fail_keys(source, text):
            return
        owner = source.removesuffix(_CODE)
        value = self._value_of(owner) if owner != source else error
        if not isinstance(value, Exception):  # no function any more
            self._fail_value(Failed("ID_MATCH", text, value, self._objects), owner)
            return
        found = gone(error)
        if found.actual_kind is ValueKind.NO_KEY and any(
            is_inside(source, of) for of in self._resized
        ):
            return  # an item that went as its container's length changed
        self.fail("SOURCE_GONE", owner, found, text)

    def _check_leaf(self, leaf: Any, source: str, value: Any) -> None:
        if not callable(leaf):
            return
        text = str(leaf.verbose_code_parts()[0])
        kind = kind_by(type(leaf).__name__, text)
        seen = metadata.seen_by(kind, value)
        reading = reading_of(kind)
        if holds(leaf, seen):
            self.passed.add(_guarded(reading, source, text))
            return
        if reading is Reading.SETTING:
            self.fail(kind, GLOBAL_STATE, self._state(kind, text), text)
        elif reading is Reading.PRESENCE:
            self._fail_presence(kind, source, text)
        else:
            whole = " and ".join(map(str, leaf.verbose_code_parts()))
            read = whole if reading is Reading.MARKS else text
            self._fail_value(Failed(kind, read, seen, self._objects), source)

    def _state(self, kind: str, text: str) -> Values:
        return guarded_state.of_state(kind, text, self._manager)

    def _fail_presence(self, kind: str, source: str, text: str) -> None:
        presence = presence_in(text)
        if presence is None:
            self.fail(kind, source, Values(body_of(text), "", recognized=False), text)
        else:
            self.fail(kind, presence.source, of_presence(presence), text)

    def _fail_keys(self, source: str, text: str) -> bool:
        """Told of the dict, where the source is one of its keys: whether it is."""
        owner = key_owner(source)
        if owner and owner not in self._resized and not self._is_gone(owner):
            self._resized.append(owner)
            wanted = keys_of(self._manager.root, owner)
            now = self._value_of(f"list(dict.keys({owner}))")
            if isinstance(now, Exception):  # no dict any more
                self.fail("SOURCE_GONE", owner, gone(now), text)
            else:
                self.fail("DICT_KEYS_MATCH", owner, of_keys(wanted, now), text)
        return bool(owner)

    def _is_gone(self, source: str) -> bool:
        return any(source == other or is_inside(source, other) for other in self._gone)

    def _fail_value(self, failed: Failed, source: str) -> None:
        if self._fail_keys(source, failed.text):
            return
        found, kind = of_guard(failed), failed.kind
        if kind in _REPLACED:
            self._gone.append(source)
        elif reading_of(kind) is Reading.LENGTH:
            self._resized.append(source)
        if guarded_state.is_default_device(source):
            kind, source, found = self._as_setting(guarded_state.default_device(found))
        elif found.fields.keys() == {"keys"}:
            fields = guarded_state.of_keys(found.fields, failed.value)
            if fields:
                kind, source, found = self._as_setting(of_fields(fields))
        if source.endswith(_CODE) and kind == "ID_MATCH":
            source = source.removesuffix(_CODE)  # a function: torch guards on its code
        self.fail(kind, source, found, failed.text)

    def _as_setting(self, found: Values) -> tuple[str, str, Values]:
        return "GLOBAL_STATE", GLOBAL_STATE, found

    # --- guards on several values ---

    def _check_epilogue(self) -> None:
        for guard in self._manager.root.get_epilogue_lambda_guards():
            if not callable(guard) and type(guard).__name__ == "RELATIONAL_GUARD":
                continue
            for text in guard.verbose_code_parts():
                self._check_expression(str(text))

    def _check_expression(self, text: str) -> None:
        if any(f"{gone}{mark}" in text for gone in self._gone for mark in ".["):
            return  # torch never reads what another object holds there
        found = relations.check(text, self._value_of)
        if found is None or (self.failures and self._follows(found)):
            return
        self.fail(found.kind, found.source, found.values, text)

    def _follows(self, found: relations.Relation) -> bool:
        """Whether one of its sides has failed by itself: then the relation says no more."""
        failed = {failure.torch_source for failure in self.failures}
        return found.is_broken or any(
            side == source or is_inside(side, source) for side in found.sides for source in failed
        )

    def _value_of(self, expression: str) -> Any:
        try:
            return eval(compiled(expression), self._globals, self._scope)
        except Exception as error:
            return error

    def _check_relational(self) -> None:
        """Only where nothing else failed: this call has the side effects that leaves lack."""
        info = self._manager.root.check_verbose(self._f_locals)
        if info.result:
            return
        sources = getattr(self._manager, "no_tensor_aliasing_sources", ())
        for text in map(str, info.verbose_code_parts):
            found = relations.read(text, sources, self._value_of)
            if found is not None:
                self.fail(found.kind, found.source, found.values, text)

    # --- failures ---

    def _whole_path(self, cut: Location | None) -> Location | None:
        """Torch cuts paths in its comments; the frame or another guard may know the whole one."""
        if cut is None:
            return None
        known = (self._file, *(line.file for line in self._user_lines.values()))
        whole = (file for file in known if file.endswith(cut.file))
        return replace(cut, file=next(whole, cut.file))

    def fail(self, kind: str, source: str, found: Values, text: str) -> None:
        failure = GuardFailure(
            cache_entry=self.entry_id,
            kind=kind,
            source=source,
            expected=found.expected,
            actual=found.actual,
            text=text,
            torch_source=source,
            user_line=self._user_lines.get(source) or self._whole_path(location_in(text)),
            recognized=found.recognized,
            expected_kind=found.expected_kind,
            actual_kind=found.actual_kind,
            fields=found.fields,
            hint=hint_in(text),
        )
        self.failures.append(failure)


def _guarded(reading: Reading | None, source: str, text: str) -> str:
    """What a guard of this source is about: a setting, an item or attribute in it, or itself."""
    if reading is Reading.SETTING:
        return GLOBAL_STATE
    presence = presence_in(text) if reading is Reading.PRESENCE else None
    return presence.source if presence is not None else source
