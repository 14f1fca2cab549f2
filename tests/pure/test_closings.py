"""A report ends with its verdict, and with a command that works when it is pasted."""

from __future__ import annotations

import shlex
from dataclasses import replace

import pytest
from builders import audit, compiled, failure, judged, program_audit, recording, told
from report_builders import CONTROL, failing, report
from test_program import made

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Outcome, Write
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import Question
from esper_audit.data.findings import Finding
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program
from esper_audit.data.verdicts import AuditVerdict, StepVerdict
from esper_audit.diagnosis import judge_program
from esper_audit.recording.writers import without_writers
from esper_audit.report.closings import TRY
from esper_audit.report.formats import Format, render
from esper_audit.report.words.commands import NOTHING_TYPED, Typed, fix_of, shell

RUN = Typed(("run", "checks.py", "-q", "-o", "a.json", "--format=plain", "-k", "two words"))


def last_lines(document, typed=NOTHING_TYPED, verbosity=0, count=3):
    return lines_of(render(document, Format.PLAIN, verbosity, typed=typed))[-count:]


def lines_of(text):
    """All but the command that tries remedies, which tests of its own hold."""
    lines = text.splitlines()
    return lines[: lines.index(TRY)] if TRY in lines else lines


def fix_command(document, typed=NOTHING_TYPED):
    """The command that tries remedies; empty for none."""
    lines = render(document, Format.PLAIN, typed=typed).splitlines()
    return lines[lines.index(TRY) + 1] if TRY in lines else ""


def test_a_failed_run_ends_with_its_verdict_and_the_same_run_in_detail():
    assert last_lines(report(failing(), audit()), RUN) == [
        "Failed: 1 audit failed, 1 passed.",
        "Next, for all causes and the evidence of each step:",
        "esper-audit run -v checks.py -k 'two words'",
    ]


def test_a_run_that_is_saved_need_not_be_run_again():
    saved = replace(RUN, saved="my report.json")
    assert last_lines(report(failing()), saved, count=1) == ["esper-audit show -v 'my report.json'"]


def test_a_run_that_is_kept_is_shown_in_detail_without_a_file():
    kept = replace(RUN, kept=True)
    assert last_lines(report(failing()), kept, count=1) == ["esper-audit show -v"]
    saved = replace(kept, saved="a.json")
    assert last_lines(report(failing()), saved, count=1) == ["esper-audit show -v a.json"]


def test_a_pass_ends_with_its_verdict_alone():
    whole = report(audit(), question=Question())
    assert last_lines(whole, RUN, count=1) == ["Passed: 1 audit passed."]


def test_all_evidence_is_no_longer_announced_once_it_is_shown():
    assert last_lines(report(failing()), RUN, verbosity=1, count=1) == ["Failed: 1 audit failed."]


def test_an_interrupted_run_can_be_run_again():
    whole = report(audit(), interrupted=True, verdict=AuditVerdict.ERROR)
    assert last_lines(whole, RUN) == [
        "Interrupted: 1 of 1 audits was done.",
        "Run it again:",
        "esper-audit run checks.py -k 'two words'",
    ]
    assert last_lines(whole, Typed(("show", "a.json")), count=1)[0].startswith("Interrupted")


def test_a_run_without_a_command_line_ends_with_its_verdict():
    assert last_lines(report(failing()), count=1) == ["Failed: 1 audit failed."]


def test_the_next_command_of_a_run_is_accepted_by_the_command_line(desk):
    desk.saved(failing("rollout"))
    _, out, _ = desk.run("show", "a.json")
    command = lines_of(out)[-1]
    assert command == "esper-audit show -v a.json"
    code, shown, _ = desk.run(*shlex.split(command)[1:])
    assert (code, "because of evidence" in shown) == (1, True)


PROGRAM = Program(argv=("my train.py", "--fast"), folder="/p", ended="exit 0", exit_code=0)


def program_report(program=PROGRAM, **fields):
    found = recording((), made(2), program=program, **fields)
    return ProgramReport(root="/p", audits=(judge_program(found),))


def test_unknown_writers_of_a_program_are_told_once_with_the_run_that_finds_them():
    text = render(program_report(), Format.PLAIN)
    assert text.count("not recorded; rerun with --provenance") == 1
    assert lines_of(text)[-1] == "esper-audit exec --provenance 'my train.py' --fast"


def test_a_program_of_another_folder_is_run_there():
    whole = replace(program_report(), root="/elsewhere")
    assert last_lines(whole, count=1) == [
        "cd /p && esper-audit exec --provenance 'my train.py' --fast"
    ]


@pytest.mark.parametrize(
    "fields",
    [
        {"program": replace(PROGRAM, rank=1)},
        {"program": replace(PROGRAM, argv=("/dev/stdin",))},
        {"program": replace(PROGRAM, ended="SIGTERM", exit_code=143)},
        {"program": None},
        {"complete": False},
    ],
    ids=["one of several ranks", "a pipe", "killed", "no program", "crashed"],
)
def test_no_command_is_offered_that_would_not_work(fields):
    assert "esper-audit exec" not in render(program_report(**fields), Format.PLAIN)


def limited(*writes, watched=False):
    again = compiled(1, Outcome.RECOMPILED, guard_failures=(failure(),), writes=writes)
    stopped = compiled(2, Outcome.LIMIT, cache_entries_before=8, guard_failures=(failure(),))
    found = recording((), [compiled(0), again, stopped], program=PROGRAM, watched=watched)
    return render(ProgramReport(root="/p", audits=(judge_program(found),)), Format.PLAIN)


