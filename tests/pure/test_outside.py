"""Code outside compiled graphs: torch's own modules, and functions whose compiles hold no graph."""

from __future__ import annotations

from builders import compiled, recording, step

from esper_audit.data.compiles import GraphBreak, Outcome, RunsAfter, SkippedFrame
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import FrameState
from esper_audit.data.places import Frame, Location
from esper_audit.data.steps import Lookups
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.steps import judge_steps
from esper_audit.report.blocks import block
from esper_audit.report.words.reasons import in_words

TORCH = "/env/lib/python3.11/site-packages/torch/nn"
CONTAINER = Frame("Sequential.forward", f"{TORCH}/container.py", 248, "c", "Sequential.forward")
INNER = Frame("Sequential", f"{TORCH}/inner.py", 1, "inner(Sequential)", "inner")
USER = Frame("Net.forward", "/p/net.py", 5, "net.py:Net.forward", "Net.forward")
BREAK = GraphBreak("print", Location("/p/net.py", 17, "forward"), called="print")
CALL = Location("/p/net.py", 30, "<module>")
INSIDE = Location("/p/net.py", 6, "Net.forward")


def skip(**fields):
    defaults = {"reason": "frame is in the Dynamo skipfiles list", "step": None, "for_good": True}
    return SkippedFrame(frame=CONTAINER, **{**defaults, "by_rule": True, "sequence": 1, **fields})


def within(frame):
    return (
        Location(frame.file, 2, frame.raw_name),
        Location(CONTAINER.file, 2, "Sequential.forward"),
    )


def empty(frame, at=0, **fields):
    return compiled(at, frame=frame, graph_ops=0, **fields)


def eager(found):
    return [
        (finding.id.value, finding.frame.name)
        for finding in found.findings
        if "eager" in finding.id
    ]


def test_library_code_that_is_skipped_by_rule_alone_is_no_finding():
    audit = judge_program(recording((), [compiled(0, frame=USER)], skips=(skip(),)))
    assert eager(audit) == []
    assert [frame.frame for frame in audit.frames] == [USER]


def test_the_graph_break_that_left_torchs_modules_outside_is_the_cause():
    ran = skip(ran="Linear.forward", within=within(INNER))
    audit = judge_program(recording((), [empty(INNER, graph_breaks=(BREAK,))], skips=(skip(), ran)))
    assert eager(audit) == [("eager-outside-graph", "Sequential.forward")]
    told = "Linear.forward ran eagerly, outside compiled code: graph break at net.py:17 (print)"
    assert told in block(audit.findings[0])
    assert "switched off" not in block(audit.findings[0])


def test_a_break_elsewhere_is_no_cause():
    ran = skip(ran="Linear.forward", within=within(INNER))
    other = compiled(0, frame=USER, graph_breaks=(BREAK,))
    (found, *_) = judge_program(recording((), [other], skips=(ran,))).findings
    assert "torch compiles its own modules only with the code that calls them" in block(found)


def test_modules_inside_code_that_is_eager_anyway_are_told_there():
    given_up = compiled(
        0, Outcome.SKIPPED, frame=USER, runs_after=RunsAfter.EAGER, reason="generator"
    )
    ran = skip(ran="Linear.forward", within=within(USER))
    audit = judge_program(recording((), [given_up], skips=(ran,)))
    assert eager(audit) == [("eager-unsupported", "Net.forward")]


def test_a_function_without_any_graph_ran_outside_of_them():
    alone = empty(USER, graph_breaks=(BREAK,), stack=(CALL,))
    (found, *_) = judge_program(recording((), [alone])).findings
    assert found.id == "eager-outside-graph"
    assert in_words(found.why) == (
        "no graph was compiled in its calls: graph break at net.py:17 (print)"
    )


def test_a_function_whose_callees_hold_graphs_is_no_finding():
    alone = empty(USER, graph_breaks=(BREAK,), stack=(CALL,))
    below = compiled(1, stack=(CALL, INSIDE), direct=False)
    assert eager(judge_program(recording((), [alone, below]))) == []


def test_a_function_that_is_disabled_was_switched_off():
    kind = "Skip inlining `torch.compiler.disable()`d function"
    off = GraphBreak(kind, CALL, kind=kind, called="Net.forward")
    (found, *_) = judge_program(recording((), [empty(USER, graph_breaks=(off,))])).findings
    assert found.id == "eager-disabled"
    assert in_words(found.why) == "torch.compiler.disable is on Net.forward"


def test_a_compile_without_a_graph_is_not_compiled():
    alone = empty(USER, graph_breaks=(BREAK,))
    (frame,) = judge_program(recording((), [alone])).frames
    assert frame.state is FrameState.NO_GRAPH


def test_compiles_without_a_graph_prove_nothing():
    fields = {"lookups": Lookups(9, 0), "graphs_before": 0, "complete": False}
    alone = [empty(USER, graph_breaks=(BREAK,))]
    assert (
        judge_program(recording((), alone, **fields), ProgramBudget(recompiles=0)).verdict
        == "error"
    )
    held = [compiled(0, frame=USER)]
    reasons = judge_program(recording((), held, **fields), ProgramBudget(recompiles=0)).reasons
    assert not any(reason.why == "nothing-compiled-ran" for reason in reasons)


def test_steps_whose_library_code_ran_outside_are_eager():
    ran = skip(ran="Linear.forward", within=within(INNER), step=0)
    made = empty(INNER, graph_breaks=(BREAK,))
    below = compiled(0, frame=USER, direct=False)
    steps = [step(0), step(1, hits=2)]
    judged = judge_steps(recording(steps, [made, below], skips=(ran,)))
    assert [one.verdict.value for one in judged] == ["eager", "eager"]
    quiet = judge_steps(recording(steps, [made, below], skips=(skip(step=0),)))
    assert [one.verdict.value for one in quiet] == ["compiled", "reused"]


def test_modules_inside_code_skipped_for_want_of_tensors_show_that_it_computes():
    resumed = Frame("resumed", "/p/net.py", 5, "net.py:resumed", "torch_dynamo_resume_in_f_at_4")
    skipped = SkippedFrame(resumed, "no tensor-related objects found", None, True, direct=False)
    ran = skip(ran="Linear.forward", within=within(resumed))
    assert eager(judge_program(recording((), [compiled(0)], skips=(skipped, ran)))) == [
        ("eager-unsupported", "resumed")
    ]
    assert eager(judge_program(recording((), [compiled(0)], skips=(skipped,)))) == []


def test_a_listed_library_that_calls_compiled_code_is_no_finding():
    library = Frame("run", "/env/lib/site-packages/lib/a.py", 5, "lib/a.py:run", "run")
    listed = SkippedFrame(library, "frame is in the Dynamo skipfiles list", None, True)
    below = compiled(0, stack=(CALL, Location(library.file, 6, "run")), direct=False)
    quiet = judge_program(recording((), [below], skips=(listed,)))
    assert (eager(quiet), len(quiet.frames)) == ([], 1)
    other = judge_program(recording((), [compiled(0, stack=(CALL,))], skips=(listed,)))
    assert eager(other) == [("eager-unsupported", "run")]
