"""Objects that share a code object, and so its cache entries and its recompile limit.

Worked example: ten blocks with a ``layer_idx`` are compiled one by one. The second one finds the
entry of the first, where ``self.layer_idx == 0`` fails: it lies under the object itself, and this
object has no entry of its own yet. That is ``other-instance``. That ``x.requires_grad`` fails, too,
is the call's, whichever object is called: a cause of its own.

Frames of torch's wrapper around a module (torch/_dynamo/external_utils.py, 2.8 to 2.14), and of a
decorator's inner function, run other code for each callable: of a callable without an entry there,
nothing that another's guards say tells of a change.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from esper_audit.data.compiles import GUARDS_FAILED, Compile, GuardFailure
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.places import Frame
from esper_audit.data.reasons import Reason, Why
from esper_audit.diagnosis.identify import identify
from esper_audit.diagnosis.nearest import closest_failures

Instances = Mapping[str, str]
"""The object that each cache entry of a code object was compiled for."""

Case = tuple[Compile, Diagnosis, GuardFailure]


def cases(compiles: Iterable[Compile]) -> Iterator[Case]:
    """Each recompile with each failure that explains it, and what that is."""
    known: dict[tuple[str, int, str], dict[str, str]] = defaultdict(dict)
    for compile_ in compiles:
        frame = compile_.frame
        instances = known[frame.file, frame.line, frame.raw_name]
        if not compile_.cache_entries_before:
            instances.clear()
        elif compile_.outcome in GUARDS_FAILED:
            for failure in _explaining(compile_, instances):
                yield compile_, _diagnosis(compile_, failure, instances), failure
        if compile_.succeeded:
            instances[compile_.id] = compile_.instance


def explained(
    compiles: Iterable[Compile],
) -> dict[int, list[tuple[Diagnosis, GuardFailure]]]:
    """What explains each recompile, by its sequence."""
    found: dict[int, list[tuple[Diagnosis, GuardFailure]]] = defaultdict(list)
    for compile_, diagnosis, failure in cases(compiles):
        found[compile_.sequence].append((diagnosis, failure))
    return found


def _explaining(compile_: Compile, instances: Instances) -> Iterable[GuardFailure]:
    failures = compile_.guard_failures
    if failures and _is_other_callable(compile_, instances):
        own = [failure for failure in failures if failure.own]
        return (_other_callable((own or failures)[0], compile_, instances),)
    return closest_failures(compile_, instances) or (_nothing(compile_),)


def _other_callable(failure: GuardFailure, compile_: Compile, instances: Instances) -> GuardFailure:
    """Another callable behind the wrapper: what else of it differs follows from that."""
    before = instances.get(failure.cache_entry, "").rpartition("@")[0]
    now = compile_.instance.rpartition("@")[0]
    return replace(failure, source="", expected=before, actual=now)


def _nothing(compile_: Compile) -> GuardFailure:
    reasons = "; ".join(compile_.torch_reasons)
    return GuardFailure("", "", "<unknown>", "", "", reasons, recognized=False)


def _diagnosis(compile_: Compile, failure: GuardFailure, instances: Instances) -> Diagnosis:
    own = compile_.instance
    is_foreign = instances.get(failure.cache_entry, own) != own
    if failure.own and is_foreign and _is_new(compile_, instances):
        return Diagnosis.OTHER_INSTANCE
    is_other = _is_other_callable(compile_, instances)
    return Diagnosis.OTHER_INSTANCE if is_other else identify(failure)


def _is_other_callable(compile_: Compile, instances: Instances) -> bool:
    """Whether a wrapper calls something for which there is no entry, but for others there is."""
    return is_wrapper(compile_.frame) and bool(instances) and _is_new(compile_, instances)


def _is_new(compile_: Compile, instances: Instances) -> bool:
    """Whether the object that was called has no cache entry of its own yet."""
    return bool(compile_.instance) and compile_.instance not in instances.values()


def is_wrapper(frame: Frame) -> bool:
    """Whether a frame is a wrapper's, which is named after what it wraps."""
    return frame.name != frame.raw_name


def shared_frame(frame: Frame) -> Frame:
    """The frame that all callables behind a wrapper share."""
    if not is_wrapper(frame):
        return frame
    return replace(frame, name=frame.raw_name, key=frame.key.removesuffix(f"({frame.name})"))


def shared_by(compiles: Sequence[Compile]) -> Reason:
    """What shares the code: objects of a class, closures of a function, callables in a wrapper."""
    first = compiles[0]
    if is_wrapper(first.frame):
        names = dict.fromkeys(compile_.frame.name for compile_ in compiles)
        return Reason(why=Why.WRAPPER_SHARED, names=tuple(names))
    is_function = first.instance.rpartition("@")[0] == first.frame.raw_name
    why = Why.CLOSURES_SHARE if is_function else Why.OBJECTS_SHARE
    return Reason(why=why, names=(first.frame.name,))
