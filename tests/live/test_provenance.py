"""``run`` names writers by a second replay, and admits where that replay was another one."""

from __future__ import annotations

import json
from functools import cache

import pytest
from support import esper_audit

SCENARIO = """
import pathlib

import torch
from esper_audit import scenario


class Slot(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.linear = torch.nn.Linear(4, 4)
        self.alpha = 0.5

    def set_alpha(self, value):
        self.alpha = value  # the write

    def forward(self, x):
        return torch.lerp(x, self.linear(x), self.alpha)


@scenario
def alpha_changes(replay):
    \"\"\"Does alpha recompile?\"\"\"
    slot = Slot()
    step = replay.compile(slot)
    with replay.warm_up():
        step(torch.ones(2, 4))
    for alpha in (0.1, 0.2):
        slot.set_alpha(alpha)  # the caller
        step(torch.ones(2, 4))


@scenario
def other_each_time(replay):
    \"\"\"Does it do the same each time?\"\"\"
    mark = pathlib.Path(__file__).with_suffix(".mark")
    slot = Slot()
    step = replay.compile(slot)
    with replay.warm_up():
        step(torch.ones(2, 4))
    for alpha in (0.1, 0.2)[: 1 if mark.exists() else 2]:
        slot.set_alpha(alpha)
        step(torch.ones(2, 4))
    mark.touch()
"""


@pytest.fixture(scope="module")
def audit(tmp_path_factory):
    """Each audit is made once."""

    @cache
    def run(keyword, *options):
        folder = tmp_path_factory.mktemp("audit")
        (folder / "s.py").write_text(SCENARIO)
        arguments = ("run", "s.py", "-k", keyword, "--format", "json", *options)
        return json.loads(esper_audit(*arguments, cwd=folder).stdout)["audits"][0]

    return run


def line_of(comment):
    return next(n for n, line in enumerate(SCENARIO.splitlines(), 1) if comment in line)


def test_the_writer_and_its_caller_are_named(audit):
    finding = audit("alpha_changes")["findings"][0]
    assert finding["id"] == "float-specialized"
    assert (finding["written_by"]["line"], finding["written_by"]["function"]) == (
        line_of("# the write"),
        "Slot.set_alpha",
    )
    assert finding["called_from"]["line"] == line_of("# the caller")


def test_it_can_be_left_out(audit):
    finding = audit("alpha_changes", "--no-provenance")["findings"][0]
    assert finding["written_by"] is None
    assert finding["no_writer"] == {"why": "not-recorded"}


def test_a_replay_that_does_something_else_names_no_writer_and_says_so(audit):
    found = audit("other_each_time")
    assert found["findings"][0]["written_by"] is None
    why = {"why": "other-number", "numbers": [3, 2]}
    assert found["findings"][0]["no_writer"] == why
    assert {"why": "writers-unnamed", "cause": why} in found["recording"]["notes"]


def test_a_replays_own_comparison_is_no_finding_of_the_program(audit):
    assert {finding["id"] for finding in audit("alpha_changes")["findings"]} == {
        "float-specialized"
    }
