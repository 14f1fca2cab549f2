"""Recorders beside other tools that patch torch, and recorders that end in odd ways and places."""

from __future__ import annotations

import functools
import itertools
import signal
import sys
import threading

import pytest
import torch
import torch._dynamo.convert_frame as torchs
from times import X, compiled_times, run

from esper_audit import Recorder, record
from esper_audit._dynamo import compiles, names
from esper_audit._dynamo.hooks import PATCHES
from esper_audit.data.compiles import Outcome

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def summary(recording):
    return [
        (compile_.frame.raw_name.split(".")[-1], compile_.outcome.value)
        for compile_ in recording.compiles
    ]


TWO = [("times", "compiled"), ("times", "recompiled")]


class Odd:
    """A wrapper that is no function and shows no signature."""

    def __init__(self, original):
        self.original = original

    def __call__(self, *args, **kwargs):
        return self.original(*args, **kwargs)


def by_keyword(original):
    def wrapper(code, *rest, **kwargs):
        return original(code, *rest, **kwargs)

    return wrapper


def with_wraps(original):
    @functools.wraps(original)
    def wrapper(*args, **kwargs):
        return original(*args, **kwargs)

    return wrapper


FOREIGN = {
    "no wraps": lambda original: lambda *args, **kwargs: original(*args, **kwargs),
    "wraps": with_wraps,
    "an object": Odd,
    "another signature": by_keyword,
    "a partial": functools.partial,
}


