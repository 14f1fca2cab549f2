"""Scenarios whose forked children come back; the parent recompiles, so that it never passes."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from pathlib import Path

import torch

from esper_audit import scenario


def returns():
    """Go on, as after a forgotten ``os._exit``."""


def raises():
    raise ValueError("in the child")


def exits():
    sys.exit(3)


def exits_with_words():
    sys.exit("words of the child")


def is_interrupted():
    raise KeyboardInterrupt


def forks_again():
    if os.fork():
        os.wait()


def rings():
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    time.sleep(9)


CODES = {
    returns: 0,
    raises: 1,
    exits: 3,
    exits_with_words: 1,
    is_interrupted: 1,
    forks_again: 0,
    rings: 1,
}


def recompiled(replay):
    """A step that reused and one that recompiled."""
    step = replay.compile(lambda x, k: torch.relu(x) * k, dynamic=False)
    x = torch.ones(2, 4)
    with replay.warm_up():
        step(x, 1.0)
    step(x, 1.0)
    step(x, 2.0)


@scenario(params={"child": tuple(CODES)})
def forks(replay, child):
    """Does a child that comes back answer for its parent?"""
    pid = os.fork()
    if pid == 0:
        child()
        return
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == CODES[child], code
    recompiled(replay)


@scenario
def forks_and_goes_on(replay):
    """Is the answer that of the parent where the child comes first?"""
    if os.fork() == 0:
        return
    time.sleep(1.0)
    recompiled(replay)


@scenario
def forks_while_it_compiles(replay):
    """And where the child comes last, or never?"""
    if os.fork() == 0:
        Path(os.environ.get("LEFT_BEHIND", os.devnull)).write_text(str(os.getpid()))
        time.sleep(60)
    time.sleep(0.5)
    recompiled(replay)


@scenario
def forks_in_a_thread(replay):
    """And where a thread forks?"""

    def fork():
        if os.fork():
            os.wait()

    thread = threading.Thread(target=fork)
    thread.start()
    thread.join()
    recompiled(replay)


@scenario
def forks_in_a_step(replay):
    """And where the compiled code itself forks, in the step and in its eager twin?"""
    home, codes = os.getpid(), []

    @torch.compiler.disable
    def split():
        pid = os.fork()
        if pid:
            codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
        return torch.tensor(1.0 if pid else 7.0)  # a child that answers, answers wrongly

    step = replay.compile(lambda x: torch.relu(x) * split())
    with replay.warm_up():
        step(torch.ones(2))
    step(torch.ones(2))
    if os.getpid() != home:
        os._exit(9)  # it came out of the step
    assert codes == [0, 0], codes
    recompiled(replay)


@scenario
def has_a_child_process(replay):
    """Does a child of multiprocessing end as it would?"""
    child = multiprocessing.get_context("fork").Process(target=returns)
    child.start()
    child.join()
    assert child.exitcode == 0, child.exitcode
    recompiled(replay)


@scenario
def is_well(replay):
    """Does a calm one pass beside the others?"""
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(1, 2))
    step(torch.ones(1, 2))
