"""What must not be called reused, and what must not be called stale."""

from __future__ import annotations

import pytest
import torch
from support import replay_here
from torch import nn

from esper_audit.data.verdicts import AuditVerdict
from esper_audit.replay import twin
from esper_audit.report.words.reasons import all_in_words, in_words


def verdicts(audit) -> list[str]:
    return [step.verdict.value for step in audit.steps]


def lazily(x, holder):
    if holder["cached"] is None:
        holder["cached"] = torch.tensor(holder["alpha"])
    return x * holder["cached"]


def change(holder, value):
    holder["alpha"], holder["cached"] = value, None


def test_state_behind_a_function_in_an_attribute_is_copied():
    def scenario(replay):
        holder = {"alpha": 0.5, "cached": None}

        class Module(nn.Module):
            def __init__(self):
                super().__init__()
                self.blend = lambda x: lazily(x, holder)

            def forward(self, x):
                return self.blend(x)

        step = replay.compile(Module())
        with replay.warm_up():
            step(torch.ones(2))
            step(torch.ones(2))
        for value in (0.1, 0.2):
            change(holder, value)
            step(torch.ones(2))

    assert verdicts(replay_here(scenario)) == ["compiled", "recompiled", "recompiled", "recompiled"]


GLOBAL_MODULE = nn.Linear(2, 2)


def uses_a_global(x):
    return GLOBAL_MODULE(x)


def test_a_module_in_a_global_proves_nothing_where_fork_cannot_be_had(monkeypatch):
    monkeypatch.setattr(twin, "can_fork", lambda: False)

    def scenario(replay):
        step = replay.compile(uses_a_global)
        with replay.warm_up():
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.ERROR
    assert "uses the global GLOBAL_MODULE" in all_in_words(audit.reasons)


CRITERION = nn.MSELoss()


def test_a_loss_of_torch_in_a_global_is_no_obstacle():
    def scenario(replay):
        step = replay.compile(lambda x: CRITERION(x, torch.zeros(2)))
        with replay.warm_up():
            step(torch.ones(2))
        step(torch.ones(2))

    assert replay_here(scenario).verdict is AuditVerdict.PASSED


def test_a_loss_that_reads_the_module_leaves_its_gradients_alone():
    gradients = []

    def scenario(replay):
        module = nn.Linear(2, 1)
        step = replay.compile(module)
        for _ in range(2):
            module.zero_grad()
            step.train(lambda y: y.sum() + module.weight.sum(), torch.ones(1, 2))
            gradients.append(module.weight.grad.clone())

    assert verdicts(replay_here(scenario)) == ["compiled", "reused"]
    assert [gradient.tolist() for gradient in gradients] == [[[2.0, 2.0]]] * 2


def test_compiled_code_inside_the_target_is_not_compiled_for_the_comparison():
    inner = torch.compile(lambda x: x * 2, backend="aot_eager")

    def scenario(replay):
        step = replay.compile(torch.compiler.disable(lambda x: inner(x) + 1))
        step(torch.ones(2))

    with_it = replay_here(scenario).recording.torch_counters.get("unique_graphs")
    assert (
        with_it
        == replay_here(scenario, compare=False).recording.torch_counters.get("unique_graphs")
        == 1
    )


def test_the_hits_of_a_compiled_loss_are_no_proof_for_the_target():
    loss = torch.compile(lambda y: (y * y).sum(), backend="aot_eager")

    def scenario(replay):
        module = nn.Linear(2, 2)
        module.forward = torch.compiler.disable(module.forward)  # type: ignore[method-assign]
        step = replay.compile(module)
        for _ in range(3):
            step.train(loss, torch.ones(1, 2))

    assert verdicts(replay_here(scenario))[-1] == "eager"


def test_a_resume_function_skipped_while_empty_is_eager_once_it_has_work():
    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)
            self.on = False

        def forward(self, x):
            y = self.linear(x)
            torch._dynamo.graph_break()
            if not self.on:
                return y
            return y * 3

    def scenario(replay):
        module = Module()
        step = replay.compile(module)
        with replay.warm_up():
            step(torch.ones(1, 2))
            step(torch.ones(1, 2))
        step(torch.ones(1, 2))
        module.on = True
        step(torch.ones(1, 2))

    audit = replay_here(scenario)
    assert verdicts(audit)[2:] == ["reused", "eager"]
    assert "with the operation in line" in in_words(audit.steps[3].because)


def test_code_that_torch_skips_for_one_object_is_eager_for_the_next():
    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(2, 2)

        def forward(self, x):
            return self.linear(x).relu()

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.blocks = nn.ModuleList(Block() for _ in range(2))

        def forward(self, x):
            for block in self.blocks:
                x = block(x)
                torch._dynamo.graph_break()
            return torch.tanh(x @ x)

    def scenario(replay):
        steps = [replay.compile(Net()) for _ in range(2)]
        with replay.warm_up():
            for step in steps * 2:
                step(torch.ones(2, 2))
        steps[-1](torch.ones(2, 2))

    assert verdicts(replay_here(scenario))[-1] == "eager"


