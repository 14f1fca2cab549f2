"""How a further run of a program differs from its first: levers, edited files, eager execution."""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from esper_audit.data.calls import Calls
from esper_audit.data.remedies import Lever
from esper_audit.data.text import on_disk, to_json
from esper_audit.program.on_import import on_import
from esper_audit.replay.overlay import overlaid


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramVariant:
    """``eager``: compiled functions run eagerly, under the stance ``force_eager``.

    ``calls`` is where digests of the calls of compiled code go. ``levers`` are pulled, and files of
    the paths in ``overlay`` have its texts, as of ``Variant``.
    """

    levers: tuple[Lever, ...] = ()
    overlay: dict[str, str] = field(default_factory=dict)
    eager: bool = False
    calls: str = ""


def write_variant(variant: ProgramVariant, path: Path) -> None:
    """For the process that runs it."""
    path.write_bytes(to_json(variant))


def read_variant(path: Path) -> ProgramVariant:
    """What :func:`write_variant` wrote."""
    return msgspec.json.decode(path.read_bytes(), type=ProgramVariant)


def read_calls(path: Path) -> Calls | None:
    """None where a run left none, or no whole one."""
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Calls)
    except (OSError, msgspec.DecodeError, msgspec.ValidationError):
        return None


class VariantRun:
    """One run of a program under a variant, in its process; nothing of it is put back.

    Random numbers of Python, numpy and torch begin with a seed that is the same in each run.
    """

    def __init__(self, variant: ProgramVariant) -> None:
        self._variant = variant
        self._exits = ExitStack()
        self._calls: Callable[[], Calls] = Calls
        self._missing = ""

    def begin(self) -> None:
        """Before the program is read. Levers wait for its import of torch."""
        texts = {on_disk(path): text for path, text in self._variant.overlay.items()}
        self._exits.enter_context(overlaid(texts))
        random.seed(0)
        on_import("numpy.random", _seed_numpy)
        on_import("torch", self._torch_came)

    def end(self) -> None:
        """Keep the calls that were seen, for the process that asked for this run."""
        if self._variant.calls:
            data = msgspec.msgpack.encode(self._calls())  # JSON knows no NaN
            Path(self._variant.calls).write_bytes(data)

    def _torch_came(self) -> None:
        """An error here must not reach the program: the run then proves nothing."""
        try:
            self._pull()
        except Exception as error:
            self._missing = f"{type(error).__name__}: {error}"
            self._calls = lambda: Calls(missing=self._missing)

    def _pull(self) -> None:
        from esper_audit import _dynamo
        from esper_audit.replay.call_log import CallLog, seed

        seed()
        log, levers = CallLog(), _dynamo.Pulled(self._variant.levers)

        def calls() -> Calls:
            return Calls(
                rows=tuple(log.rows),
                last=log.last(),
                unseen=log.unseen,
                overridden=tuple(levers.overridden),
            )

        self._calls = calls
        self._exits.enter_context(levers.in_force())
        _dynamo.see_compiled_calls(log.around)
        _dynamo.draw_as_eager()
        if self._variant.eager:
            _dynamo.force_eager()


def _seed_numpy() -> None:
    numpy: Any = sys.modules.get("numpy.random")
    numpy.seed(0)
