"""Who wrote the guarded state: the exact line, or the reason why it is not known."""

from __future__ import annotations

import inspect
import sys
import threading
import traceback
import types
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch
from slots import SET_ALPHA, Slot
from torch import nn

import esper_audit
from esper_audit._dynamo import watch as watching
from esper_audit.report.words.reasons import in_words

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def changes(slot):
    """Ways to write guarded state, each on one line, with the source that it writes."""
    return {
        "attribute": (lambda: slot.set_alpha(0.1), "self.alpha"),
        "setattr": (lambda: setattr(slot, "alpha", 0.2), "self.alpha"),
        "object.__setattr__": (lambda: object.__setattr__(slot, "alpha", 0.3), "self.alpha"),
        "vars": (lambda: vars(slot).update(alpha=0.4), "self.alpha"),
        "dict entry": (lambda: slot.settings.update(mode="exact"), "self.settings['mode']"),
        "list entry": (lambda: slot.scales.append(2.0), "self.scales"),
        "submodule": (lambda: setattr(slot, "act", nn.GELU()), "self.act"),
        "requires_grad_": (lambda: slot.linear.requires_grad_(False), "self.linear."),
        "a container of it": (
            lambda: setattr(slot, "settings", {"mode": "exact"}),
            "self.settings",
        ),
    }


@pytest.mark.parametrize("how", list(changes(None)))
def test_every_way_to_write_is_found_on_its_line(slot, step, how):
    write, source = changes(slot)[how]
    with esper_audit.record(provenance=True) as live:
        step()
        write()
        step()
    finding = live.findings[0]
    assert finding.source.startswith(source)
    expected = SET_ALPHA if how == "attribute" else write.__code__.co_firstlineno
    assert (finding.written_by.line, in_words(finding.no_writer)) == (expected, "")


def test_a_write_and_the_call_on_one_line_are_told_apart_from_other_lines(slot, step):
    with esper_audit.record(provenance=True) as live:
        step()
        setattr(slot, "alpha", 0.1), step()  # type: ignore[func-returns-value]
    assert live.findings[0].written_by.function.endswith("told_apart_from_other_lines")


