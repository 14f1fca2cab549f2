"""The trace log of one process, made a recording like any other.

What a log can't tell is left empty, and the recording says so: how often compiled code ran, which
lines wrote guarded state, what the steps of the program were.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator

from esper_audit.data.compiles import DeferredWork
from esper_audit.data.logs import CacheUse, GraphSkip, LogSource
from esper_audit.data.notices import LostEvidence
from esper_audit.data.recording import Environment, Program, Recording
from esper_audit.data.steps import Phase
from esper_audit.data.text import encodable
from esper_audit.recording.ledger import unrecognized
from esper_audit.traces.attempts import (
    number,
)
from esper_audit.traces.compiles import Compiles
from esper_audit.traces.process_log import ProcessLog

_LOST = (
    ("lookup", "lookups", "how often calls found compiled code, so that nothing proves reuse"),
    ("graph_compile", "graph runs", "how often each compiled graph ran"),
    ("writes", "writes", "the lines that write guarded state"),
    ("steps", "steps", "the steps of the program, and when its warm-up was over"),
    ("convert_frame", "skipped frames", "frames that torch skips before it compiles"),
)
"""What no trace log has: our key, its name, what is lost with it."""


def recording_of(log: ProcessLog, root: str = "") -> Recording:
    """The recording of one process.

    Args:
        log: what was read of its trace log.
        root: the folder from which frames of files on this machine are named; the present one
            without it.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SyntaxWarning)  # of what is no Python in a damaged log
        return _recording_of(log, root)


def _recording_of(log: ProcessLog, root: str) -> Recording:
    # A text: it is compared with code objects' files.
    made = Compiles(log, root or os.getcwd())  # noqa: PTH109
    compiles = tuple(made.compiles())
    torch = log.torch or str(made.first("pytorch_version") or "unknown")
    found = Recording(
        environment=Environment(
            torch=torch,
            python=(log.python or str(made.first("python_version") or "unknown")).split(" ")[0],
            device="",
            settings=made.settings(),
        ),
        compiles=compiles,
        deferred=tuple(_deferred(log)),
        unrecognized=(*unrecognized(compiles), *made.unread()),
        lost=tuple(LostEvidence(name, torch, lost, key) for key, name, lost in _LOST),
        program=Program(argv=(made.script(),), rank=log.rank),
        seconds=made.seconds(),
        began_at=made.began,
        trace_log=LogSource(
            files=log.files,
            pid=log.pid,
            records=log.records,
            size=log.size,
            damage=tuple(log.damage),
        ),
        caches=tuple(_caches(log)),
        graph_skips=tuple(_graph_skips(log)),
    )
    return encodable(found)


def _deferred(log: ProcessLog) -> Iterator[DeferredWork]:
    for logged in log.compiles:
        for metrics in logged.later:
            captured = number(metrics, "runtime_cudagraphify_time_us")
            if metrics.get("is_forward") is False:
                micros = number(metrics, "duration_us")
                spent = None if micros is None else micros / 1e6
                yield DeferredWork("backward", logged.id, None, spent, phase=Phase.WARM_UP)
            elif captured:
                yield DeferredWork(
                    "cuda-graph", logged.id, None, captured / 1e6, phase=Phase.WARM_UP
                )


def _caches(log: ProcessLog) -> Iterator[CacheUse]:
    counts: dict[str, dict[str, int]] = {}
    for logged in log.compiles:
        for name, count in logged.caches.items():
            cache, _, what = name.rpartition("_")
            of_cache = counts.setdefault(cache, {"hit": 0, "miss": 0, "bypass": 0})
            if what in of_cache:
                of_cache[what] += count
    for cache, found in counts.items():
        if any(found.values()):
            yield CacheUse(
                cache=cache,
                hits=found["hit"],
                misses=found["miss"],
                bypasses=found["bypass"],
            )


def _graph_skips(log: ProcessLog) -> Iterator[GraphSkip]:
    counts: dict[tuple[str, str], int] = {}
    for logged in log.compiles:
        for metrics in (logged.metrics, *logged.later):
            reason = metrics.get("cudagraph_skip_reason")
            if reason:
                key = (logged.id, str(reason))
                counts[key] = counts.get(key, 0) + 1
    for (compile_id, reason), count in counts.items():
        yield GraphSkip(compile_id=compile_id, reason=reason, count=count)
