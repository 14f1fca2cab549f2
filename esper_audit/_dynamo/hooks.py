"""One recorder's hooks in torch, installed and removed as one, that tell a listener what it does.

None changes a result or is on the stack while others' code runs, none raises: an error of a hook
goes to ``listener.hook_failed``. What stands in for torch's functions is shared by all recorders.
"""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from types import FrameType
from typing import Any

from esper_audit._dynamo import frames, names, readings, stand_ins
from esper_audit._dynamo.compiles import Compiles
from esper_audit._dynamo.frameless import Calls
from esper_audit._dynamo.lookups import LookupHook
from esper_audit._dynamo.patches import ORDER, Patch
from esper_audit._dynamo.watch import Watch
from esper_audit.data.signals import Listener

PATCHES: dict[str, Patch[Hooks]] = {
    key: Patch(key, make)
    for key, make in {
        "attempt": stand_ins.attempts,
        "new_frame": stand_ins.new_frames,
        "convert_frame": stand_ins.returned_frames,
        "graph_compile": stand_ins.graphs,
        "refusal": stand_ins.refusals,
        "stance": stand_ins.stances,
        "entries": stand_ins.entries,
        "metrics": stand_ins.metrics,
        "stages": stand_ins.stages,
        "guards_made": stand_ins.guards_made,
        "callbacks": stand_ins.callbacks,
        "store_attr": stand_ins.stores,
        "mutation": stand_ins.mutations,
    }.items()
}
"""By the key of the place in ``names``."""


class Hooks:
    """All hooks of one recorder. ``watch`` looks for who writes the state that guards read."""

    def __init__(self, listener: Listener, watch: Watch | None = None) -> None:
        self._listener = listener
        self._watch = watch
        self._is_in = False
        self.lookups = LookupHook()
        self.compiles = Compiles(listener, watch, self.lookups)
        self.entries = Calls(partial(bool))

    def install(self) -> None:
        """Put all hooks in place; where one can't be, none stays."""
        with ORDER:
            self._is_in = True
            try:
                for key in self._wanted():
                    PATCHES[key].add(self)
                self.lookups.install()
                if self._watch is not None:
                    self._watch.start()
            except BaseException:
                self.remove()
                raise

    def remove(self) -> None:
        """Take all hooks out, in whatever order recorders and others come and go."""
        with ORDER:
            if not self._is_in:
                return
            self._is_in = False
            with ExitStack() as every:  # whatever fails, the rest goes
                for patch in PATCHES.values():
                    every.callback(patch.remove, self)
                every.callback(self.lookups.remove)
                if self._watch is not None:
                    every.callback(self._watch.stop)

    def _wanted(self) -> list[str]:
        unwanted = {"entries"}  # wanted while a stance is in force
        if self._watch is None:
            unwanted |= {"store_attr", "mutation"}
        if names.find("compile") is None:  # the trace log stands in
            unwanted |= {"attempt", "convert_frame"}
        return [key for key in PATCHES if key not in unwanted]

    # --- what the stand-ins tell, besides compiles ---

    def stance_set(self, setter: FrameType) -> None:
        """``_set_stance`` is about to set a stance, in this frame."""
        with self.compiles.contained("stance"):
            stack = frames.user_stack(setter.f_back)
            stance = setter.f_locals["stance"].stance
            self._listener.stance_set(stance, stack[-1] if stack else None)
            self._count_entries(stance != "default")

    def entered(self) -> int:
        """Calls of compiled functions while a stance was in force."""
        return self.entries()

    def _count_entries(self, wanted: bool) -> None:
        with ORDER:
            PATCHES["entries"].remove(self)
            if wanted and self._is_in:
                PATCHES["entries"].add(self)

    def stored(self, effects: Any, item: Any, attribute: str = "") -> None:
        """A traced write is about to be noted: to an attribute, or to a container's entries."""
        with self.compiles.contained("store_attr"):
            if self._watch is not None:
                self._watch.stored(effects, item, attribute)

    def figures_known(self, metrics: Any) -> None:
        """Torch has summed up a compile."""
        with self.compiles.contained("metrics"):
            found = readings.stages_of(metrics)
            if found.backward:
                found = replace(found, parts=self.compiles.stages.outside())
            self._listener.stages_known(found)

    def stage_told(self, event: Any) -> None:
        """Torch begins or ends a stage of a compile."""
        with self.compiles.contained("stages"):
            self.compiles.stages.told(event)

    def recorded_on_device(self, compile_id: str, began: float, seconds: float) -> None:
        """A CUDA graph was recorded."""
        with self.compiles.contained("callbacks"):
            self._listener.device_work("cuda-graph", compile_id, began, seconds)
