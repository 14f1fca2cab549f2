"""A replay compares each step with what it should give, and disturbs nothing by it."""

from __future__ import annotations

import random
import threading

import pytest
import torch
from support import replay_here
from torch import nn

from esper_audit import Claim
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.replay import twin
from esper_audit.replay.snapshot import Snapshot, same_randomness
from esper_audit.report.words.reasons import all_in_words, in_words


class Lazy(nn.Module):
    """Fills a cache in forward: an eager call on the same object would hide the recompile."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(3, 3)
        self.cached = None

    def forward(self, x):
        if self.cached is None:
            self.cached = torch.tensor(0.5)
        return self.linear(x) * self.cached


def verdicts(audit) -> list[str]:
    return [step.verdict.value for step in audit.steps]


def off_by(amount):
    """A backend that computes everything ``amount`` too high."""

    def backend(graph, _inputs):
        return lambda *args: tuple(output + amount for output in graph(*args))

    return backend


def test_the_comparison_leaves_a_lazy_cache_empty():
    def scenario(replay):
        module, x = Lazy(), torch.ones(2, 3)
        step = replay.compile(module)
        for _ in range(3):
            step(x)

    assert verdicts(replay_here(scenario)) == ["compiled", "recompiled", "reused"]


def test_output_that_differs_from_eager_is_stale():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2), backend=off_by(0.1))
        with replay.warm_up():
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))

    audit = replay_here(scenario)
    assert verdicts(audit) == ["stale", "stale"]
    assert "output differs from eager" in in_words(audit.steps[0].because)


@pytest.mark.parametrize(("allowed", "wanted"), [(1e-3, "failed"), (1e-1, "passed")])
def test_tolerances_can_be_set_by_dtype(allowed, wanted):
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2), backend=off_by(0.01))
        with replay.warm_up():
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))

    audit = replay_here(scenario, tolerances={"float32": (0.0, allowed)})
    assert audit.verdict.value == wanted


def test_output_that_differs_from_the_reference_is_stale_though_eager_agrees():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2), reference=lambda module, x: module(x) + 1)
        step(torch.ones(1, 2))

    audit = replay_here(scenario)
    assert [comparison.equal for comparison in audit.steps[0].step.comparisons] == [True, False]
    assert "differs from reference" in in_words(audit.steps[0].because)


def test_gradients_are_compared():
    def scenario(replay):
        def reference(module, x):
            return module(x).detach() + 0 * module(x)  # right output, wrong gradient

        step = replay.compile(nn.Linear(2, 2), reference=reference)
        step.train(torch.sum, torch.ones(1, 2))

    audit = replay_here(scenario)
    assert "gradients['weight'] differs from reference" in in_words(audit.steps[0].because)


def test_gradients_that_add_up_are_compared_as_they_add_up():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2))
        with replay.warm_up():
            step.train(torch.sum, torch.ones(1, 2))
        step.train(torch.sum, torch.ones(1, 2))

    assert replay_here(scenario).verdict is AuditVerdict.PASSED


def test_random_numbers_are_the_same_on_both_sides():
    def scenario(replay):
        step = replay.compile(lambda x: nn.functional.dropout(x, 0.5))
        with replay.warm_up():
            step(torch.ones(64))
        step(torch.ones(64))

    assert replay_here(scenario).verdict is AuditVerdict.PASSED


def test_torch_python_and_numpy_draw_the_same_numbers_again():
    import numpy

    def draw():
        return random.random(), float(numpy.random.rand()), float(torch.rand(()))

    with same_randomness():
        inside = draw()
    assert draw() == inside


def test_the_state_of_a_closure_is_copied():
    def scenario(replay):
        module = Lazy()

        def call(x):
            return module(x) + 1

        step = replay.compile(call)
        for _ in range(3):
            step(torch.ones(1, 3))

    assert verdicts(replay_here(scenario)) == ["compiled", "recompiled", "reused"]


def test_a_tensor_attribute_with_a_history_can_be_copied():
    module = nn.Linear(2, 2)
    module.kept = module(torch.ones(1, 2))
    copied = Snapshot.take(module, (), {}).target
    assert copied.kept is not module.kept  # type: ignore[attr-defined]
    assert torch.equal(copied.kept, module.kept)  # type: ignore[attr-defined, arg-type]


def test_arguments_and_target_that_share_an_object_share_its_copy():
    module = nn.Linear(2, 2)
    snapshot = Snapshot.take(lambda m: m, (module,), {"again": module})
    assert snapshot.args[0] is snapshot.kwargs["again"] is snapshot.modules[0]
    assert snapshot.args[0] is not module


def test_state_that_cannot_be_copied_proves_nothing_where_fork_cannot_be_had(monkeypatch):
    monkeypatch.setattr(twin, "can_fork", lambda: False)

    def scenario(replay):
        module = nn.Linear(2, 2)
        module.lock = threading.Lock()  # type: ignore[assignment]
        step = replay.compile(module)
        with replay.warm_up():
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.ERROR
    assert "can't be copied" in all_in_words(audit.reasons)


def test_events_label_the_next_step_and_warm_up_can_be_entered_again():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2))
        with replay.warm_up():
            step(torch.ones(1, 2))
        with replay.event("a"), replay.event("b"):
            pass
        step(torch.ones(1, 2))
        with replay.warm_up():
            step(torch.ones(1, 2).double().float())

    audit = replay_here(scenario)
    assert [(step.label, step.phase.value) for step in audit.steps] == [
        ("", "warm-up"),
        ("a, b", "steady"),
        ("", "warm-up"),
    ]


def test_a_step_that_raises_is_kept_with_its_error():
    def scenario(replay):
        replay.compile(nn.Linear(2, 2))(torch.ones(1, 5))

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.ERROR
    assert audit.steps[0].step.error


def test_observations_and_notes_are_kept():
    def scenario(replay):
        replay.observe(Claim("c", "text"), True, "seen")
        replay.note("remark")
        replay.note("remark")

    audit = replay_here(scenario)
    assert audit.recording.observations[0].because == "seen"
    assert audit.recording.notes == (Reason(why=Why.REMARK, text="remark"),)


def test_a_dispatch_mode_that_makes_code_eager_is_no_pass():
    from torch.utils.flop_counter import FlopCounterMode

    def scenario(replay):
        step = replay.compile(lambda x: x * 2)
        with FlopCounterMode(display=False):
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))

    assert verdicts(replay_here(scenario))[0] == "eager"


def test_eager_on_recompile_is_seen_although_torch_logs_nothing():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2), dynamic=False)
        with replay.warm_up():
            step(torch.ones(1, 2))
        with torch.compiler.set_stance("eager_on_recompile"):
            step(torch.ones(3, 2))
        step(torch.ones(1, 2))

    assert verdicts(replay_here(scenario)) == ["compiled", "eager", "reused"]


def test_a_good_entry_lost_to_an_empty_graph_is_seen():
    def scenario(replay):
        def maybe(x, empty):
            return x if empty else x * 2

        step = replay.compile(maybe)
        with replay.warm_up():
            step(torch.ones(2), False)
        step(torch.ones(2), True)
        step(torch.ones(2), False)

    assert verdicts(replay_here(scenario)) == ["compiled", "eager", "eager"]


KEEP = type("Policy", (), {})()


def test_an_object_that_only_its_identity_tells_apart_is_not_copied():
    class Gate(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.policy = KEEP

        def forward(self, x):
            return self.linear(x) if self.policy is KEEP else x * 0

    def scenario(replay):
        step = replay.compile(Gate())
        for _ in range(2):
            step(torch.ones(2, 4))

    steps = replay_here(scenario).steps
    assert [step.verdict for step in steps] == [StepVerdict.COMPILED, StepVerdict.REUSED]


def test_arguments_that_overlap_do_so_in_the_eager_twin():
    def scenario(replay):
        step = replay.compile(lambda x, y: x.add_(1) + y)
        with replay.warm_up():
            step(torch.ones(4), torch.ones(4))
        whole = torch.ones(8)
        step(whole[:4], whole[2:6])

    step = replay_here(scenario).steps[-1]
    # Torch 2.13 guards on one tensor passed twice, not on two views that overlap.
    assert step.verdict in (StepVerdict.STALE, StepVerdict.RECOMPILED)
