"""Recording any code, asserting its recompiles, and naming who wrote the guarded state."""

from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

import esper_audit
from esper_audit import RecompileError
from esper_audit._dynamo import watch as watching
from esper_audit.events import Outcome, Phase
from esper_audit.ledger import MOST_IN_FULL
from esper_audit.recorder import Recorder


class Slot(nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 4)
        self.alpha = 0.5
        self.calls = 0
        self.settings = {"mode": "fast"}
        self.scales = [1.0]
        self.act = nn.ReLU()

    def set_alpha(self, value):
        self.alpha = value

    def forward(self, x):
        out = torch.lerp(x, self.linear(x), self.alpha)
        if self.settings["mode"] == "exact":
            out = out * 2
        for scale in self.scales:
            out = out * scale
        return self.act(out)


SET_ALPHA = Slot.set_alpha.__code__.co_firstlineno + 1


@pytest.fixture(autouse=True)
def clean_dynamo():
    torch.compiler.reset()
    yield
    torch.compiler.reset()
    assert sys.gettrace() is None


@pytest.fixture
def slot():
    return Slot()


@pytest.fixture
def step(slot):
    compiled, x = torch.compile(slot, backend="aot_eager"), torch.ones(2, 4)
    return lambda: compiled(x)


def test_a_recording_can_be_read_inside_its_block_and_after_it(slot, step):
    with esper_audit.record() as live:
        step()
        assert (live.compiles, live.recompiles) == (1, 0)
        slot.set_alpha(0.1)
        step()
        step()
    assert (live.compiles, live.recompiles, live.hits) == (2, 1, 1)
    assert [each.id for each in live.findings] == ["float-specialized"]
    assert live.frames[0].reused == 1
    assert live.result.torch_counters["unique_graphs"] == 2


def test_marks_say_where_and_in_which_phase_a_compile_happened(slot, step):
    with esper_audit.record() as live:
        step()
        esper_audit.steady_state()
        esper_audit.step("second")
        slot.set_alpha(0.1)
        step()
    found = [(each.phase, each.label) for each in live.result.compiles]
    assert found == [(Phase.WARM_UP, ""), (Phase.STEADY, "second")]
    assert (live.result.steps_marked, live.result.steady_at is not None) == (1, True)


def test_a_recording_can_be_saved_and_loaded(slot, step, tmp_path):
    from esper_audit.events import Recording
    from esper_audit.storage import load

    with esper_audit.record() as live:
        step()
    live.save(tmp_path / "r.json")
    assert load(tmp_path / "r.json", Recording) == live.result


def test_an_assertion_names_source_values_and_the_line_that_wrote(slot, step):
    with pytest.raises(RecompileError) as failed, esper_audit.assert_max_recompiles(0):
        step()
        slot.set_alpha(0.1)
        step()
    said = str(failed.value)
    assert said.startswith("1 recompile, at most 0 allowed\nfloat-specialized: self.alpha in Slot")
    assert "0.5 -> 0.1" in said
    assert f"written by Slot.set_alpha (tests/live/test_api.py:{SET_ALPHA})" in said
    assert isinstance(failed.value, AssertionError)


def test_an_assertion_passes_within_its_bound(slot, step):
    with esper_audit.assert_max_recompiles(1) as live:
        step()
        slot.set_alpha(0.1)
        step()
    assert live.recompiles == 1


def test_an_assertion_over_nothing_fails(slot):
    with (
        pytest.raises(RecompileError, match="No compiled code ran here"),
        esper_audit.assert_max_recompiles(0),
    ):
        slot(torch.ones(2, 4))


def test_an_assertion_over_code_that_runs_eagerly_fails():
    @torch.compile(backend="aot_eager")
    def nothing(x):
        return x

    with (
        pytest.raises(RecompileError, match="eager-empty-graph"),
        esper_audit.assert_max_recompiles(0),
    ):
        nothing(torch.ones(2))
        nothing(torch.ones(2))


def test_as_a_decorator_each_call_is_asserted(slot, step):
    @esper_audit.assert_max_recompiles(0)
    def drive(alpha):
        """Drives."""
        slot.set_alpha(alpha)
        step()
        return alpha

    assert (drive(0.5), drive.__doc__) == (0.5, "Drives.")
    with pytest.raises(RecompileError):
        drive(0.1)


def test_the_programs_own_error_is_not_replaced(slot, step):
    with pytest.raises(ZeroDivisionError), esper_audit.assert_max_recompiles(0):
        step()
        slot.set_alpha(0.1)
        step()
        raise ZeroDivisionError


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
    assert (finding.written_by.line, finding.written_by_unknown) == (expected, "")


def test_a_write_and_the_call_on_one_line_are_told_apart_from_other_lines(slot, step):
    with esper_audit.record(provenance=True) as live:
        step()
        setattr(slot, "alpha", 0.1), step()
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
    assert finding.written_by_unknown.startswith("it is an argument")
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
    assert "another tracer is at work" in live.findings[0].written_by_unknown


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
    assert "guards read more than 1 values" in live.findings[0].written_by_unknown


def signature(recording):
    return [
        (each.frame.key, each.outcome, {(f.kind, f.source) for f in each.guard_failures})
        for each in recording.compiles
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


@torch._dynamo.config.patch(recompile_limit=1000, accumulated_recompile_limit=1000)
def test_equal_compiles_are_added_up_and_none_is_lost():
    double = torch.compile(lambda x: x * 2, backend="eager", dynamic=False)
    total = MOST_IN_FULL + 20
    with esper_audit.record() as live:
        for size in range(2, total + 2):
            double(torch.ones(size))
    assert (live.compiles, live.recompiles) == (total, total - 1)
    assert len(live.result.compiles) == MOST_IN_FULL + 1
    assert sum(each.graph_runs for each in live.result.compiles) == total


def test_graph_runs_are_counted_for_each_compile_of_any_backend():
    for backend in ("eager", "aot_eager"):
        torch.compiler.reset()
        double = torch.compile(lambda x: x * 2, backend=backend)
        with Recorder() as recorder:
            for _ in range(5):
                double(torch.ones(3))
        assert [each.graph_runs for each in recorder.recording().compiles] == [5]


def test_a_stance_is_recorded_with_its_line():
    with esper_audit.record() as live, torch.compiler.set_stance("force_eager"):
        torch.compile(lambda x: x * 2, backend="eager")(torch.ones(2))
    assert live.result.stances[0].stance == "force_eager"
    assert live.findings[0].id == "eager-disabled"


def test_guard_collectives_that_are_switched_on_later_keep_being_counted():
    double = torch.compile(lambda x: x * 2, backend="eager")
    with Recorder() as recorder:
        torch.compiler.set_enable_guard_collectives(True)
        double(torch.ones(2))
        double(torch.ones(2))
    assert recorder.recording().lookups.hits == 1
    assert recorder.recording().hook_errors == ()
    assert torch.compiler.set_enable_guard_collectives(False) is True
    assert recorder.recording().compiles[0].outcome is Outcome.COMPILED
