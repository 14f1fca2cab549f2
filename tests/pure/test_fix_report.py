"""What a reader sees of remedies, and what ``git apply`` takes of it."""

from __future__ import annotations

import subprocess
from dataclasses import replace

import pytest
from builders import ENVIRONMENT
from fix_builders import (
    AFTER,
    BEFORE,
    COUNTER,
    DYNAMIC,
    HOPELESS,
    LEVERS,
    OTHERS,
    SOURCES,
    because,
    fix,
    fix_report,
    patched,
    trial,
)

from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import (
    Applied,
    AppliedState,
    Cure,
    FixReport,
    Ground,
    Lever,
    LeverKind,
    Reach,
    RemedyState,
)
from esper_audit.data.storage import dumps, loads
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.report.build import page
from esper_audit.report.fix import fix_answer
from esper_audit.report.formats import Format, render
from esper_audit.report.text.terminal import drawn
from esper_audit.report.words.commands import Typed
from esper_audit.report.words.levers import lever_code, lever_variable
from esper_audit.report.words.remedies import (
    APPLIED,
    GROUNDS,
    REACHES,
    STATES,
    because_words,
    state_words,
)

WHOLE = fix_report(fix(), fix("rollout [hook]"), LEVERS, HOPELESS)


def plain(report, verbosity=0, typed=None, width=None):
    return render(report, Format.PLAIN, verbosity, width, typed or Typed(("fix", "-k", "a")))


# --- words ---


@pytest.mark.parametrize("ground", Ground)
def test_every_ground_has_words(ground):
    bare = because_words(because(ground))
    full = because_words(
        because(
            ground,
            text="a text",
            count=2,
            location=Location("/p/a.py", 3, "f"),
            reason=Reason(why=Why.EMPTY_GRAPH),
        ),
        "/p",
    )
    for said in (bare, full):
        assert said and "None" not in said and "{" not in said and not said.endswith((":", " "))
        assert said[0].islower() or said[0].isdigit()


def test_a_replay_that_took_too_long_is_told_by_its_limit():
    late = Reason(why=Why.TIME_LIMIT, seconds=120.0)
    said = because_words(because(Ground.RAISED, text="SomeError: (120.0, 1)", reason=late))
    assert "120 s" in said and "SomeError" not in said


@pytest.mark.parametrize("state", RemedyState)
def test_every_state_has_words(state):
    said = state_words(trial(state, compiles=2, left=(COUNTER,)))
    assert said and "None" not in said and said[0].islower()


def test_no_state_reach_or_ground_is_left_out():
    assert set(STATES) == set(RemedyState) and set(GROUNDS) == set(Ground)
    assert set(REACHES) == set(Reach) and set(APPLIED) == set(AppliedState)


@pytest.mark.parametrize("kind", LeverKind)
def test_every_lever_is_told_as_code(kind):
    value = repr(("L['x']", 0, "Host.forward") if kind is LeverKind.MARK else "L['x']")
    code = lever_code([Lever(kind=kind, name="some_name", value=value)])
    compile(code, "lever", "exec")


@pytest.mark.parametrize(
    ("kind", "name", "value", "code"),
    [
        (
            LeverKind.MARK,
            "mark_dynamic",
            ("L['batch']['x']", 1, "Host.forward"),
            "torch._dynamo.mark_dynamic(batch['x'], 1)  # before each call of Host.forward",
        ),
        (
            LeverKind.MARK,
            "mark_unbacked",
            ("L['x']", 0, ""),
            "torch._dynamo.decorators.mark_unbacked(x, 0)  # before each call",
        ),
        (
            LeverKind.DROP_GUARD,
            "",
            "L['self'].alpha",
            "keep = lambda guards: [guard.name != 'self.alpha' for guard in guards]",
        ),
    ],
)
def test_a_lever_on_a_source_names_it_as_the_code_does(kind, name, value, code):
    lever = Lever(kind=kind, name=name, value=repr(value))
    assert lever_code([lever]).splitlines()[0] == code


def test_a_lever_on_text_has_its_environment_variable():
    variable = lever_variable([SOURCES])
    assert variable == """TORCH_COMPILE_DYNAMIC_SOURCES="L['self'].step\""""
    said = subprocess.run(
        ["bash", "-c", f'export {variable}; printf %s "$TORCH_COMPILE_DYNAMIC_SOURCES"'],
        capture_output=True,
        text=True,
    )
    assert said.stdout == "L['self'].step"


