"""The report on a program reads well at 80 columns, plain or not."""

from __future__ import annotations

import io
from dataclasses import replace

import pytest
from builders import FRAME, OTHER, compiled, failure, recording
from rich.console import Console
from test_program import limit, made, rank, skip

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import GraphBreak, Outcome, Write
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.notices import HookError, LostEvidence, Unrecognized
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import Program
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.ranks import merge
from esper_audit.report.blocks import block
from esper_audit.report.formats import Format, print_document, render
from esper_audit.report.words.commands import Typed

PROGRAM = Program(argv=("train.py", "--fast"), ended="exit 0", exit_code=0)
WRITE = Write(
    "self.alpha", Location("/p/slot.py", 120, "Slot.set_alpha"), Location("/p/train.py", 88, "main")
)


def report(compiles=(), budget=None, root="/p", **fields):
    found = recording((), compiles, **{"program": PROGRAM, "seconds": 3.0, **fields})
    return ProgramReport(root=root, audits=(judge_program(found, budget or ProgramBudget()),))


def printed(shown, verbosity=0, width=80):
    console = Console(file=io.StringIO(), width=width, record=True, highlight=False)
    print_document(shown, console, verbosity)
    return console.export_text()


def said(shown, **options):
    return " ".join(printed(shown, **options).split())


def test_the_first_sentence_sums_up():
    assert said(report(made(2, runs=41))).startswith(
        "train.py: 3 compiles (2 recompiles) in 0.3 s; compiled code was reused 40 times"
    )


def test_a_frame_that_failed_to_compile_is_not_called_eager():
    failed = compiled(0, Outcome.FAILED, reason="BackendCompilerFailed: no", direct=True)
    assert "; 1 frame failed to compile Frames" in said(report([failed]))


def test_a_verdict_comes_first_and_its_reasons_follow():
    text = said(report(made(2), ProgramBudget(recompiles=0)))
    assert text.startswith("Failed: train.py: ")
    assert "2 recompiles, 0 allowed" in text


def test_a_program_is_named_by_its_script_and_verbose_by_its_command_line():
    shown = report(made(2))
    assert said(shown).startswith("train.py: ")
    assert said(shown, verbosity=1).startswith("train.py --fast: ")
    named = Program(argv=("/a/long/path/of/train.py", "--lr", "0.1"), rank=3)
    assert said(report(made(), program=named)).startswith("train.py (rank 3): ")
    module = Program(argv=("-m", "package.train", "--fast"))
    assert said(report(made(), program=module)).startswith("-m package.train: ")


def test_an_exception_that_ended_it_is_shown_by_its_first_line():
    failed = replace(PROGRAM, ended="ValueError: no such thing\nin these many\nlines", exit_code=1)
    text = said(report(made(), program=failed))
    assert "ended with ValueError: no such thing; torch" in text
    whole = said(report(made(), program=failed), verbosity=1)
    assert r"no such thing\nin these many\nlines; torch" in whole


def test_nothing_compiled_is_said_in_so_many_words():
    assert said(report()).startswith("train.py: nothing was compiled")


def test_frames_show_counts_and_what_they_do_now():
    text = said(report([*made(2, runs=41), limit(at=3.0)]), width=140)
    assert (
        "Host.forward 3 2 40 0.4 0 eager for new values since step 9: the recompile limit" in text
    )


def test_a_cause_names_the_writer_its_caller_and_the_forecast():
    text = said(report([compiled(0), *(w for w in made(3, writes=(WRITE,)) if w.guard_failures)]))
    assert "float-specialized: self.alpha in Host.forward: 0.5 -> 0.0, 0.1, 0.2" in text
    assert "written by Slot.set_alpha (slot.py:120), called from train.py:88 in main" in text
    assert "more values at 0.1 s each" in text
    assert "try: keep it in a tensor" in text


def test_an_argument_is_told_by_the_call_that_passed_it():
    call = Location("/p/train.py", 90, "main")
    write = Write("self.alpha", unknown=Reason(why=Why.IS_ARGUMENT))
    again = compiled(
        1, Outcome.RECOMPILED, guard_failures=(failure(),), writes=(write,), stack=(call,)
    )
    assert "passed by train.py:90 in main" in said(report([compiled(0), again]))


