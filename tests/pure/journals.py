"""Journals that grow as a program writes them, and a watch of them."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace

import pytest
from builders import compiled, failure, recording

from esper_audit.data.compiles import Outcome
from esper_audit.data.recording import Program
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import save
from esper_audit.program import processes
from esper_audit.program.watching import Watch, places_of
from esper_audit.recording.journal import Journal

PROGRAM = Program(argv=("train.py",))


def again(number, actual="0.6", **fields):
    made = failure(actual=actual, torch_source="L['self'].alpha")
    return compiled(
        number, Outcome.RECOMPILED, guard_failures=(made,), recompiles_left=7 - number, **fields
    )


def ended(program=PROGRAM, compiles=(), **fields):
    program = replace(program, ended="exit 0", exit_code=0)
    return recording(compiles=compiles, program=program, seconds=2.0, **fields)


RUNS: list[Run] = []


class Run:
    """A program that writes a journal, as ``exec --save`` has it."""

    def __init__(self, path, program=PROGRAM):
        self.path, self.program = path, program
        RUNS.append(self)
        self.journal = Journal(path.with_name(f"{path.name}.partial"))

    def begin(self):
        self.journal.begin(recording(), self.program)
        return self

    def note(self, *events, hits=0):
        for event in events:
            self.journal.note(event, Lookups(hits, len(events)))
        return self

    def end(self, compiles=(), is_saved=True):
        found = ended(self.program, compiles)
        self.journal.end(found)
        if is_saved:
            save(found, self.path)
        self.journal.remove()


@pytest.fixture
def watching():
    """A watch of a place, which is closed at the end."""
    with ExitStack() as stack:
        yield lambda place: stack.enter_context(Watch(places_of(str(place))))


@pytest.fixture(autouse=True)
def closed():
    yield
    while RUNS:
        RUNS.pop().journal.remove()


@pytest.fixture(autouse=True)
def holders(monkeypatch):
    """Which processes have a file open: that of the test by default, under another number."""
    found = {"pids": frozenset({4242})}
    monkeypatch.setattr(processes, "holders", lambda names: dict.fromkeys(names, found["pids"]))
    monkeypatch.setattr("esper_audit.program.watching._LOOK_SECONDS", 0.0)
    monkeypatch.setattr("esper_audit.program.watching._LOOK_COST", 0.0)
    return found


def polled(watch):
    watch.poll()
    while watch.more:
        watch.poll()
    return watch.state()


def only(watch):
    [process] = polled(watch).processes
    return process
