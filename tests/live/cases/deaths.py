"""Scenarios that take their process down, some with what belongs to others in reach."""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import threading
import time

import msgspec
import torch

from esper_audit import scenario


def one_good_step(replay):
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(1, 2))
    step(torch.ones(1, 2))


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def segfault():
    ctypes.string_at(0)


def leave():
    os._exit(0)


def leave_as_if_the_server_had_died():
    os._exit(255)


def stop_for_good():
    os.kill(os.getpid(), signal.SIGSTOP)


def kill_the_group():
    os.killpg(0, signal.SIGKILL)


def kill_the_fork_server():
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(60)


def die_while_a_child_holds_every_file():
    if os.fork() == 0:
        time.sleep(60)
    kill()


def close_every_file_and_die():
    os.closerange(0, 1024)
    kill()


def take_all_memory():
    resource.setrlimit(resource.RLIMIT_AS, (1 << 20, 1 << 20))
    held = [bytearray(1 << 16)]
    while True:
        held.append(bytearray(len(held[-1]) * 2))


def die_as_it_answers():
    msgspec.json.encode = lambda *_: kill()


REASONS = {
    kill: "killed by SIGKILL",
    segfault: "killed by SIGSEGV",
    leave: "ended by itself with exit code 0",
    leave_as_if_the_server_had_died: "exit code 255",
    stop_for_good: "did not stop within 5 s",
    kill_the_group: "killed by SIGKILL",
    kill_the_fork_server: "exit code 255",
    die_while_a_child_holds_every_file: "killed by SIGKILL",
    close_every_file_and_die: "killed by SIGKILL",
    take_all_memory: "MemoryError",
    die_as_it_answers: "killed by SIGKILL",
}


@scenario(params={"way": tuple(REASONS)}, time_limit=6.0)
def goes_down(replay, way):
    """Does it cost its own audit alone?"""
    one_good_step(replay)
    way()


@scenario
def closes_every_file(replay):
    """Does a scenario without files still give its answer?"""
    one_good_step(replay)
    os.closerange(0, 1024)


@scenario
def leaves_a_thread(replay):
    """Does one whose thread never ends still give its answer?"""
    one_good_step(replay)
    threading.Thread(target=time.sleep, args=(60,)).start()


@scenario(params={"number": tuple(range(6))})
def is_calm(replay, number):
    """Do calm ones pass beside the others?"""
    one_good_step(replay)
    time.sleep(0.2 * number)
