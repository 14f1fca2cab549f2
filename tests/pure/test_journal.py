"""What a program that ended without a word leaves on disk can be read, cut off or not."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
from builders import FRAME, compiled, recording

from esper_audit.data.compiles import DeferredWork, SkippedFrame, Stance
from esper_audit.data.notices import HookError
from esper_audit.data.recording import Program
from esper_audit.data.steps import Lookups
from esper_audit.recording.journal import Journal, read_journal

PROGRAM = Program(argv=("train.py",))


@pytest.fixture
def journal(tmp_path):
    found = Journal(tmp_path / "r.json.partial")
    found.begin(recording(), PROGRAM)
    yield found
    found.remove()


def content(journal):
    return journal._path.read_bytes()


def test_every_kind_of_event_comes_back(journal):
    events = [
        compiled(0),
        SkippedFrame(FRAME, "why", None, True),
        Stance("force_eager", None),
        DeferredWork("backward", "0/0", None, 0.1),
        HookError("compile", "Oops"),
    ]
    for event in events:
        journal.note(event, Lookups(3, 1))
    found = read_journal(content(journal))
    assert (*found.compiles, *found.skips, *found.stances, *found.deferred, *found.hook_errors) == (
        *events,
    )
    assert (found.lookups, found.complete, found.program) == (Lookups(3, 1), False, PROGRAM)


def test_a_compile_that_comes_again_stands_in_for_the_first(journal):
    for reason in ("", "later"):
        journal.note(replace(compiled(0), reason=reason), Lookups())
    assert [compile_.reason for compile_ in read_journal(content(journal)).compiles] == ["later"]


def test_how_often_a_graph_ran_is_not_known_while_it_runs(journal):
    journal.note(replace(compiled(0), graph_runs=1), Lookups())
    assert read_journal(content(journal)).compiles[0].graph_runs is None


def test_the_journal_of_an_earlier_crash_is_not_removed(tmp_path):
    path = tmp_path / "r.json.partial"
    path.write_text("left by a crash")
    Journal(path).remove()
    assert path.exists()


@pytest.mark.parametrize("cut", [1, 20, 200])
def test_a_last_line_that_was_cut_off_costs_only_itself(journal, cut):
    journal.note(compiled(0), Lookups())
    journal.note(compiled(1), Lookups())
    assert len(read_journal(content(journal)[:-cut]).compiles) >= 1


@pytest.mark.parametrize("data", [b"", b"what\n", b'{"kind": "journal"}\n'])
def test_something_else_is_refused(data):
    with pytest.raises((msgspec.DecodeError, msgspec.ValidationError)):
        read_journal(data)


def test_a_place_that_cant_be_written_costs_the_journal_alone(tmp_path):
    folder = tmp_path / "no such folder"
    journal = Journal(folder / "r.json")
    journal.begin(recording(), PROGRAM)
    journal.note(compiled(0), Lookups())
    journal.remove()
    assert not folder.exists()


def test_a_full_disk_costs_the_journal_alone(journal):
    class Full:
        def write(self, _data):
            raise OSError(28, "No space left on device")

        def close(self):
            pass

    journal._file.close()
    journal._file = Full()
    journal.note(compiled(0), Lookups())
    assert read_journal(content(journal)).compiles == ()