@pytest.mark.parametrize("levers", [[DYNAMIC], [SOURCES, DYNAMIC], []])
def test_a_lever_without_a_variable_is_told_as_code_alone(levers):
    assert lever_variable(levers) == ""


def test_a_value_that_is_no_literal_has_no_variable():
    assert lever_variable([replace(SOURCES, value="__import__('os')")]) == ""


# --- the page ---


def test_the_best_remedy_of_several_cases_is_told_once_with_all_of_them():
    text = plain(WHOLE)
    assert text.startswith(
        "3 of 4 failed audits have a proven remedy.\n\nrollout [lazy], rollout [hook]\n"
    )
    assert text.count("+++ b/host.py") == 1
    assert "proven: float-to-buffer, 0 compiles after warm-up; touches this value alone" in text
    assert "saves 0.21 s of compiling for each recompile, 3.4 s in 1,000 steps" in text
    assert "31% past the limit, 98% with the remedy" in text


def test_what_else_was_tried_says_why_it_is_not_it():
    text = plain(WHOLE)
    assert "- dynamic-true (torch.compile(..., dynamic=True)): converges after 1 compile\n" in text
    assert "hides, as the compiles are gone and the output is wrong\n" in text
    assert "- lerp-to-arithmetic: the code has another form than this patch knows" in text
    assert "- 1 more remedy: one was proven before; --all tries them" in text


def test_a_case_without_a_remedy_says_why_after_those_that_have_one():
    text = plain(fix_report(HOPELESS, fix()))
    assert text.index("rollout [lazy]") < text.index("spin")
    assert "no proven remedy: no remedy is known for this diagnosis" in text


def test_verbose_adds_the_diffs_that_were_tried():
    tried = patched(after=BEFORE.replace("0.5", "0.25"), state=RemedyState.SLOWER, id="other")
    report = fix_report(fix("a", patched(), tried))
    assert "self.alpha = 0.25" not in plain(report)
    assert "self.alpha = 0.25" in plain(report, 1)


def test_quiet_leaves_the_answer_alone():
    assert plain(WHOLE, -1) == "3 of 4 failed audits have a proven remedy.\n"


def test_the_next_command_applies_what_was_proven():
    assert plain(WHOLE).endswith("\nesper-audit fix --apply -k a\n")
    assert "--apply" not in plain(fix_report(LEVERS))
    assert "--apply" not in plain(WHOLE, typed=Typed(("show",)))


def test_a_long_list_of_cases_and_trials_is_cut_unless_all_is_asked_for():
    trials = [trial(RemedyState.NO_EFFECT, id=f"lever-{n}") for n in range(9)]
    report = fix_report(*(fix(f"case-{n}", patched(), *trials) for n in range(9)))
    assert "case-3 and 5 more" in plain(report) and "case-8" in plain(report, 1)
    assert "- and 4 more: see them with -v" in plain(report) and "lever-8" in plain(report, 1)


def test_a_forged_place_of_the_best_is_no_remedy():
    assert "no proven remedy" in plain(fix_report(replace(HOPELESS, best=7)))


CURE = Cure(trials=(patched(),), diff=patched().diff, proven=True, uncured=("spin",))


def test_the_smallest_cure_comes_first():
    text = plain(replace(WHOLE, cure=CURE))
    assert text.index("Smallest cure\nproven together in one run: 1 remedy\n") < text.index(
        "rollout"
    )
    assert "no set of remedies frees: spin" in text


@pytest.mark.parametrize("width", [80, 100, 140, None])
def test_a_diff_is_never_wrapped(width):
    long = AFTER.replace("x * self.alpha", f"x * self.alpha  # {'long ' * 40}".rstrip())
    text = plain(fix_report(fix("a", patched(after=long))), width=width)
    assert patched(after=long).diff in text


ODD = "class A:\r\n\tx = 1  \r\n\r\n\ty = a[::n]\r\n\tz = 'é漢'\n\x0c\nlast"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE, AFTER),
        (ODD, ODD.replace("1", "2").replace("last", "end")),
        ("\ta = x[ : ]  \n\n\n\nb\n", "\ta = x[::2]\t\n\n\n\nc\n"),
    ],
)
@pytest.mark.parametrize("verbosity", [0, 1])
def test_git_apply_takes_the_printed_page(tmp_path, before, after, verbosity):
    (tmp_path / "host.py").write_bytes(before.encode())
    text = plain(fix_report(fix("a", patched(before, after), *OTHERS)), verbosity)
    if "\x0c" in before:  # printed as an escape; the report says so, and data keeps it
        assert "not printed as they are" in text
        text = fix_report(fix("a", patched(before, after))).fixes[0].trials[0].diff
    done = subprocess.run(
        ["git", "apply", "-"], input=text.encode(), cwd=tmp_path, capture_output=True
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "host.py").read_bytes() == after.encode()