@pytest.mark.parametrize("provenance", [False, True])
@pytest.mark.parametrize("wrap", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_wrapper_of_any_signature_costs_nothing(wrap, provenance, monkeypatch, capsys):
    monkeypatch.setattr(torchs, "_compile", wrap(torchs._compile))
    with record(provenance=provenance) as recording:
        run(compiled_times())
    found = recording.result
    assert (summary(found), found.hook_errors, found.unrecognized) == (TWO, (), ())
    assert found.compiles[1].guard_failures[0].source == "k"
    assert found.compiles[0].stack and found.compiles[0].recompiles_left == 7
    assert "KeyError" not in capsys.readouterr().err


@pytest.mark.parametrize("name", ["_compile", "compile_context", "add_skip_reason"])
@pytest.mark.parametrize("wrap", FOREIGN.values(), ids=FOREIGN)
def test_a_foreign_wrapper_that_comes_and_goes_inside_costs_nothing(wrap, name):
    with record() as recording:
        before = getattr(torchs, name)
        setattr(torchs, name, wrap(before))
        function = compiled_times()
        run(function, [1.0])
        setattr(torchs, name, before)
        run(function, [2.0])
    assert (summary(recording.result), recording.result.hook_errors) == (TWO, ())


def test_a_foreign_wrapper_of_what_catches_errors_costs_nothing(monkeypatch):
    owner = torchs.CatchErrorsWrapper
    monkeypatch.setattr(owner, "__call__", FOREIGN["no wraps"](owner.__call__))  # type: ignore[operator]
    with record(provenance=True) as recording:
        run(compiled_times())
        torch.compile(lambda x: x, backend="eager")(X)
    *two, skipped = summary(recording.result)
    assert (two, skipped[1], recording.result.hook_errors) == (TWO, "skipped", ())


def test_torchs_own_compile_put_back_inside_hides_no_recompile():
    original = torchs._compile
    with record() as recording:
        torchs._compile = original
        run(compiled_times(), [1.0, 2.0, 3.0])
    assert len(recording.result.compiles) == 3


def test_a_foreign_tool_that_raises_is_the_programs_own_error():
    def out(*args, **kwargs):
        raise LookupError("the tool is out")

    with record(provenance=True) as recording, pytest.MonkeyPatch.context() as patch:
        patch.setattr(torchs, "_compile", out)
        with pytest.raises(LookupError, match="the tool is out"):
            compiled_times()(X, 1.0)
    only = recording.result.compiles[0]
    assert (only.outcome, only.raised, only.limit) == (Outcome.FAILED, True, "")
    assert only.frame.raw_name.endswith("times")
    assert recording.result.hook_errors == ()


# --- comings and goings ---


def at(key):
    place = names.owner_of(key)
    assert place is not None
    return place


def there(key):
    owner, attribute = at(key)
    return vars(owner)[attribute]


@pytest.mark.parametrize("key", PATCHES)
def test_a_wrapper_put_on_top_of_ours_stays_when_we_go(key):
    owner, attribute = at(key)
    original, calls = there(key), []
    recorder = Recorder(watch=True)
    with recorder:
        ours = there(key)

        @functools.wraps(ours)
        def theirs(*args, **kwargs):
            calls.append(1)
            return ours(*args, **kwargs)

        setattr(owner, attribute, theirs)
    try:
        assert there(key) is theirs
        told = len(recorder.recording().compiles)
        run(compiled_times())
        assert len(recorder.recording().compiles) == told
    finally:
        setattr(owner, attribute, original)


@pytest.mark.parametrize("key", PATCHES)
def test_a_stand_in_put_back_later_is_inert_and_goes_next_time(key):
    owner, attribute = at(key)
    original = there(key)
    first = Recorder(watch=True)
    with first:
        ours = there(key)
    assert there(key) is original
    setattr(owner, attribute, ours)
    run(compiled_times())
    assert first.recording().compiles == ()
    torch._dynamo.reset()
    with Recorder(watch=True) as second:
        run(compiled_times())
    assert (summary(second.recording()), second.recording().hook_errors) == (TWO, ())
    assert there(key) is original


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
@pytest.mark.parametrize("watch", [False, True])
def test_recorders_end_in_any_order(order, watch):
    before = [there(key) for key in PATCHES]
    recorders = [Recorder(watch=watch) for _ in order]
    for recorder in recorders:
        recorder.__enter__()
    function = compiled_times()
    values = itertools.count(1)
    for index in order:
        run(function, [float(next(values))])
        recorders[index].__exit__(None, None, None)
    assert [len(recorders[index].recording().compiles) for index in order] == [1, 2, 3]
    assert [there(key) for key in PATCHES] == before
    assert all(not ended.recording().hook_errors for ended in recorders)


def test_a_recorder_that_comes_after_a_foreign_wrapper_hears_each_compile_once():
    owner, attribute = at("attempt")
    first, second = Recorder(), Recorder()
    with first:
        ours = there("attempt")
        setattr(owner, attribute, lambda *args: ours(*args))
        with second:
            run(compiled_times())
        setattr(owner, attribute, ours)
    assert (summary(first.recording()), summary(second.recording())) == (TWO, TWO)


def test_lookup_hooks_of_others_come_and_go_around_two_recorders():
    seen = []

    def theirs(hit):
        seen.append(hit)
        return hit

    set_hook = names.find("lookup")
    first, second = Recorder(), Recorder()
    first.__enter__()
    before = names.find("lookup")(theirs)
    second.__enter__()
    function = compiled_times()
    run(function, [1.0, 1.0])
    first.__exit__(None, None, None)
    run(function, [1.0])
    second.__exit__(None, None, None)
    run(function, [1.0])
    assert names.find("lookup") is set_hook
    assert set_hook(before) is theirs
    assert (seen, first.lookups.hits, second.lookups.hits) == ([True] * 3, 1, 2)


@pytest.mark.parametrize("answer", [True, 1, False, 0, None])
def test_the_answer_of_a_foreign_lookup_hook_counts_and_is_named(answer):
    set_hook = names.find("lookup")
    before = set_hook(lambda hit: answer if hit else False)
    try:
        with record() as recording:
            function = compiled_times()
            run(function, [1.0, 1.0, 2.0])
    finally:
        set_hook(before)
    kinds = [compile_.guard_failures[0].kind for compile_ in recording.result.compiles[1:]]
    assert kinds == (["EQUALS_MATCH"] if answer else ["FORCED", "EQUALS_MATCH"])
    assert (recording.hits, recording.result.lookups.misses) == (1, 1)


# --- threads and signals ---


def handlers():
    numbers = sorted(signal.valid_signals())
    return (signal.signal, signal.getsignal, [signal.getsignal(number) for number in numbers])


def in_thread(function, *args):
    thread = threading.Thread(target=function, args=args)
    thread.start()
    thread.join()


@pytest.mark.parametrize("watch", [False, True])
def test_a_recorder_left_in_another_thread_leaves_nothing_behind(watch):
    before, trace = handlers(), sys.gettrace()
    recorder = Recorder(watch=watch)
    recorder.__enter__()
    run(compiled_times(), [1.0])
    in_thread(recorder.__exit__, None, None, None)
    assert handlers() == before
    assert (sys.gettrace(), threading.gettrace()) == (trace, None)
    run(compiled_times(), [2.0])
    assert len(recorder.recording().compiles) == 1


@pytest.mark.parametrize("watch", [False, True])
def test_a_recorder_entered_in_another_thread_leaves_nothing_behind(watch):
    before = handlers()
    recorder = Recorder(watch=watch)
    in_thread(recorder.__enter__)
    run(compiled_times())
    recorder.__exit__(None, None, None)
    assert (handlers(), len(recorder.recording().compiles)) == (before, 2)


def test_a_handler_that_the_program_sets_inside_is_its_own_and_stays():
    caught = []

    def theirs(number, frame):
        caught.append(frame.f_code.co_filename)

    before = signal.getsignal(signal.SIGUSR1)
    try:
        with record():
            signal.signal(signal.SIGUSR1, theirs)
            assert signal.getsignal(signal.SIGUSR1) is theirs
            signal.raise_signal(signal.SIGUSR1)
        assert signal.getsignal(signal.SIGUSR1) is theirs
        assert caught == [__file__]
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_traceback_of_an_interrupt_names_no_file_of_ours():
    def interrupted(x, k):
        torch._dynamo.graph_break()
        signal.raise_signal(signal.SIGINT)
        return x * k

    with record() as recording, pytest.raises(KeyboardInterrupt) as caught:
        torch.compile(interrupted, backend="eager")(X, 1)
    files = {str(entry.path) for entry in caught.traceback}
    assert not any("/esper_audit/" in file for file in files)
    assert recording.result.hook_errors == ()


def test_an_interrupt_inside_a_hook_reaches_the_program_and_torch_goes_on(monkeypatch):
    def interrupted(*args):
        raise KeyboardInterrupt

    function = compiled_times()
    with record() as recording:
        with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
            patch.setattr(compiles, "failing_guards", interrupted)
            function(X, 1.0)
        assert torch._guards.CompileContext.current_compile_id() is None
        run(function)
    assert summary(recording.result)[-2:] == TWO
