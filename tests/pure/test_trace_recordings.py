"""Trace logs of three versions of torch, made recordings: the causes that program.py has by design."""

from pathlib import Path

import pytest

from esper_audit.data.compiles import Compile, Outcome
from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.recording import Recording
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge_program
from esper_audit.report.words.changes import change, sources
from esper_audit.traces.reading import read_log
from esper_audit.traces.recordings import recording_of

LOGS = Path(__file__).parents[1] / "data" / "trace_logs"
VERSIONS = ("2.8.0", "2.13.0", "2.14.0")
NAMED = VERSIONS[1:]
"""Their guards name the types of what they guard."""

CAUSES = {
    ("int_argument", "int-counter", "k", "2 -> 3, 5"),
    ("float_argument", "float-specialized", "alpha", "0.5 -> 0.7, 0.9"),
    ("symbolic_float", "float-specialized", "alpha", "0.5 -> 0.7"),
    ("size", "size-changed", "x", "size=[3, 2] -> size=[4, 2]"),
    ("static_size", "size-changed", "x", "size=[3, 2] -> size=[4, 2], size=[5, 2]"),
    ("dtype", "dtype-changed", "x", "dtype=float32 -> dtype=float64"),
    ("needs_grad", "requires-grad-changed", "x", "requires_grad=False -> requires_grad=True"),
    ("stride", "layout-changed", "x", "stride=[2, 1] -> stride=[1, 3]"),
    ("zero_or_one", "size-zero-one", "x.size()[0]", ">= 2 -> 1"),
    ("same_tensor", "tensor-aliasing", "x is y", "different tensors -> one tensor"),
    ("list_length", "container-changed", "extra", "empty -> 1 item, 2 items"),
    ("dict_keys", "container-changed", "d", "2 keys -> 3 keys, ['a', 'z']"),
    ("global_table", "container-changed", "TABLE", "empty -> not empty"),
    ("global_number", "captured-variable", "FACTOR", "1 -> 2"),
    ("text_flag", "flag-changed", "mode", "'double' -> 'triple'"),
    ("other_type", "type-changed", "k", "2 -> '3'"),
    ("inside", "int-counter", "count", "0 -> 1"),
    (
        "forward",
        "lazy-cache",
        "self.cached",
        "None -> tensor(size=[4], dtype=float32, device=cpu, stride=[1], requires_grad=False)",
    ),
    ("forward", "float-specialized", "self.drop", "0.5 -> 0.25"),
    ("forward", "train-eval-flipped", "self.training", "True -> False"),
    ("default_device", "global-state-changed", "default device", "none -> meta"),
    ("limited", "int-counter", "k", "0 -> 1, not known"),
    ("refused", "int-counter", "k", "1 -> not known"),
    ("in_child", "int-counter", "k", "1 -> 3"),
}
"""By frame: the cause, and its words."""

SINCE_NAMED = {
    (
        "other_function",
        "object-identity",
        "work",
        "the function it was compiled with -> another function",
    ),
    ("enum_flag", "flag-changed", "mode", "the Mode it was compiled with -> another Mode"),
    ("inner", "other-instance", "the wrapped callable", "GELU -> Tanh"),
    ("grad_mode", "grad-mode-changed", "grad mode", "on -> off"),
    ("default_dtype", "global-state-changed", "default dtype", "float32 -> float64"),
}
BEFORE_NAMED = {
    (
        "other_function",
        "object-identity",
        "work",
        "the object it was compiled with -> another object",
    ),
    ("enum_flag", "object-identity", "mode", "the object it was compiled with -> another object"),
    ("inner", "type-changed", "fn", "the type it was compiled with -> another type"),
    ("grad_mode", "grad-mode-changed", "grad mode", "changed"),
    ("default_dtype", "global-state-changed", "default dtype", "changed"),
}
OTHERS = {
    ("optional", "eager-empty-graph"),
    ("empty", "eager-empty-graph"),
    ("limited", "eager-after-limit"),
    ("fails", "compile-failed"),
    ("refused", "compile-refused"),
    ("breaks", "graph-break"),
}


def recordings(version: str) -> list[Recording]:
    """Those of the parent and of the process that it forks."""
    logs = [log for place in sorted((LOGS / version).iterdir()) for log in read_log(str(place))]
    return sorted(map(recording_of, logs), key=lambda made: -len(made.compiles))


