"""Recording any code, asserting its recompiles, and naming who wrote the guarded state."""

from __future__ import annotations

import pytest
import torch
from slots import SET_ALPHA
from torch import nn

import esper_audit
from esper_audit import RecompileError
from esper_audit.data.compiles import Outcome
from esper_audit.data.steps import Phase
from esper_audit.recording.ledger import MOST_IN_FULL
from esper_audit.recording.recorder import Recorder

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def test_a_recording_can_be_read_inside_its_block_and_after_it(slot, step):
    with esper_audit.record() as live:
        step()
        assert (live.compiles, live.recompiles) == (1, 0)
        slot.set_alpha(0.1)
        step()
        step()
    assert (live.compiles, live.recompiles, live.hits) == (2, 1, 1)
    assert [finding.id for finding in live.findings] == ["float-specialized"]
    assert live.frames[0].reused == 1
    assert live.result.torch_counters["unique_graphs"] == 2


def test_marks_say_where_and_in_which_phase_a_compile_happened(slot, step):
    with esper_audit.record() as live:
        step()
        esper_audit.steady_state()
        esper_audit.step("second")
        slot.set_alpha(0.1)
        step()
    found = [(compile_.phase, compile_.label) for compile_ in live.result.compiles]
    assert found == [(Phase.WARM_UP, ""), (Phase.STEADY, "second")]
    assert live.result.steps_marked == 1
    assert live.result.steady_at is not None


def test_a_recording_can_be_saved_and_loaded(slot, step, tmp_path):
    from esper_audit.data.recording import Recording
    from esper_audit.data.storage import load

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
    assert said.startswith("1 recompile, 0 allowed\nfloat-specialized: self.alpha in Slot")
    assert "0.5 -> 0.1" in said
    assert f"written by Slot.set_alpha (tests/live/slots.py:{SET_ALPHA})" in said
    assert isinstance(failed.value, AssertionError)


def test_an_assertion_passes_within_its_bound(slot, step):
    with esper_audit.assert_max_recompiles(1) as live:
        step()
        slot.set_alpha(0.1)
        step()
    assert live.recompiles == 1


def test_an_assertion_over_nothing_fails(slot):
    with (
        pytest.raises(RecompileError, match="Not completed: no compiled code ran"),
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


@torch._dynamo.config.patch(recompile_limit=1000, accumulated_recompile_limit=1000)
def test_equal_compiles_are_added_up_and_none_is_lost():
    double = torch.compile(lambda x: x * 2, backend="eager", dynamic=False)
    total = MOST_IN_FULL + 20
    with esper_audit.record() as live:
        for size in range(2, total + 2):
            double(torch.ones(size))
    assert (live.compiles, live.recompiles) == (total, total - 1)
    assert len(live.result.compiles) == MOST_IN_FULL + 1
    assert sum(compile_.graph_runs or 0 for compile_ in live.result.compiles) == total


def test_graph_runs_are_counted_for_each_compile_of_any_backend():
    for backend in ("eager", "aot_eager"):
        torch.compiler.reset()
        double = torch.compile(lambda x: x * 2, backend=backend)
        with Recorder() as recorder:
            for _ in range(5):
                double(torch.ones(3))
        assert [compile_.graph_runs for compile_ in recorder.recording().compiles] == [5]


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


def test_recordings_of_two_threads_may_end_in_any_order(slot, step):
    one, other = esper_audit.record(), esper_audit.record()
    first = one.__enter__()
    second = other.__enter__()
    step()
    one.__exit__(None, None, None)
    step()
    slot.set_alpha(0.1)
    step()
    other.__exit__(None, None, None)
    step()
    assert (first.compiles, first.hits) == (1, 0)
    assert (second.compiles, second.recompiles, second.hits) == (2, 1, 1)
    # the autouse fixture no_hook_stays_installed proves the rest


def test_a_backend_that_calls_a_compiled_function_costs_no_count():
    inner = torch.compile(lambda x: x + 1, backend="eager")

    def backend(graph, inputs):
        inner(torch.ones(3))
        return graph.forward

    outer = torch.compile(lambda x: x * 2, backend=backend)
    with esper_audit.record() as live:
        outer(torch.ones(2))
        outer(torch.ones(2))
    runs = {compile_.frame.line: compile_.graph_runs or 0 for compile_ in live.result.compiles}
    assert sorted(runs.values()) == [1, 2]


def test_an_export_is_no_trouble():
    with esper_audit.record() as live:
        torch.export.export(nn.Linear(2, 2), (torch.ones(1, 2),), strict=True)
    assert live.result.hook_errors == ()


def test_a_module_of_torch_that_is_compiled_in_place_runs_eagerly_and_is_seen():
    model = nn.Sequential(nn.Linear(2, 2), nn.ReLU())
    model.compile(backend="aot_eager")
    with esper_audit.record() as live:
        model(torch.ones(1, 2))
        model(torch.ones(1, 2))
    assert live.hits > 0 or any(finding.id.value.startswith("eager-") for finding in live.findings)


def test_helpers_of_torch_around_a_graph_module_are_no_frames_of_the_users(clean_dynamo):
    """``disable`` of a module, as of a backend that returns the graph: contextmanager's wrapper."""
    compiled = torch.compile(lambda x: x * 2, backend=lambda graph, _inputs: graph)
    with esper_audit.record() as live:
        for _ in range(3):
            compiled(torch.ones(2))
    assert live.findings == ()
    assert len(live.frames) == 1


def test_a_recording_in_which_nothing_was_compiled_says_so(clean_dynamo):
    with esper_audit.record() as live:
        torch.ones(2) * 2
    assert live.report() == "recording: nothing was compiled"


def test_a_recording_without_a_finding_says_what_it_saw(clean_dynamo):
    compiled = torch.compile(lambda x: x * 2, backend="aot_eager")
    with esper_audit.record() as live:
        compiled(torch.ones(2))
        compiled(torch.ones(2))
    said = live.report()
    assert said.startswith("recording: 1 compile (0 recompiles) in ")
    assert said.endswith("compiled code was reused 1 time")


def test_a_frame_that_only_calls_disabled_code_proves_nothing(clean_dynamo):
    @torch.compiler.disable
    def inner(x):
        return x + 1

    @torch.compile(backend="aot_eager")
    def outer(x):
        return inner(x)

    torch._dynamo.utils.counters.clear()
    outer(torch.ones(2))
    unproven = pytest.raises(RecompileError, match="no compiled code ran")
    with unproven, esper_audit.assert_max_recompiles(0):
        outer(torch.ones(2))
