"""What is written to TensorBoard of a recording: points by step, ranks by name, causes as text."""

from __future__ import annotations

import pytest
from builders import compiled, failure, program_audit, recording

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Outcome
from esper_audit.data.recording import Program
from esper_audit.data.scans import ScanReport
from esper_audit.data.storage import save
from esper_audit.diagnosis import judge_program
from esper_audit.errors import UsageError
from esper_audit.integrations.tensorboard import write

AGAIN = Outcome.RECOMPILED


class Writer:
    """Keeps what a SummaryWriter would write."""

    def __init__(self):
        self.scalars: dict[str, list[tuple[int, float, float | None]]] = {}
        self.texts: dict[str, tuple[int, str]] = {}

    def add_scalar(self, tag, scalar_value, global_step, walltime=None):
        self.scalars.setdefault(tag, []).append((global_step, scalar_value, walltime))

    def add_text(self, tag, text_string, global_step):
        self.texts[tag] = global_step, text_string


def written(source):
    writer = Writer()
    write(source, writer)
    return writer


def some(*steps, began_at=None, **fields):
    made = [
        compiled(
            step,
            AGAIN if number else Outcome.COMPILED,
            sequence=number,
            at=0.5 * number,
            guard_failures=(failure(actual="</code>**x**"),) if number else (),
        )
        for number, step in enumerate(steps)
    ]
    return recording((), made, began_at=began_at, **fields)


def test_a_step_has_one_point_at_the_time_of_its_last_compile():
    writer = written(some(None, 2, 2, 7, began_at=100.0))
    assert writer.scalars["esper_audit/recompiles"] == [(0, 0, 100.0), (2, 2, 101.0), (7, 3, 101.5)]


def test_compiles_are_numbered_where_no_step_is_marked_and_have_no_time_that_nobody_knows():
    writer = written(some(None, None))
    assert writer.scalars["esper_audit/compiles"] == [(0, 1, None), (1, 2, None)]


def test_the_causes_are_text_that_no_markdown_changes():
    step, text = written(some(0, 3)).texts["esper_audit/causes"]
    assert step == 3
    assert text.startswith("    object-identity: self.alpha in Host.forward: 0.5 -> </code>**x**")
    assert {line[:4] for line in text.splitlines()} == {"    "}


def test_a_recording_in_which_nothing_was_compiled_has_no_points():
    writer = written(recording())
    assert writer.scalars == {} and writer.texts == {"esper_audit/causes": (0, "    No findings.")}


def test_ranks_have_their_names_in_their_tags_where_there_are_several(tmp_path):
    def rank(number):
        program = Program(argv=("train.py",), rank=number, world_size=2)
        return judge_program(some(0, 1, program=program))

    save(ProgramReport(audits=(rank(0), rank(1))), tmp_path / "ranks.json")
    tags = written(tmp_path / "ranks.json").scalars
    assert {"esper_audit/rank 0/recompiles", "esper_audit/rank 1/recompiles"} <= set(tags)
    save(ProgramReport(audits=(rank(0),)), tmp_path / "one.json")
    assert "esper_audit/recompiles" in written(str(tmp_path / "one.json")).scalars


def test_what_holds_no_recording_is_refused():
    with pytest.raises(UsageError, match="A ScanReport holds no recording to write to TensorBoard"):
        write(ScanReport(), Writer())
    assert program_audit().recording.compiles == ()
