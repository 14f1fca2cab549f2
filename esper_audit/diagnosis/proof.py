"""What proves that compiled code ran, and what puts a recording in doubt. Every door asks here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator

from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Phase
from esper_audit.diagnosis.counts import holds_graph

_NEEDED = ("compile", "convert_frame", "lookup")
NOT_PROVEN = Reason(why=Why.NOTHING_COMPILED_RAN)
ONLY_LOGGED = Reason(why=Why.ONLY_LOGGED)


def unproven(recording: Recording) -> Reason:
    """Why a recording in which compiled code is not proven to have run proves nothing."""
    return ONLY_LOGGED if recording.trace_log is not None else NOT_PROVEN


def ran_compiled(recording: Recording) -> bool:
    """Whether compiled code is proven to have run.

    A lookup that matches proves it only where there are graphs that nobody counts, compiled before
    the recording began: a frame that holds no graph, such as one that only calls a disabled
    function, matches as well. A trace log says what was compiled, never what ran.
    """
    if recording.trace_log is not None:
        return False
    made = [made for made in recording.compiles if made.succeeded and holds_graph(made)]
    if not recording.complete and made:
        return True  # its runs were lost with the process
    if recording.earlier_runs or any(compile_.graph_runs for compile_ in made):
        return True
    return not made and recording.lookups.hits > 0 and _has_uncounted_graphs(recording)


def _has_uncounted_graphs(recording: Recording) -> bool:
    return recording.graphs_before is None or recording.graphs_before > 0


def ran_after_warm_up(recording: Recording, warm_up_calls: int | None = None) -> bool:
    """Whether compiled code is proven to have run after warm-up."""
    if recording.trace_log is not None:
        return False
    runs: dict[str, int] = defaultdict(int)
    for attempt in recording.compiles:
        runs[attempt.frame.key] += attempt.graph_runs or 0
    if warm_up_calls is not None:
        return any(number > warm_up_calls for number in runs.values())
    if recording.steady_runs is not None and sum(runs.values()) > recording.steady_runs:
        return True
    if recording.steady_runs is not None and not _has_uncounted_graphs(recording):
        return False
    later = recording.lookups.hits > (recording.steady_hits or 0)
    return later or any(
        made.phase is Phase.STEADY and holds_graph(made) for made in recording.compiles
    )


def doubts(recording: Recording) -> Iterator[Reason]:
    """Why the evidence itself may be incomplete."""
    if recording.hook_errors:
        yield Reason(why=Why.RECORDER_FAILED, text=recording.hook_errors[0].gist)
    for lost in recording.lost:
        if lost.key in _NEEDED and recording.trace_log is None:
            yield Reason(why=Why.TORCH_LACKS, text=lost.torch_version, names=(lost.name,))
    if not recording.complete:
        yield Reason(why=Why.DIED_UNSAVED)