def test_a_write_of_compiled_code_itself_is_found_on_its_line():
    class Counter(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            y = x * 2
            self.calls += 1
            return y + self.calls

    compiled = torch.compile(Counter(), backend="aot_eager")
    with esper_audit.record(provenance=True) as live:
        for _ in range(3):
            compiled(torch.ones(2))
    line = Counter.forward.__code__.co_firstlineno + 2
    assert (live.findings[0].id, live.findings[0].written_by.line) == ("int-counter", line)


def test_an_argument_names_the_call(step):
    double = torch.compile(lambda x: x * 2, backend="aot_eager")
    with esper_audit.record(provenance=True) as live:
        double(torch.ones(2))
        double(torch.ones(2, dtype=torch.float64))
    finding = live.findings[0]
    assert finding.written_by is None
    assert in_words(finding.no_writer).startswith("it is an argument")
    assert finding.called_from.function.endswith("test_an_argument_names_the_call")


def test_another_tracer_is_respected_and_named_as_the_reason(slot, step):
    tracer = lambda *_: None  # noqa: E731
    sys.settrace(tracer)
    try:
        with esper_audit.record(provenance=True) as live:
            step()
            slot.set_alpha(0.1)
            step()
        assert sys.gettrace() is tracer
    finally:
        sys.settrace(None)
    assert "another tracer is at work" in in_words(live.findings[0].no_writer)


def test_watches_may_nest(slot, step):
    with esper_audit.record(provenance=True) as outer:
        step()
        with esper_audit.record(provenance=True) as inner:
            step()
            slot.set_alpha(0.1)
            step()
        slot.set_alpha(0.2)
        step()
    assert (inner.recompiles, outer.recompiles) == (1, 2)
    assert outer.findings[0].written_by.line == SET_ALPHA


def test_more_guarded_values_than_are_watched_is_said(slot, step, monkeypatch):
    monkeypatch.setattr(watching, "MOST", 1)
    with esper_audit.record(provenance=True) as live:
        step()
        slot.set_alpha(0.1)
        step()
    assert "guards read more than 1 values" in in_words(live.findings[0].no_writer)


def signature(recording):
    return [
        (
            compile_.frame.key,
            compile_.outcome,
            {(f.kind, f.source) for f in compile_.guard_failures},
        )
        for compile_ in recording.compiles
    ]


def test_watching_changes_nothing_of_what_is_compiled(slot):
    found = []
    for provenance in (False, True):
        torch.compiler.reset()
        slot = Slot()
        compiled = torch.compile(slot, backend="aot_eager")
        with esper_audit.record(provenance=provenance) as live:
            for number in range(6):
                slot.set_alpha(number / 10)
                slot.settings["mode"] = ("fast", "exact")[number % 2]
                compiled(torch.ones(2 + number % 3, 4))
        found.append((signature(live.result), live.hits))
    assert found[0] == found[1]


def test_watching_keeps_no_object_alive():
    import gc
    import weakref

    slot = Slot()
    kept = weakref.ref(slot)
    with esper_audit.record(provenance=True):
        torch.compile(slot, backend="aot_eager")(torch.ones(2, 4))
        del slot
        torch.compiler.reset()
        gc.collect()
        assert kept() is None


def unknown(live):
    """The reason why no writer is named."""
    finding = live.findings[0]
    assert finding.written_by is None
    return in_words(finding.no_writer)


def test_with_a_second_thread_at_work_no_line_is_named(slot, step):
    with esper_audit.record(provenance=True) as live:
        step()
        thread = threading.Thread(target=lambda: slot.set_alpha(0.1))
        thread.start()
        thread.join()
        step()
    assert unknown(live) == "several threads ran your code: it may be any of them"


def test_with_a_pool_from_before_no_line_is_named(slot, step):
    with ThreadPoolExecutor(1) as pool:
        pool.submit(int).result()
        with esper_audit.record(provenance=True) as live:
            step()
            pool.submit(slot.set_alpha, 0.1).result()
            step()
    assert unknown(live).startswith("threads started before recording")


def test_where_the_program_stops_tracing_no_line_is_named(slot, step):
    with esper_audit.record(provenance=True) as live:
        step()
        sys.settrace(None)
        slot.set_alpha(0.1)
        step()
    assert "no line of your code was seen to change it" in unknown(live)


def test_a_thread_that_outlives_the_watch_is_traced_no_more(step):
    go, seen = threading.Event(), []

    def work():
        go.wait(10)
        seen.append(sys.gettrace())
        (lambda: None)()
        seen.append(sys.gettrace())

    with esper_audit.record(provenance=True):
        step()
        thread = threading.Thread(target=work)
        thread.start()
    go.set()
    thread.join()
    assert seen[-1] is None


def test_writes_of_two_compiled_functions_to_one_name_are_told_apart():
    class One(nn.Module):
        def __init__(self):
            super().__init__()
            self.calls = 0

        def forward(self, x):
            self.calls += 1
            return x + self.calls

    class Two(One):
        def forward(self, x):
            y = x * 2
            self.calls += 1
            return y + self.calls

    one, two = One(), Two()
    first, second = (torch.compile(module, backend="aot_eager") for module in (one, two))
    with esper_audit.record(provenance=True) as live:
        for _ in range(2):
            first(torch.ones(2))
            second(torch.ones(2))
        first(torch.ones(2))
    lines = {
        finding.frame.name.split(".")[-2]: finding.written_by.line for finding in live.findings
    }
    assert lines == {
        "One": One.forward.__code__.co_firstlineno + 1,
        "Two": Two.forward.__code__.co_firstlineno + 2,
    }


def test_an_object_at_a_reused_address_inherits_nothing():
    with esper_audit.record(provenance=True) as live:
        for value in (0.1, 0.2, 0.3):
            slot = Slot()
            slot.alpha = value
            torch.compile(slot, backend="aot_eager")(torch.ones(2, 4))
            del slot
    assert {finding.id for finding in live.findings} == {"other-instance"}
    assert unknown(live) == "this object was not watched before"


MODE = "fast"


def test_a_write_to_a_global_is_found_on_its_line():
    @torch.compile(backend="aot_eager")
    def scale(x):
        return x * 2 if MODE == "fast" else x * 3

    def change():
        global MODE
        MODE = "exact"

    with esper_audit.record(provenance=True) as live:
        scale(torch.ones(2))
        change()
        scale(torch.ones(2))
    found = live.findings[0]
    assert (found.id, found.source) == ("captured-variable", "MODE")
    assert found.written_by.line == change.__code__.co_firstlineno + 2
    assert found.called_from.function.endswith("test_a_write_to_a_global_is_found_on_its_line")


def test_watching_runs_no_code_of_the_users():
    from collections import defaultdict

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.table = defaultdict(lambda: 2.0)
            self.reads = 0

        @property
        def factor(self):
            self.reads += 1
            return self.table["a"]

        def forward(self, x):
            return x * self.table["a"]

    model = Model()
    assert model.table["a"] == 2.0
    with esper_audit.record(provenance=True):
        torch.compile(model, backend="aot_eager")(torch.ones(2))
        model.table.clear()
        assert not model.table
    assert model.reads == 0


def test_a_thread_without_a_line_of_the_users_counts_as_well(slot, step):
    with esper_audit.record(provenance=True) as live:
        step()
        timer = threading.Timer(0.01, setattr, (slot, "alpha", 0.1))
        timer.start()
        timer.join()
        step()
    assert unknown(live) == "several threads ran your code: it may be any of them"


def test_a_container_whose_keys_change_but_not_their_number_was_written():
    table = {"a": 1, "b": 2}
    step = torch.compile(lambda x: x * 2 if "a" in table else x * 3, backend="eager")
    with esper_audit.record(provenance=True) as live:
        step(torch.ones(2))
        table["c"] = table.pop("b")
        table["d"] = table.pop("a")
        line = inspect.currentframe().f_lineno - 1
        step(torch.ones(2))
    assert {finding.written_by.line for finding in live.findings} == {line}


def test_watching_asks_no_subclass_of_a_container_for_its_length():
    asked = []

    class Items(list):
        def __len__(self):
            asked.append(any("watched" in frame.filename for frame in traceback.extract_stack()))
            return super().__len__()

    holder = types.SimpleNamespace(items=Items([1]))
    step = torch.compile(lambda x: x * 2 if holder.items else x, backend="eager")
    with esper_audit.record(provenance=True):
        step(torch.ones(2))
        holder.items = Items()
        step(torch.ones(2))
    assert True not in asked
