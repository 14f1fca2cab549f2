"""Nothing of the eager twin reaches the program: no memory, no file, no pipe, no socket."""

from __future__ import annotations

import os
import socket

import numpy as np
import pytest
import torch
from support import replay_here
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from esper_audit.report.words.reasons import all_in_words


def steps_of(target, *args, train=False):
    def scenario(replay):
        step = replay.compile(target)
        with replay.warm_up():
            step.train(torch.sum, *args) if train else step(*args)
        for _ in range(2):
            step.train(torch.sum, *args) if train else step(*args)

    return replay_here(scenario)


def test_a_tensor_in_shared_memory_is_written_once():
    shared = torch.ones(4).share_memory_()
    audit = steps_of(lambda x: x.mul_(2) + 1, shared)
    assert audit.verdict.value == "passed", all_in_words(audit.reasons)
    assert shared.tolist() == [8.0] * 4


def test_a_model_in_shared_memory_counts_its_batches_once():
    norm = nn.BatchNorm1d(3).share_memory()
    audit = steps_of(norm, torch.randn(4, 3))
    assert audit.verdict.value == "passed", all_in_words(audit.reasons)
    assert norm.num_batches_tracked.item() == 3


def test_gradients_in_shared_memory_add_up_once():
    linear = nn.Linear(3, 1)
    for parameter in linear.parameters():
        parameter.grad = torch.zeros_like(parameter).share_memory_()
    audit = steps_of(linear, torch.ones(2, 3), train=True)
    assert audit.verdict.value == "passed", all_in_words(audit.reasons)
    assert linear.bias.grad.item() == 6.0


def test_a_file_mapped_into_memory_is_written_once(tmp_path):
    mapped = np.memmap(tmp_path / "m", dtype=np.float32, mode="w+", shape=(4,))
    mapped[:] = 1.0
    audit = steps_of(lambda x: x.add_(1) * 1, torch.from_numpy(mapped))
    assert audit.verdict.value == "passed", all_in_words(audit.reasons)
    assert mapped.tolist() == [4.0] * 4


def test_batches_of_a_data_loaders_workers_are_the_programs_own():
    seen = []

    def scenario(replay):
        step = replay.compile(lambda x: x.mul_(2) + 1)
        loader = DataLoader(TensorDataset(torch.ones(8, 3)), batch_size=2, num_workers=1)
        for number, (batch,) in enumerate(loader):
            if number == 0:
                with replay.warm_up():
                    seen.append(float(step(batch)[0, 0]))
            else:
                seen.append(float(step(batch)[0, 0]))

    audit = replay_here(scenario)
    assert seen == [3.0] * 4
    verdicts = [step.verdict.value for step in audit.steps]
    assert len(verdicts) == 4, all_in_words(audit.reasons)
    assert "stale" not in verdicts, all_in_words(audit.reasons)


@pytest.mark.parametrize("buffering", [0, -1])
def test_a_file_is_read_by_the_step_and_not_by_its_twin(tmp_path, buffering):
    (tmp_path / "f").write_bytes(bytes(range(32)))
    read = []
    with (tmp_path / "f").open("rb", buffering) as file:

        @torch.compiler.disable
        def number():
            return float(file.read(1)[0])

        def target(x):
            value = number()
            read.append(value)
            return x * 2

        audit = steps_of(target, torch.ones(2))
    assert read == [0.0, 1.0, 2.0]
    verdicts = [step.verdict.value for step in audit.steps]
    assert len(verdicts) == 3, all_in_words(audit.reasons)
    assert "stale" not in verdicts, all_in_words(audit.reasons)


def test_what_waits_in_a_pipe_and_a_socket_is_left_for_the_step():
    out, into = os.pipe()
    one, other = socket.socketpair()
    os.write(into, b"abc")
    other.send(b"xyz")
    got = []

    @torch.compiler.disable
    def take():
        got.append((os.read(out, 1), one.recv(1)))

    def target(x):
        take()
        return x * 2

    steps_of(target, torch.ones(2))
    assert got == [(b"a", b"x"), (b"b", b"y"), (b"c", b"z")]
    for number in (out, into):
        os.close(number)
    one.close()
    other.close()


def test_what_a_step_writes_is_written_once(tmp_path):
    with (tmp_path / "log").open("a") as log:
        one, other = socket.socketpair()

        @torch.compiler.disable
        def write():
            log.write("line\n")
            log.flush()
            one.send(b"!")

        def target(x):
            write()
            return x * 2

        audit = steps_of(target, torch.ones(2))
    assert audit.verdict.value != "error", all_in_words(audit.reasons)
    assert (tmp_path / "log").read_text() == "line\n" * 3
    assert other.recv(100) == b"!!!"
    one.close()
    other.close()