def test_a_backward_first_compiled_after_warm_up_is_a_compile():
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2))
        with replay.warm_up():
            step(torch.ones(1, 2))
        step.train(torch.sum, torch.ones(1, 2))
        step.train(torch.sum, torch.ones(1, 2))

    audit = replay_here(scenario)
    assert verdicts(audit) == ["compiled", "compiled", "reused"]
    assert audit.verdict is AuditVerdict.FAILED


def test_writes_that_compiled_code_drops_are_stale():
    def drops_writes(graph, _inputs):
        return lambda *args: graph(*(tensor.clone() for tensor in args))

    def scenario(replay):
        def count(x):
            x.add_(1)
            return x * 2

        replay.compile(count, backend=drops_writes)(torch.zeros(2))

    audit = replay_here(scenario)
    assert verdicts(audit) == ["stale"]
    assert "state['argument 0'] differs from eager by up to 1" in in_words(audit.steps[0].because)


def test_batch_norm_statistics_are_compared_and_agree():
    def scenario(replay):
        step = replay.compile(nn.BatchNorm1d(3))
        with replay.warm_up():
            step(torch.randn(4, 3))
        step(torch.randn(4, 3))

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.PASSED
    assert "state" in {comparison.what for comparison in audit.steps[1].step.comparisons}


@pytest.mark.parametrize("leaf", [True, False])
def test_inputs_with_gradients_agree(leaf):
    def scenario(replay):
        step = replay.compile(nn.Linear(2, 2))
        x = torch.ones(1, 2, requires_grad=True)
        x = x if leaf else x * 1
        with replay.warm_up():
            step.train(torch.sum, x)
        step.train(torch.sum, x)

    def fresh(replay):
        step = replay.compile(nn.Linear(2, 2))
        with replay.warm_up():
            step.train(torch.sum, torch.ones(1, 2, requires_grad=True) * 1)
        step.train(torch.sum, torch.ones(1, 2, requires_grad=True) * 1)

    assert replay_here(scenario if leaf else fresh).verdict is AuditVerdict.PASSED


def test_a_recursive_function_can_be_copied():
    def scenario(replay):
        def power(x, n):
            return x if n == 0 else power(x * 2, n - 1)

        step = replay.compile(power)
        with replay.warm_up():
            step(torch.ones(2), 2)
        step(torch.ones(2), 2)

    assert replay_here(scenario).verdict is AuditVerdict.PASSED


def test_objects_without_equality_prove_nothing():
    def scenario(replay):
        def make(x):
            y = x * 2
            torch._dynamo.graph_break()
            return y, object()

        step = replay.compile(make)
        with replay.warm_up():
            step(torch.ones(2))
        step(torch.ones(2))

    audit = replay_here(scenario)
    assert audit.steps[-1].verdict.value == "unknown"
    assert "can't be compared" in all_in_words(audit.reasons)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
def test_a_train_step_with_backward_and_optimizer_inside_is_proven(kind):
    def scenario(replay):
        module = nn.Sequential(nn.Linear(4, 4), nn.ReLU(), nn.Linear(4, 1))
        optimizer = kind(module.parameters(), lr=0.1)

        def train(x):
            optimizer.zero_grad()
            loss = module(x).square().mean()
            loss.backward()
            optimizer.step()
            return loss

        step = replay.compile(train)
        with replay.warm_up():
            for _ in range(4):
                step(torch.ones(2, 4))
        for _ in range(3):
            step(torch.ones(2, 4))

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.PASSED, all_in_words(audit.reasons)


def test_a_compiled_optimizer_step_is_proven():
    def scenario(replay):
        module = nn.Linear(4, 1)
        optimizer = torch.optim.Adam(module.parameters(), lr=torch.tensor(0.1))
        step = replay.compile(lambda: optimizer.step())

        def go():
            optimizer.zero_grad()
            module(torch.ones(2, 4)).sum().backward()
            step()

        with replay.warm_up():
            for _ in range(3):
                go()
        for _ in range(3):
            go()

    audit = replay_here(scenario)
    assert audit.verdict is AuditVerdict.PASSED, all_in_words(audit.reasons)


def test_functional_calls_in_a_frame_that_torch_gave_up_on_are_eager():
    def looped(x):
        for _ in range(2):
            x = nn.functional.gelu(x)
            torch._dynamo.graph_break()
        return x

    def outer(x):
        y = x + 1
        torch._dynamo.graph_break()
        return looped(y) * 2

    def scenario(replay):
        step = replay.compile(outer)
        with replay.warm_up():
            step(torch.ones(2))
        step(torch.ones(2))

    assert verdicts(replay_here(scenario))[-1] == "eager"