def test_markdown_holds_the_diff_in_a_block_whatever_is_in_it():
    after = AFTER.replace("x * self.alpha", "x * self.alpha  # ```` <b> @you")
    text = render(fix_report(fix("a", patched(after=after))), Format.MARKDOWN)
    assert f"\n`````diff\n{patched(after=after).diff}`````\n" in text


def test_markdown_puts_what_was_tried_under_its_head():
    text = render(WHOLE, Format.MARKDOWN)
    assert "\n- also tried:\n  - dynamic-true (" in text
    assert "\n- not tried:\n  - lerp-to-arithmetic: " in text


def test_what_a_diff_holds_steers_no_terminal_and_no_job():
    before = f"::error::y\n    ::error::z\n{BEFORE}"
    after = before.replace("import", "'\x1b[2J'").replace("torch.nn", "##[error]")
    report = fix_report(fix("a", patched(before, after)))
    for text in (plain(report), drawn(page(report), 80)):
        assert "[2J" in text and "\x1b[2J" not in text
        assert "##[error]" not in text
        assert not any(line.lstrip().startswith("::error::") for line in text.splitlines())


# --- the verdict, and what --apply did ---


@pytest.mark.parametrize(
    ("report", "said"),
    [
        (fix_report(), "Nothing to fix: 1 audit passed."),
        (fix_report(HOPELESS), "no failed audit has a proven remedy, of 1."),
        (fix_report(fix()), "1 of 1 failed audits has a proven remedy."),
        (fix_report(fix(), interrupted=True), "Interrupted: 1 of 1 failed audits has"),
    ],
)
def test_the_answer_counts_what_failed_and_what_has_a_remedy(report, said):
    assert fix_answer(report).startswith(said)


KEPT = Applied(state=AppliedState.KEPT, files=("host.py",), verdict=AuditVerdict.PASSED)


@pytest.mark.parametrize(
    ("report", "verdict"),
    [
        (fix_report(), AuditVerdict.PASSED),
        (fix_report(fix()), AuditVerdict.FAILED),
        (fix_report(fix(), interrupted=True), AuditVerdict.ERROR),
        (fix_report(fix(verdict=AuditVerdict.ERROR)), AuditVerdict.ERROR),
        (FixReport(environment=ENVIRONMENT), AuditVerdict.ERROR),
        (fix_report(fix(), applied=KEPT), AuditVerdict.PASSED),
        (
            fix_report(fix(), applied=replace(KEPT, verdict=AuditVerdict.FAILED)),
            AuditVerdict.FAILED,
        ),
        (
            fix_report(fix(), applied=replace(KEPT, state=AppliedState.TAKEN_BACK)),
            AuditVerdict.FAILED,
        ),
    ],
)
def test_the_verdict_is_that_of_what_stands_at_the_end(report, verdict):
    assert report.verdict is verdict
    assert loads(dumps(report), FixReport) == report


@pytest.mark.parametrize(
    ("applied", "said"),
    [
        (KEPT, "Applied and kept: host.py; every audit passes now."),
        (
            Applied(
                state=AppliedState.TAKEN_BACK,
                files=("host.py",),
                because=because(Ground.NOT_AS_PROVEN, text="rollout [lazy]"),
            ),
            "Applied and taken back: host.py; the audit of the changed files is not what was"
            " proven: rollout [lazy].",
        ),
        (
            Applied(state=AppliedState.REFUSED, because=because(Ground.NOTHING_TO_APPLY)),
            "Not applied: no proven remedy changes a file.",
        ),
    ],
)
def test_the_answer_says_what_became_of_apply(applied, said):
    assert fix_answer(fix_report(fix(), applied=applied)) == said


def test_a_kept_change_is_shown_with_git_diff():
    text = plain(fix_report(fix(), applied=KEPT))
    assert text.endswith(
        "\nPassed: every audit passes now.\nNext, to see what was changed:\ngit diff\n"
    )
