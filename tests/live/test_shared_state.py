"""The comparison disturbs nothing: whatever state a step reaches, its eager twin leaves it alone."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest
import torch
from states import KINDS, compiles_of, five_steps, forget, targets
from support import audits_of, esper_audit, replay_here, why
from torch import nn

from esper_audit.data.verdicts import AuditVerdict
from esper_audit.replay import forked, twin
from esper_audit.report.words.reasons import all_in_words, in_words


@pytest.mark.parametrize("kind", KINDS)
def test_the_comparison_changes_no_compile_and_finds_correct_code_correct(kind, library):
    forget(library)
    compared = replay_here(five_steps(targets(library)[kind]))
    forget(library)
    alone = replay_here(five_steps(targets(library)[kind]), compare=False)
    assert compiles_of(compared) == compiles_of(alone)
    verdicts = [step.verdict.value for step in compared.steps]
    assert len(verdicts) == 5, all_in_words(compared.reasons)
    assert not {"stale", "unknown"} & set(verdicts), all_in_words(compared.reasons)
    assert verdicts == [step.verdict.value for step in alone.steps]


@pytest.mark.parametrize("kind", ["global dict", "class attribute", "plain object in a global"])
def test_a_cache_that_the_first_step_fills_recompiles_after_warm_up(kind, library):
    forget(library)
    audit = replay_here(five_steps(targets(library)[kind]))
    assert audit.verdict is AuditVerdict.FAILED
    assert "1 compile after warm-up" in all_in_words(audit.reasons)


@pytest.mark.parametrize("kind", ["global int", "default argument", "function attribute"])
def test_code_that_counts_is_stale_only_where_compiled_code_counts_otherwise(kind, library):
    def forgets_writes(graph, _inputs):
        return lambda *args: tuple(output * 0 for output in graph(*args))

    forget(library)
    scenario = five_steps(targets(library)[kind])
    right = [step.verdict.value for step in replay_here(scenario).steps]
    assert len(right) == 5
    assert "stale" not in right
    forget(library)
    wrong = replay_here(scenario, backend=forgets_writes).steps
    assert {step.verdict.value for step in wrong} == {"stale"}


def one_step(target, *args):
    def scenario(replay):
        replay.compile(target)(*(args or (torch.ones(4),)))

    return replay_here(scenario).steps[0]


def test_a_twin_that_hangs_makes_its_step_unknown(monkeypatch):
    monkeypatch.setattr(twin, "_patience", 0.5)
    here = os.getpid()

    @torch.compiler.disable
    def hang_in_the_child():
        if os.getpid() != here:
            time.sleep(60)

    def target(x):
        hang_in_the_child()
        return x * 2

    step = one_step(target)
    assert step.verdict.value == "unknown"
    assert "did not end within 0.5 s" in in_words(step.because)


@pytest.mark.parametrize("way", ["exit", "signal", "raise"])
def test_a_twin_that_dies_makes_its_step_unknown(way):
    here = os.getpid()

    @torch.compiler.disable
    def die_in_the_child():
        if os.getpid() != here:
            if way == "raise":
                raise SystemExit(0)
            os._exit(0) if way == "exit" else os.kill(os.getpid(), 9)

    def target(x):
        die_in_the_child()
        return x * 2

    step = one_step(target)
    assert step.verdict.value == "unknown"
    assert "the twin's process died" in in_words(step.because)


def test_no_twin_stays_after_a_step_that_raises():
    def target(x):
        return x @ torch.ones(7)

    def scenario(replay):
        replay.compile(target)(torch.ones(4))

    before = children()
    assert replay_here(scenario).verdict is AuditVerdict.ERROR
    assert children() == before


def children():
    """Of this process, ended ones that nobody has waited for among them."""
    stats = [path.read_text() for path in Path("/proc").glob("[0-9]*/stat") if path.exists()]
    fields = [(stat.split(" ")[0], stat.rpartition(")")[2].split()[1]) for stat in stats]
    return {pid for pid, parent in fields if int(parent) == os.getpid()}


def test_what_the_twin_prints_is_dropped(capfd):
    @torch.compiler.disable
    def say():
        print("said", flush=True)
        os.write(2, b"raw\n")

    def target(x):
        say()
        return x * 2

    one_step(target)
    said = capfd.readouterr()
    assert said.out.count("said") == 1
    assert said.err.count("raw") == 1


def test_with_several_threads_nothing_is_forked_and_nothing_hangs():
    torch.set_num_threads(4)  # the fixture sets it back
    torch.ones(512, 512) @ torch.ones(512, 512)
    torch.ones(4_000_000).exp()

    def target(x):
        return (x @ x).exp().sum()

    step = one_step(target, torch.ones(512, 512) / 512)
    assert (step.verdict.value, step.step.shares) == ("compiled", True)


WAITS = """
import os
import torch
from esper_audit import scenario

@scenario
def waits(replay):
    step = replay.compile(torch.nn.Linear(4, 4))
    with replay.warm_up():
        step(torch.ones(2, 4))
    for _ in range(3):
        step(torch.ones(2, 4))
        try:
            raise AssertionError(f"met {os.wait()}")
        except ChildProcessError:
            pass
"""


def test_the_program_never_meets_a_twin_among_its_children(tmp_path):
    """In a process of its own: that of the tests has other children, which would be waited for."""
    (tmp_path / "checks.py").write_text(WAITS)
    result = esper_audit("run", "--format", "json", "checks.py", cwd=tmp_path)
    (audit,) = audits_of(result.stdout).values()
    assert audit["verdict"] == "passed", why(audit)
    assert [step["verdict"] for step in audit["steps"]] == ["compiled", *["reused"] * 3]


def test_a_handler_of_the_program_for_its_children_never_hears_of_a_twin():
    heard = []

    def scenario(replay):
        step = replay.compile(nn.Linear(4, 4))
        before = signal.signal(signal.SIGCHLD, lambda *_: heard.append(os.wait()))
        try:
            for _ in range(3):
                step(torch.ones(2, 4))
            assert heard == []
            child = os.fork()
            if child == 0:
                os._exit(0)
            step(torch.ones(2, 4))
            time.sleep(0.1)
            assert heard == [(child, 0)]
        finally:
            signal.signal(signal.SIGCHLD, before)

    audit = replay_here(scenario)
    verdicts = [step.verdict.value for step in audit.steps]
    assert verdicts == ["compiled", *["reused"] * 3], all_in_words(audit.reasons)


def test_a_twin_hidden_from_the_program_that_hangs_is_killed(monkeypatch):
    monkeypatch.setattr(twin, "_patience", 0.5)
    monkeypatch.setattr(forked, "_has_children_of_its_own", lambda: True)
    here = os.getpid()

    @torch.compiler.disable
    def hang_in_the_twin():
        if os.getpid() != here:
            time.sleep(60)

    def target(x):
        hang_in_the_twin()
        return x * 2

    assert one_step(target).verdict.value == "unknown"