def test_eager_execution_and_graph_breaks_have_their_sections():
    breaks = (GraphBreak("Unsupported: print", Location("/p/host.py", 9, "forward")),)
    text = said(report(made(graph_breaks=breaks), skips=(skip(at=1.0),)))
    assert "Eager execution and failed compiles eager-dispatch-mode: helper" in text
    assert "Graph breaks graph-break: Host.forward at host.py:9 in forward" in text
    assert "torch says: Unsupported: print" in text


def test_ranks_stand_side_by_side_and_the_difference_is_told():
    text = said(merge([rank(0, made(0)), rank(1, made(2), size=3)]))
    assert "frame rank 0 rank 1" in text
    assert "Host.forward 1, 0, 0 3, 2, 0" in text
    assert "ranks-differ: Host.forward" in text
    assert "No recording of rank 2 was given." in text


def test_one_rank_claims_nothing_of_the_others():
    text = said(merge([rank(0, made(0), size=3)]))
    assert "This report is of rank 0 alone, of 3 ranks." in text
    assert "rank 1" not in text and "rank 2" not in text


def test_nothing_that_went_wrong_is_silent():
    text = said(
        report(
            made(),
            complete=False,
            program=replace(PROGRAM, ended="", exit_code=None),
            hook_errors=(HookError("compile", "Oops: it broke", count=3),),
            unrecognized=(Unrecognized("a guard", "gibberish"),),
            lost=(LostEvidence("torch._x", "2.99", "lookups"),),
        )
    )
    assert "The process still runs, or died before it could save" in text
    assert "The recorder's hook compile failed 3 times: Oops: it broke" in text
    assert "Unrecognized in a guard: gibberish" in text
    assert "torch 2.99 has no torch._x. Lost: lookups." in text


def test_many_frames_are_cut_and_told_of():
    frames = [replace(FRAME, key=f"f{n}", name=f"frame_{n}") for n in range(20)]
    compiles = [compiled(n, frame=frame) for n, frame in enumerate(frames)]
    assert "8 more frames that cost less: see them with -v" in said(report(compiles))
    kept = render(report(compiles), Format.PLAIN, typed=Typed(kept=True))
    assert "cost less: see them with esper-audit show -v" in kept
    assert "frame_19" in said(report(compiles), verbosity=1)


def test_quiet_leaves_the_first_sentence():
    assert len(printed(report(made()), verbosity=-1).strip().splitlines()) <= 2


@pytest.mark.parametrize("width", [60, 80, 100, 140])
def test_no_line_is_wider_than_the_terminal(width):
    shown = report([*made(3, writes=(WRITE,)), limit(frame=OTHER)])
    lines = printed(shown, width=width).splitlines()
    commands = [line for line in lines if line.startswith("esper-audit ")]
    assert max(len(line) for line in lines if line not in commands) <= width
    assert commands[-1] == "esper-audit fix --exec train.py --fast"  # on one line, to be pasted


def test_a_block_is_one_text_for_assertions():
    finding = report([compiled(0), *made(1, writes=(WRITE,))[1:]]).audits[0].findings[0]
    lines = block(finding, "/p").splitlines()
    assert lines[0] == "float-specialized: self.alpha in Host.forward: 0.5 -> 0.0"
    assert all(line.startswith("    ") for line in lines[1:])


def test_frames_of_one_name_are_told_apart():
    file = "/t/optim/optimizer.py"
    wrapper = Frame("Adam.step", file, 512, "o.py:hook.wrapper(Adam.step)", "hook.wrapper")
    own = Frame("Adam.step", "/t/optim/adam.py", 214, "adam.py:Adam.step", "Adam.step")
    made = report([compiled(0, frame=wrapper), compiled(1, frame=own), compiled(2)])
    text = said(made, width=120)
    assert "Adam.step (wrapper at optimizer.py:512)" in text
    assert "Adam.step (step at adam.py:214)" in text
    assert "Host.forward 1" in text
