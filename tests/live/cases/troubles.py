"""Scenarios that go wrong, each in its own way."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time

import torch

from esper_audit import scenario, skip


def one_good_step(replay):
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(1, 2))
    step(torch.ones(1, 2))


@scenario
def fine(replay):
    """Does a calm one pass beside the others?"""
    print("words on stdout")
    one_good_step(replay)


@scenario
def raises(replay):
    """What if the scenario raises?"""
    one_good_step(replay)
    raise ValueError("no such thing")


@scenario
def exits(replay):
    """What if it calls sys.exit?"""
    sys.exit(7)


@scenario
def dies(replay):
    """What if its process ends by itself?"""
    os._exit(9)


@scenario
def leaves_quietly(replay):
    """What if its process ends by itself, as if all were well?"""
    os._exit(0)


@scenario
def is_killed(replay):
    """What if its process is killed?"""
    os.kill(os.getpid(), signal.SIGKILL)


@scenario(time_limit=4.0)  # time to record a step on a busy machine
def loops(replay):
    """What if it never ends?"""
    one_good_step(replay)
    while True:
        time.sleep(0.01)


@scenario(time_limit=1.0)
def loops_and_swallows(replay):
    """What if it never ends and catches everything?"""
    while True:
        with contextlib.suppress(BaseException):
            time.sleep(0.01)


@scenario
def skips(replay):
    """What if it can't be made here?"""
    skip("no quantum computer")


@scenario
def does_nothing(replay):
    """What if it takes no step?"""