def test_at_the_limit_a_run_with_a_higher_one_shows_what_it_hides():
    write = Write("self.alpha", Location("/p/slot.py", 120, "Slot.set_alpha"))
    text = limited(write)
    assert "After the recompile limit nothing compiles" in text
    assert lines_of(text)[-2:] == [
        "Next, to find the causes that the limit hides:",
        "esper-audit exec --recompile-limit 64 'my train.py' --fast",
    ]


def test_a_run_with_a_higher_limit_looks_for_writers_where_this_one_did():
    write = Write("self.alpha", Location("/p/slot.py", 120, "Slot.set_alpha"))
    assert lines_of(limited(write, watched=True))[-1] == (
        "esper-audit exec --provenance --recompile-limit 64 'my train.py' --fast"
    )


def test_why_a_recording_has_no_writers_is_said_in_its_notes_alone():
    why = Reason(why=Why.IS_DISTRIBUTED)
    again = compiled(1, Outcome.RECOMPILED, guard_failures=(failure(),))
    found = without_writers(recording((), [compiled(0), again], program=PROGRAM), why)
    text = render(ProgramReport(root="/p", audits=(judge_program(found),)), Format.PLAIN)
    assert "writer unknown\n" in text
    assert text.count("a distributed program is not run a second time") == 1


def test_a_further_run_keeps_the_limit_of_this_one():
    whole = program_report(replace(PROGRAM, recompile_limit=16))
    assert last_lines(whole, count=1) == [
        "esper-audit exec --provenance --recompile-limit 16 'my train.py' --fast"
    ]


def test_one_further_run_finds_writers_and_what_the_limit_hides():
    assert lines_of(limited())[-1] == (
        "esper-audit exec --provenance --recompile-limit 64 'my train.py' --fast"
    )


def test_known_writers_need_no_second_run():
    write = Write("self.alpha", Location("/p/slot.py", 120, "Slot.set_alpha"))
    again = compiled(1, Outcome.RECOMPILED, guard_failures=(failure(),), writes=(write,))
    found = recording((), [compiled(0), again], program=PROGRAM)
    text = render(ProgramReport(root="/p", audits=(judge_program(found),)), Format.PLAIN)
    assert "--provenance" not in text


def test_a_program_that_fails_its_budget_ends_with_the_reason():
    failed = program_audit(
        verdict=AuditVerdict.FAILED, reasons=(told("2 recompiles, 0 allowed"),), program=PROGRAM
    )
    whole = ProgramReport(root="/p", audits=(failed,))
    assert last_lines(whole, count=1) == ["Failed: 2 recompiles, 0 allowed."]


def test_a_file_whose_name_begins_with_a_dash_is_no_option():
    assert Typed(("run",), "-x.json").in_detail == "esper-audit show -v ./-x.json"


def test_a_character_beyond_sixteen_bits_is_quoted_as_bash_reads_it():
    assert shell(["a\U000e0067b"]) == r"$'a\U000e0067b'"


def test_negative_controls_are_counted_beside_the_audits():
    stale = (judged(0, StepVerdict.STALE),)
    control = audit(parameters=CONTROL.params, verdict=AuditVerdict.FAILED, steps=stale)
    assert last_lines(report(audit(), control), count=1) == [
        "Passed: 1 audit passed (beside 1 negative control)."
    ]
    assert shell(["::error::x"]) == r"$'\x3a\x3aerror\x3a\x3ax'", "a job obeys it"


def test_a_failed_run_offers_to_try_remedies_on_what_it_ran():
    typed = Typed(("run", "checks.py", "-v", "--save", "a.json", "--fail-on", "eager", "-k", "two"))
    assert (
        fix_command(report(failing()), typed) == "esper-audit fix checks.py --fail-on eager -k two"
    )


def test_a_saved_report_offers_to_try_remedies_on_what_failed():
    failed = (failing("rollout", file="checks.py"), failing("epochs", file="checks.py"))
    whole = report(*failed, audit(file="more.py"))
    wanted = "esper-audit fix checks.py -k 'rollout or epochs' --param alpha=lazy"
    assert fix_command(whole, Typed(("show", "a.json"))) == wanted


def test_remedies_for_many_scenarios_are_tried_on_the_whole_project():
    assert fix_of("abcd", "abcd") == "esper-audit fix"
    assert fix_of(["-a.py"], ["x y"]) == "esper-audit fix ./-a.py"


def test_a_pass_and_an_interrupted_run_offer_no_remedies():
    assert fix_command(report(audit())) == ""
    assert fix_command(report(failing(), interrupted=True, verdict=AuditVerdict.ERROR)) == ""


def test_no_remedy_is_offered_where_nothing_can_be_tried():
    unknown = Finding(id=Diagnosis.EAGER_UNEXPLAINED, frame=Frame("f", "/p/a.py", 1, "k", "f"))
    assert fix_command(report(failing(findings=(unknown,)))) == ""


def test_a_program_offers_to_try_remedies_where_it_can_be_run_again():
    assert fix_command(program_report()) == "esper-audit fix --exec 'my train.py' --fast"
    assert fix_command(program_report(replace(PROGRAM, argv=("/dev/stdin",)))) == ""
