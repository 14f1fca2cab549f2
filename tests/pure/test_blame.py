"""What each line that wrote guarded state has cost: over frames and ranks, each recompile once."""

from __future__ import annotations

from builders import FRAME, OTHER, compiled, failure, recording
from report_builders import failing, report
from report_builders import printed as printed_run
from test_program_report import PROGRAM, WRITE, printed
from test_program_report import report as program_report

from esper_audit.data.compiles import Outcome, Write
from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program
from esper_audit.data.stages import Seconds
from esper_audit.data.steps import Phase
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.blame import blames
from esper_audit.diagnosis.ranks import merge

LINE = WRITE.location
SETTER = Write("self.mode", Location("/p/slot.py", 130, "Slot.set_mode"))
PASSED = Write("alpha", unknown=Reason(why=Why.IS_ARGUMENT))
CALL = Location("/p/train.py", 12, "main")


def again(number=1, *writes, sources=("self.alpha",), **fields):
    guards = tuple(failure(source=source, actual=f"0.{number}") for source in sources)
    given = {"guard_failures": guards, "writes": writes, "seconds": Seconds(0.5), **fields}
    return compiled(number, Outcome.RECOMPILED, **given)


def lines_of(*attempts):
    return blames([("program", attempts)])


def told(found):
    return [(line.location, line.recompiles, line.seconds) for line in found.lines]


def test_a_line_has_the_recompiles_of_all_frames_that_it_wrote_for():
    found = lines_of(again(1, WRITE), again(2, WRITE, frame=OTHER))
    assert told(found) == [(LINE, 2, 1.0)]
    assert found.lines[0].frames == (FRAME, OTHER)


def test_a_recompile_of_two_lines_counts_in_both_and_once_in_all():
    both = again(1, WRITE, SETTER, sources=("self.alpha", "self.mode"))
    found = lines_of(both, again(2, WRITE))
    assert told(found) == [(LINE, 2, 1.0), (SETTER.location, 1, 0.5)]
    assert (found.recompiles, found.seconds, found.is_shared) == (2, 1.0, True)
    assert not lines_of(again(1, WRITE), again(2, SETTER, sources=("self.mode",))).is_shared


def test_two_guards_that_one_line_wrote_are_one_recompile():
    other = Write("self.beta", LINE)
    found = lines_of(again(1, WRITE, other, sources=("self.alpha", "self.beta")))
    assert told(found) == [(LINE, 1, 0.5)]
    assert found.lines[0].sources == ("self.alpha", "self.beta")


def test_what_nobody_looked_for_is_one_row_with_its_reasons():
    late = Write("self.alpha", unknown=Reason(why=Why.NO_STATE_CHANGE))
    found = lines_of(again(1, WRITE), again(2), again(3, late))
    assert told(found) == [(LINE, 1, 0.5), (None, 2, 1.0)]
    assert [why.why for why in found.lines[1].reasons] == [Why.NOT_RECORDED, Why.NO_STATE_CHANGE]


def test_an_argument_is_blamed_on_the_call_that_passed_it():
    found = lines_of(again(1, PASSED, sources=("alpha",), stack=(CALL,)))
    assert (found.lines[0].location, found.lines[0].passed) == (CALL, True)


def test_an_attempt_at_the_limit_is_no_recompile_and_costs_its_seconds():
    guards = (failure(actual="0.2"),)
    last = compiled(2, Outcome.LIMIT, guard_failures=guards, writes=(WRITE,), seconds=Seconds(0.25))
    line = lines_of(again(1, WRITE), last).lines[0]
    assert (line.recompiles, line.attempts, line.seconds) == (1, 1, 0.75)


def test_equal_recompiles_that_stand_for_many_count_as_many():
    assert lines_of(again(1, WRITE, count=40)).recompiles == 40


def test_warm_up_counts_where_it_is_asked_for():
    early = again(1, WRITE, phase=Phase.WARM_UP)
    recordings = [("program", (early, again(2, WRITE)))]
    assert blames(recordings).recompiles == 2
    assert blames(recordings, after_warm_up_only=True).recompiles == 1


def test_the_writers_of_findings_are_the_same_lines_with_the_same_numbers():
    attempts = (again(1, WRITE), again(2, WRITE), again(3, SETTER, sources=("self.mode",)))
    audit = judge_program(recording((), attempts, program=PROGRAM))
    of_findings = {
        who.location: who.recompiles for finding in audit.findings for who in finding.writers
    }
    assert of_findings == {line.location: line.recompiles for line in lines_of(*attempts).lines}


def test_verbose_reports_tell_each_line_and_the_sum():
    text = printed(program_report((again(1, WRITE), again(2))), verbosity=1, width=160)
    part = text.partition("Lines that wrote")[2]
    assert "Slot.set_alpha (slot.py:120) 1 0.5 self.alpha Host.forward" in " ".join(part.split())
    assert "unknown: not recorded; rerun with --provenance" in part
    assert "all 2 1.0" in " ".join(part.split())
    assert "Lines that wrote" not in printed(program_report((again(1, WRITE),)))
    assert "Lines that wrote" not in printed(program_report((again(1),)), verbosity=1)


def of_ranks(*attempts):
    programs = [Program(argv=("train.py",), rank=rank, world_size=2) for rank in (0, 1)]
    pairs = zip(attempts, programs, strict=True)
    audits = [judge_program(recording((), made, program=program)) for made, program in pairs]
    return printed(merge(audits, "/p"), verbosity=1, width=160).partition("Lines that wrote")[2]


def test_ranks_are_named_in_a_row():
    once, twice = (again(1, WRITE),), (again(1, WRITE), again(2, WRITE))
    part = " ".join(of_ranks(once, twice).split())
    assert "3 1.5 self.alpha Host.forward rank 0, rank 1" in part
    alike = " ".join(of_ranks(once, once).split())
    assert "1 0.5 self.alpha Host.forward ranks 0 to 1" in alike
    assert "ranks that did the same count as one of them" in alike


def test_a_run_tells_the_lines_of_what_failed_after_warm_up():
    writing = failing(compiles=tuple(again(n, WRITE) for n in range(1, 4)), count=3, limit=False)
    text = printed_run(report(writing), 160, 1)
    part = text.partition("Lines that wrote")[2]
    assert "Slot.set_alpha (slot.py:120)" in part and "scenarios" in part
