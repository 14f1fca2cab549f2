"""What a program that ended without a word leaves on disk can be read, cut off or not."""

from __future__ import annotations

import random
from dataclasses import replace

import msgspec
import pytest
from builders import FRAME, compiled, recording

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import DeferredWork, SkippedFrame, Stance
from esper_audit.data.notices import HookError
from esper_audit.data.reasons import Why
from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.data.steps import Lookups
from esper_audit.data.storage import SCHEMA_VERSION, dumps, loads
from esper_audit.data.text import to_json
from esper_audit.diagnosis import judge_program
from esper_audit.errors import UsageError
from esper_audit.recording.journal import Journal, read_journal
from esper_audit.report.formats import Format, render
from esper_audit.report.words.reasons import in_words

PROGRAM = Program(argv=("train.py",))


@pytest.fixture
def journal(tmp_path):
    found = Journal(tmp_path / "r.json.partial")
    found.begin(recording(), PROGRAM)
    yield found
    found.remove()


def content(journal):
    return journal.path.read_bytes()


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


def test_a_journal_says_how_its_program_ended(journal):
    journal.note(compiled(0), Lookups(1, 1))
    ended = replace(PROGRAM, ended="os._exit(0)", exit_code=0)
    journal.end(replace(recording(), program=ended, lookups=Lookups(5, 1), seconds=2.5))
    found = read_journal(content(journal))
    assert (found.program, found.seconds, found.lookups) == (ended, 2.5, Lookups(5, 1))
    text = render(ProgramReport(audits=(judge_program(found),)), Format.PLAIN)
    assert "ended with os._exit(0)" in text
    assert "still runs" not in text


def test_a_compile_that_comes_again_stands_in_for_the_first(journal):
    for reason in ("", "later"):
        journal.note(replace(compiled(0), reason=reason), Lookups())
    assert [compile_.reason for compile_ in read_journal(content(journal)).compiles] == ["later"]


def test_another_compile_of_the_same_number_stands_in_for_none(journal):
    for name in ("0/1", "1/0"):
        journal.note(replace(compiled(0), id=name), Lookups())
    assert [made.id for made in read_journal(content(journal)).compiles] == ["0/1", "1/0"]


def test_a_whole_recording_is_not_read_as_the_head_of_a_journal():
    data = to_json(msgspec.json.decode(dumps(recording(compiles=[compiled(0)]))))
    with pytest.raises(UsageError, match="no head of a journal"):
        read_journal(data)


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


@pytest.mark.parametrize("data", [b"", b"\n\n", b"what\n", b'{"kind": "journal"}\n', b"\0" * 512])
def test_something_else_is_refused(data):
    with pytest.raises(UsageError, match=r"r\.partial holds no recording"):
        read_journal(data, "r.partial")


@pytest.mark.parametrize("version", [SCHEMA_VERSION + 1, 1])
def test_a_journal_of_another_version_is_refused(journal, version):
    data = content(journal).replace(b'"schema_version":2', b'"schema_version":%d' % version)
    with pytest.raises(UsageError, match=f"r.partial uses format {version}; this version reads"):
        read_journal(data, "r.partial")


DAMAGE = {
    "no JSON": b"{what",
    "a list": b"[1, 2]",
    "a number": b"17",
    "null": b"null",
    "a text": b'"compiles"',
    "an empty object": b"{}",
    "another event": b'{"futures": {}}',
    "a field that is missing": b'{"skips": {}}',
    "a field of another type": b'{"deferred": {"kind": 1}}',
    "no UTF-8": b'{"skips": "\xff\xfe"}',
    "a lone surrogate": b'{"skips": "\\ud800"}',
    "deep brackets": b"[" * 200_000,
    "deep objects": b'{"skips":' * 100_000,
    "a huge number": b'{"deferred": {"kind": "x", "compile_id": "", "step": 1%s}}' % (b"0" * 30),
    "an infinite number": b'{"deferred": {"kind": "x", "seconds": 1e999}}',
    "NUL inside": b'{"sk\0ips": {}}',
    "binary": bytes(range(1, 10)) + bytes(range(11, 256)),
    "a huge line": b"x" * 5_000_000,
    "a second head": b'{"schema_version": 2, "kind": "journal"}',
}


def damaged(journal, place, *lines):
    """A journal of a head and three compiles, with these lines in place of one, or before it."""
    for number in range(3):
        journal.note(compiled(number), Lookups(number, 1))
    whole = content(journal).splitlines()
    whole[place : place + 1] = lines
    return b"\n".join(whole) + b"\n"


@pytest.mark.parametrize("line", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_line_costs_itself_and_is_counted(journal, line):
    found = read_journal(damaged(journal, 2, line))
    assert [compile_.sequence for compile_ in found.compiles] == [0, 2]
    assert (found.lookups, found.program, found.complete) == (Lookups(2, 1), PROGRAM, False)
    [note] = found.notes
    assert (note.why, note.count, note.total, note.step) == (Why.LINES_LOST, 1, 4, 3)
    assert note.text and "Traceback" not in note.text
    assert loads(dumps(found), Recording) == found


def test_every_damaged_line_is_counted_and_the_first_is_named(journal):
    found = read_journal(damaged(journal, 1, b"[]", b"17", b"null", b"x"))
    assert [(n.why, n.count, n.total, n.step) for n in found.notes] == [(Why.LINES_LOST, 4, 7, 2)]
    assert in_words(found.notes[0]).startswith("4 of 7 lines of the recording are lost; the first")


@pytest.mark.parametrize("head", [b"", b"{cut", b"\0" * 300, b"17", b'{"schema_version": 2}'])
def test_without_its_first_line_the_events_are_still_shown(journal, head):
    found = read_journal(damaged(journal, 0, head))
    assert [compile_.sequence for compile_ in found.compiles] == [0, 1, 2]
    assert (found.program, found.environment, found.notes[0].why) == (None, UNKNOWN, Why.HEAD_LOST)


def test_an_error_of_a_hook_without_words_is_told_all_the_same(journal):
    journal.note(HookError("compile", " "), Lookups())
    page = render(
        ProgramReport(audits=(judge_program(read_journal(content(journal))),)), Format.PLAIN
    )
    assert "The recorder's hook compile failed" in page


def test_blocks_of_nul_that_a_crash_leaves_cost_no_event(journal):
    lines = damaged(journal, 4).splitlines()
    data = (b"\0" * 100).join(line + b"\n" for line in lines) + b"\0" * 4096
    assert [compile_.sequence for compile_ in read_journal(data).compiles] == [0, 1, 2]
    assert read_journal(data).notes == ()


def test_a_line_that_was_cut_off_is_counted_too(journal):
    data = damaged(journal, 4)[:-5]
    assert [note.why for note in read_journal(data).notes] == [Why.LINES_LOST]


@pytest.mark.parametrize("seed", range(300))
def test_no_damage_is_more_than_a_note_or_a_refusal(journal, seed):
    """Bytes replaced, removed, doubled or swapped anywhere: what is read can be judged and saved."""
    chance, data = random.Random(seed), bytearray(damaged(journal, 4))
    for _ in range(chance.randrange(1, 6)):
        start = chance.randrange(len(data))
        piece = data[start : start + chance.randrange(1, 60)]
        kind = chance.randrange(4)
        new = (b"", piece * 2, bytes(chance.randbytes(len(piece))), piece[::-1])[kind]
        data[start : start + len(piece)] = new
    try:
        found = read_journal(bytes(data))
    except UsageError:
        return
    audit = judge_program(found)
    assert loads(dumps(ProgramReport(audits=(audit,))), ProgramReport).audits == (audit,)


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
