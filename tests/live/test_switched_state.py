"""Who switched torch's own state: the line that entered the context, left it or called the setter."""

from __future__ import annotations

import inspect
import threading

import pytest
import torch
from torch.overrides import TorchFunctionMode

import esper_audit
from esper_audit.data.reasons import Why
from esper_audit.report.blocks import who_wrote

pytestmark = pytest.mark.usefixtures("clean_dynamo")

X = torch.ones(2)


def made():
    return torch.compile(lambda x: x * torch.ones(2), backend="eager")


def a_context_that_is_entered(step):
    step(X)
    with torch.no_grad():  # switches
        step(X)


def a_context_that_is_left(step):
    with torch.no_grad():  # switches
        step(X)
    step(X)


def a_context_of_the_users(step):
    class Quiet:
        def __enter__(self):
            self.before = torch.is_grad_enabled()
            torch.set_grad_enabled(False)  # switches

        def __exit__(self, *_):
            torch.set_grad_enabled(self.before)

    step(X)
    with Quiet():
        step(X)


def a_decorated_function(step):
    @torch.no_grad()
    def evaluate():
        step(X)

    step(X)
    evaluate()  # switches


def inference(step):
    step(X)
    with torch.inference_mode():  # switches
        step(X)


def autocast(step):
    step(X)
    with torch.autocast("cpu"):  # switches
        step(X)


def a_dtype(step):
    step(X)
    torch.set_default_dtype(torch.float64)  # switches
    try:
        step(X)
    finally:
        torch.set_default_dtype(torch.float32)


def threads(step):
    step(X)
    before = torch.get_num_threads()
    torch.set_num_threads(before + 1)  # switches
    step(X)
    torch.set_num_threads(before)


def deterministic(step):
    step(X)
    torch.use_deterministic_algorithms(True)  # switches
    step(X)
    torch.use_deterministic_algorithms(False)


def a_device(step):
    step(X)
    with torch.device("cpu"):  # switches
        step(X)


class Mode(TorchFunctionMode):
    def __torch_function__(self, function, types, args=(), kwargs=None):
        return function(*args, **(kwargs or {}))


def a_function_mode(step):
    step(X)
    with Mode():  # switches
        step(X)


def one_of_another_thread(step):
    step(X)

    def work():
        torch.set_grad_enabled(False)  # switches
        step(X)

    with torch.autocast("cpu"):
        pass
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()


SWITCHES = [
    *(a_context_that_is_entered, a_context_that_is_left, a_context_of_the_users),
    *(a_decorated_function, inference, autocast, a_dtype, threads, deterministic, a_device),
    *(a_function_mode, one_of_another_thread),
]


def found_in(what):
    step = made()
    with esper_audit.record(provenance=True) as live:
        what(step)
    assert live.result.lost == ()
    (finding,) = (finding for finding in live.findings if finding.pattern is not None)
    return finding


@pytest.mark.parametrize("what", SWITCHES, ids=lambda what: what.__name__)
def test_the_line_that_switched_torchs_state_is_named(what):
    lines, start = inspect.getsourcelines(what)
    expected = start + next(n for n, line in enumerate(lines) if "# switches" in line)
    found = found_in(what)
    assert found.written_by is not None and found.written_by.line == expected
    assert who_wrote(found).startswith("switched by ")


def what_all_threads_share(step):
    step(X)
    thread = threading.Thread(target=torch.set_default_dtype, args=(torch.float64,))
    thread.start()
    thread.join()
    try:
        step(X)
    finally:
        torch.set_default_dtype(torch.float32)


def another_thread_of_its_own_state(step):
    with torch.no_grad():
        step(X)
    thread = threading.Thread(target=step, args=(X,))
    thread.start()
    thread.join()


@pytest.mark.parametrize(
    ("what", "why"),
    [
        (what_all_threads_share, Why.SEVERAL_THREADS),
        (another_thread_of_its_own_state, Why.NO_LINE_SEEN),
    ],
)
def test_who_switched_state_in_another_thread_is_not_guessed(what, why):
    found = found_in(what)
    assert (found.written_by, found.no_writer.why) == (None, why)