@pytest.fixture(scope="module", params=VERSIONS)
def version(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def recording(version: str) -> Recording:
    return recordings(version)[0]


def findings(recording: Recording) -> tuple[Finding, ...]:
    return judge_program(recording).findings


def of_frame(recording: Recording, name: str) -> list[Compile]:
    return [made for made in recording.compiles if made.frame.name == name]


def test_causes_of_a_log_are_those_of_the_program(recording, version):
    found = {
        (finding.frame.name, finding.id.value, sources(finding), change(finding))
        for finding in findings(recording)
        if finding.pattern is not None
    }
    assert found == CAUSES | (SINCE_NAMED if version in NAMED else BEFORE_NAMED)


def test_what_is_no_recompile_is_told_of_a_log(recording):
    found = {
        (finding.frame.name, finding.id.value)
        for finding in findings(recording)
        if finding.pattern is None
    }
    assert found == OTHERS


def test_a_log_that_is_whole_leaves_nothing_unrecognized(recording):
    assert not recording.unrecognized
    assert recording.trace_log is not None and not recording.trace_log.damage


def test_processes_of_one_file_are_told_apart(version):
    parent, child = recordings(version)
    assert (len(parent.compiles), len(child.compiles)) == (71, 1)
    assert [change(finding) for finding in findings(child)] == ["1 -> 2"]


def test_compile_ids_that_start_over_are_other_compiles(recording):
    made = of_frame(recording, "int_argument")
    assert [attempt.outcome.value for attempt in made] == ["compiled", "recompiled"] * 2
    assert made[0].id == made[2].id


def test_a_limit_that_was_hit_has_a_frame_and_reasons(recording):
    *made, hit = of_frame(recording, "limited")
    assert hit.outcome is Outcome.LIMIT and hit.limit == "recompile_limit"
    assert [failure.cache_entry for failure in hit.guard_failures] == [
        attempt.id for attempt in reversed(made)
    ]
    assert [failure.actual for failure in hit.guard_failures] == ["", ""]


def test_a_log_counts_down_to_the_limit_that_was_set(recording):
    assert [made.recompiles_left for made in of_frame(recording, "limited")] == [1, 0, 0]
    assert [made.recompiles_left for made in of_frame(recording, "dtype")] == [7, 6]


def test_a_refused_recompile_is_of_the_frame_that_its_error_names(recording):
    made, refused = of_frame(recording, "refused")
    assert (made.outcome, refused.outcome) == (Outcome.COMPILED, Outcome.REFUSED)
    assert refused.refused_by == "error_on_recompile" and refused.raised


def test_all_failing_guards_of_all_entries_are_found(recording):
    last = of_frame(recording, "dict_keys")[-1]
    found = {
        (failure.cache_entry.rpartition("/")[2], failure.kind) for failure in last.guard_failures
    }
    assert found == {("0", "DICT_KEYS_MATCH"), ("1", "DICT_KEYS_MATCH")}


def test_torchs_own_reason_is_the_first_of_its_entry(recording):
    for made in recording.compiles:
        entries = [failure.cache_entry for failure in made.guard_failures]
        for reason in made.torch_reasons:
            entry, _, text = reason.partition(": ")
            first = made.guard_failures[entries.index(entry)]
            assert first.expected or first.fields, (made.id, text)


def test_a_graph_break_of_a_log_has_its_line_and_what_broke(recording):
    [broken] = [found for made in recording.compiles for found in made.graph_breaks]
    assert broken.location is not None
    assert (broken.location.line, broken.location.function) == (177, "breaks")
    assert broken.called == "print"


def test_a_backward_of_a_log_is_work_of_its_compile(recording):
    [loss] = of_frame(recording, "loss")
    assert [(row.kind, row.compile_id) for row in recording.deferred] == [("backward", loss.id)]


def test_user_lines_of_guards_have_their_whole_path(recording, version):
    lines = {
        failure.user_line
        for made in of_frame(recording, "list_length")
        for failure in made.guard_failures
    }
    if version in NAMED:
        assert {(line.file, line.line) for line in lines} == {("/home/user/program.py", 63)}
    else:
        assert lines == {None}  # 2.8 writes no lines into guards


def test_a_log_claims_a_storm_only_at_a_limit(recording):
    storms = {found.frame.name for found in findings(recording) if found.pattern is Pattern.STORM}
    assert storms == {"limited"}


def test_a_log_never_passes_a_budget(recording):
    audit = judge_program(recording, ProgramBudget(recompiles=1000, graph_breaks=1000))
    assert audit.verdict is not AuditVerdict.PASSED


def test_a_log_fails_no_budget_of_what_comes_after_warm_up(recording):
    asked = ProgramBudget(recompiles_after_warm_up=0, compiles_after_warm_up=0, warm_up_calls=3)
    audit = judge_program(recording, asked)
    assert all(reason.counted is None for reason in audit.reasons)


def test_a_log_fails_a_budget_that_it_exceeds(recording):
    assert judge_program(recording, ProgramBudget(recompiles=3)).verdict is AuditVerdict.FAILED
