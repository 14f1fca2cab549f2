r"""Names that are no UTF-8 go through a whole run and a whole program, and lose nothing."""

from __future__ import annotations

import json
import os
from pathlib import Path

from support import audits_of, esper_audit, why

SCENARIOS = """
import os
import torch
from esper_audit import Claim, scenario

NAME = os.fsdecode(b"caf\\xe9")

def step_of(replay):
    step, x = replay.compile(lambda x: torch.relu(x)), torch.ones(2)
    with replay.warm_up():
        step(x)
    return step, x

@scenario
def raises(replay):
    raise ValueError(NAME)

@scenario
def skips(replay):
    replay.skip(NAME)

@scenario(params={"p": (NAME,)}, claims=[Claim(NAME, NAME, source=NAME)])
def notes(replay, p):
    step, x = step_of(replay)
    with replay.event(p):
        step(x)
    replay.note(NAME)

def named(replay):
    step, x = step_of(replay)
    step(x)
named.__name__, named.__doc__ = NAME, NAME
named = scenario(named)
"""

IN_A_FILE_OF_THAT_NAME = """
from esper_audit import scenario

@scenario
def skipped(replay):
    replay.skip("the file was found")
"""


def test_scenarios_whose_words_are_no_utf_8_are_judged_and_saved(tmp_path):
    (tmp_path / "words.py").write_text(SCENARIOS)
    (tmp_path / os.fsdecode(b"caf\xe9.py")).write_text(IN_A_FILE_OF_THAT_NAME)
    saved = os.fsdecode(b"s\xe9.json")
    outputs = [part for form in ("md", "xml", "sarif", "txt") for part in ("-o", f"r.{form}")]
    result = esper_audit("run", ".", "--save", saved, *outputs, cwd=tmp_path)
    assert "Traceback" not in result.stderr
    audits = audits_of((tmp_path / saved).read_text())
    verdicts = {name: audit["verdict"] for (name, *_), audit in audits.items()}
    assert verdicts == {
        "raises": "error",
        "skips": "skipped",
        "skipped": "skipped",
        "notes": "passed",
        r"caf\udce9": "passed",
    }
    assert r"ValueError: caf\udce9" in why(audits["raises",])
    assert r"caf\udce9" in why(audits["skips",])
    assert all((tmp_path / name).read_text() for name in outputs[1::2])


PROGRAM = """
import os
import torch
torch.compile(lambda x: x + 1, backend="eager")(torch.ones(2))
raise RuntimeError(os.fsdecode(b"caf\\xe9"))
"""


def test_a_program_that_ends_with_what_is_no_utf_8_is_reported_and_saved(tmp_path):
    (tmp_path / "p.py").write_text(PROGRAM)
    saved = Path(tmp_path / os.fsdecode(b"f\xe9")) / "r.json"
    saved.parent.mkdir()
    argument = os.fsdecode(b"\xff")
    command = ["exec", "--save", str(saved), "-o", "r.md", "p.py", argument]
    result = esper_audit(*command, cwd=tmp_path)
    assert result.returncode == 1
    program = json.loads(saved.read_text())["program"]
    assert program["argv"] == ["p.py", r"\udcff"]
    assert program["ended"] == r"RuntimeError: caf\udce9"
    assert "1 compile (" in (tmp_path / "r.md").read_text()
