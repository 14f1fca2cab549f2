"""Whether comparing in the same process has disturbed a replay: a second one without it tells.

Where no fork can be had, a step's eager twin runs on copies in the replay's own process. It shares
module-level dicts, class attributes, default arguments and caches with the step: it may fill a
cache first, or count twice. A replay without any comparison can't be disturbed by one. If it makes
the same compiles and gives the same output, step by step, the comparison changed nothing.
"""

from __future__ import annotations

import math
from dataclasses import replace

from esper_audit.data.comparisons import Comparison
from esper_audit.data.jobs import Job, Replay, ReplayStatus
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Recording
from esper_audit.data.steps import Step

_SAME = 1e-5
"""Of a checksum's size: compiled code may add up in another order from run to run."""


def needs_proof(replay: Replay) -> bool:
    """Whether a twin of this replay ran in its own process."""
    return replay.recording is not None and any(step.shares for step in replay.recording.steps)


def proof_job(job: Job) -> Job:
    """The job of the second replay."""
    return replace(job, compare=False, variant=replace(job.variant, checksums=True))


def settled(first: Replay, second: Replay) -> Replay:
    """The first replay where the second proves it undisturbed; else what the second shows.

    Of the second nothing was compared, so each of its steps then proves nothing, and says why.
    """
    assert first.recording is not None
    why = _disturbed(first.recording, second)
    if why is None:
        return first
    shown = second.recording if second.recording is not None else first.recording
    unsure = Comparison("eager", "output", None, why=why)
    steps = tuple(replace(step, comparisons=(unsure,)) for step in shown.steps)
    return replace(first, recording=replace(shown, steps=steps))


def _disturbed(first: Recording, second: Replay) -> Reason | None:
    """Why the second replay does not prove the first undisturbed; None where it does."""
    if second.recording is None or second.status is not ReplayStatus.COMPLETED:
        return Reason(why=Why.PROOF_FAILED, cause=second.reason)
    if _compiles(first) != _compiles(second.recording):
        return Reason(why=Why.COMPARISON_COMPILES)
    pairs = zip(first.steps, second.recording.steps, strict=True)
    differing = next((one for one, other in pairs if not _alike(one, other)), None)
    if differing is not None:
        return Reason(why=Why.COMPARISON_CHANGES, step=differing.index)
    return None


def _compiles(recording: Recording) -> tuple[object, ...]:
    events = [
        (compile_.step, compile_.outcome, compile_.frame.key) for compile_ in recording.compiles
    ]
    return len(recording.steps), tuple(events)


def _alike(one: Step, other: Step) -> bool:
    """Each tensor's two sums, within a share of the second: the first may cancel."""
    if not one.shares:
        return True  # a fork shares nothing
    if len(one.checksum) != len(other.checksum):
        return False
    pairs = list(zip(one.checksum, other.checksum, strict=True))
    sizes = [max(pair) for pair in pairs[1::2]]
    return all(
        _is_close(*pair, size)
        for place, size in enumerate(sizes)
        for pair in pairs[2 * place : 2 * place + 2]
    )


def _is_close(one: float, other: float, size: float) -> bool:
    alike = one == other or (math.isnan(one) and math.isnan(other))
    return alike or abs(one - other) <= _SAME * size
