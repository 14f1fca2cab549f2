"""The pytest plugin: fixture, markers, each option by both of its sources, xdist, the summary."""

from __future__ import annotations

import sys
from textwrap import dedent

import pytest
from _pytest.pytester import SysModulesSnapshot

pytest_plugins = ["pytester"]

SLOT = """
    import pytest, torch
    from torch import nn

    class Slot(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(4, 4)
            self.alpha = 0.5

        def set_alpha(self, value):
            self.alpha = value

        def forward(self, x):
            return torch.lerp(x, self.linear(x), self.alpha)

    slot = Slot()
    compiled = torch.compile(slot, backend="aot_eager")

    def drive(*values):
        for value in values:
            slot.set_alpha(value)
            compiled(torch.ones(2, 4))

    def silent():
        torch.compile(lambda x: x, backend="aot_eager")(torch.ones(2))
"""


@pytest.fixture(autouse=True)
def torch_stays_imported(monkeypatch):
    """Pytester forgets what is first imported inside it, and torch can't be imported twice."""

    kept = {name for name in sys.modules if name.startswith("test_")}

    def forget_tests(_snapshot):
        for name in {name for name in sys.modules if name.startswith("test_")} - kept:
            del sys.modules[name]

    monkeypatch.setattr(SysModulesSnapshot, "restore", forget_tests)


@pytest.fixture
def run(pytester):
    """Run these tests in this process with these arguments and settings."""
    pytester.makeconftest("")

    def run_tests(tests, *args, ini=""):
        pytester.makeini(f"[pytest]\naddopts = -p no:cacheprovider --show-capture=no\n{ini}")
        pytester.makepyfile(dedent(SLOT) + "\n" + tests)
        return pytester.runpytest_inprocess(*args)

    return run_tests


def test_the_plugin_is_silent_unless_used(run):
    result = run("""
def test_drive():
    drive(0.1, 0.2, 0.3)
    """)
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*torch.compile*")


def test_the_fixture_holds_a_block_to_its_bound_and_names_the_cause(run):
    result = run("""
def test_fine(recompiles):
    drive(0.5)
    with recompiles.at_most(1):
        drive(0.1)
    assert recompiles.count == 1
    assert len(recompiles.recording.compiles) == 2
    assert recompiles.findings[0].id == "float-specialized"
    assert recompiles.frames[0].recompiles == 1

def test_wrong(recompiles):
    drive(0.5)
    with recompiles.at_most(0):
        drive(0.1)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(
        [
            "*RecompileError: 1 recompile, 0 allowed",
            "*float-specialized: self.alpha in Slot.forward: 0.5 -> 0.1",
            "*written by Slot.set_alpha (*.py:11), called from *.py:21 in drive",
        ]
    )


def test_the_marker_bounds_a_test_and_frees_its_warm_up(run):
    result = run("""
@pytest.mark.max_recompiles(2)
def test_fine():
    drive(0.5, 0.1, 0.2)

@pytest.mark.max_recompiles(1)
def test_wrong():
    drive(0.5, 0.1, 0.2)

@pytest.mark.max_recompiles(0, warm_up=3)
def test_warm():
    drive(0.5, 0.1, 0.2, 0.2)

@pytest.mark.max_recompiles(0, warm_up=2)
def test_not_warm_enough():
    drive(0.5, 0.1, 0.2, 0.2)
    """)
    result.assert_outcomes(passed=2, failed=2)
    result.stdout.fnmatch_lines(
        [
            "2 recompiles, 1 allowed",
            "float-specialized: self.alpha in Slot.forward: 0.5 -> 0.1, 0.2",
            "*written by Slot.set_alpha*",
            "1 recompile after warm-up, 0 allowed",
        ]
    )


def test_a_marked_test_that_runs_nothing_compiled_fails(run):
    result = run("""
@pytest.mark.max_recompiles(0)
def test_nothing():
    pass
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["Not completed: no compiled code ran, so nothing is proven.*"])


def test_what_a_fixture_has_given_up_is_seen_in_the_test(run):
    result = run("""
@pytest.fixture
def silenced():
    silent()

@pytest.mark.no_eager_fallback
def test_wrong(silenced):
    drive(0.5)

@pytest.fixture
def warm():
    drive(0.5, 0.1)

@pytest.mark.max_recompiles(0)
def test_fine(warm):
    drive(0.1)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["eager-empty-graph: *"])


def test_a_parameter_of_the_fixtures_name_is_the_tests_own(run):
    result = run("""
@pytest.mark.parametrize("recompiles", [3])
def test_own(recompiles):
    assert recompiles == 3
    """)
    result.assert_outcomes(passed=1)


def test_eager_fallback_fails_a_marked_test_with_its_reason(run):
    result = run("""
@pytest.mark.no_eager_fallback
def test_wrong():
    drive(0.5)
    silent()

@pytest.mark.no_eager_fallback
def test_fine():
    drive(0.5)
    """)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["Code that was compiled ran eagerly", "eager-empty-graph: *"])


TWO = """
def test_many():
    drive(0.5, 0.1, 0.2)

def test_eager():
    drive(0.5)
    silent()

def test_none():
    pass
"""


@pytest.mark.parametrize(
    ("args", "ini"), [(["--max-recompiles", "1"], ""), ([], "max_recompiles = 1")]
)
def test_max_recompiles_bounds_every_test_that_compiles(run, args, ini):
    result = run(TWO, *args, ini=ini)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["2 recompiles, 1 allowed"])


@pytest.mark.parametrize(
    ("args", "ini"), [(["--no-eager-fallback"], ""), ([], "no_eager_fallback = true")]
)
def test_no_eager_fallback_holds_for_every_test_that_compiles(run, args, ini):
    result = run(TWO, *args, ini=ini)
    result.assert_outcomes(passed=2, failed=1)
    result.stdout.fnmatch_lines(["*eager-empty-graph*"])


@pytest.mark.parametrize(("args", "ini"), [(["--recompiles"], ""), ([], "recompiles = true")])
def test_the_summary_tells_each_test_that_compiles(run, args, ini):
    result = run(TWO, *args, ini=ini)
    result.assert_outcomes(passed=3)
    result.stdout.fnmatch_lines(
        [
            "*= torch.compile =*",
            "*::test_many: 3 compiles (2 recompiles), 0 lookups matched a cache entry, 0 eager, *",
            "*float-specialized: self.alpha*",
        ]
    )
    result.stdout.fnmatch_lines(
        ["*::test_eager: 1 compile (0 recompiles), 0 lookups matched a cache entry, 1 eager, *"]
    )
    result.stdout.no_fnmatch_line("*::test_none:*")


def test_a_summary_of_nothing_says_so(run):
    result = run("def test_none(): pass", "--recompiles")
    result.stdout.fnmatch_lines(["Nothing was compiled."])


@pytest.mark.parametrize(
    ("args", "ini"),
    [(["--recompiles-no-provenance"], ""), ([], "recompiles_no_provenance = true")],
)
def test_writers_need_not_be_looked_for(run, args, ini):
    result = run(TWO, "--max-recompiles", "0", *args, ini=ini)
    result.stdout.fnmatch_lines(["*writers of the guarded state: not recorded"])


def test_the_command_line_outweighs_the_configuration(run):
    result = run(TWO, "--max-recompiles", "5", ini="max_recompiles = 0")
    result.assert_outcomes(passed=3)


def test_each_test_has_a_clean_dynamo(run):
    result = run("""
@pytest.mark.max_recompiles(1)
def test_one():
    drive(0.5, 0.1)

@pytest.mark.max_recompiles(0)
def test_two():
    drive(0.3)
    """)
    result.assert_outcomes(passed=2)


def test_a_failing_test_keeps_its_own_failure(run):
    result = run("""
@pytest.mark.max_recompiles(0)
def test_wrong():
    drive(0.5, 0.1)
    assert 1 == 2
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 1 == 2*"])


@pytest.mark.parametrize(
    "marker", ["()", "(-1)", "('many')", "(0, warm=2)", "(True)", "(0, warm_up='x')"]
)
def test_a_wrong_marker_is_told(run, marker):
    result = run(f"""
@pytest.mark.max_recompiles{marker}
def test_x():
    pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*max_recompiles takes a number of recompiles*"])


def test_kinds_fail_a_test_by_marker_or_option_and_the_marker_goes_first(run):
    tests = """
def test_drive():
    drive(0.5, 0.1)

@pytest.mark.recompiles_fail_on("graph-break")
def test_marked():
    drive(0.5, 0.1)

@pytest.mark.recompiles_fail_on("limit")
def test_idle(): pass
    """
    result = run(tests, "--recompiles-fail-on", "recompile")
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*recompile in Slot.forward", "*Not completed: *"])


def test_markers_are_declared(run):
    result = run("def test_none(): pass", "--markers")
    result.stdout.fnmatch_lines(
        ["@pytest.mark.max_recompiles(n, warm_up=None): *", "@pytest.mark.no_eager_fallback: *"]
    )


def test_the_summary_crosses_processes(pytester, run):
    pytester.makeini("[pytest]\naddopts = -p no:cacheprovider")
    pytester.makepyfile(dedent(SLOT) + "\ndef test_many():\n    drive(0.5, 0.1, 0.2)\n")
    result = pytester.runpytest_subprocess("-n", "1", "--recompiles")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["*::test_many: 3 compiles (2 recompiles)*"])


def test_a_session_that_does_not_use_it_never_imports_torch(pytester):
    pytester.makepyfile("def test_none():\n    import sys\n    assert 'torch' not in sys.modules")
    pytester.runpytest_subprocess("--recompiles").assert_outcomes(passed=1)


BREAKS = """
def broken(x):
    x = x + 1
    print("here")
    return x * 2
def drive_broken():
    torch.compile(broken, backend="aot_eager")(torch.ones(2))
@pytest.mark.max_graph_breaks(1)
def test_fine(): drive_broken()
@pytest.mark.max_graph_breaks(0)
def test_wrong(): drive_broken()
@pytest.mark.max_graph_breaks(0)
def test_idle(): pass
def test_by_option(): drive_broken()
"""


def test_graph_breaks_are_bounded_by_marker_or_option(run):
    result = run(BREAKS, ini="max_graph_breaks = 0")
    result.assert_outcomes(passed=1, failed=3)
    over = ["1 graph break, 0 allowed", "graph-break: broken at *.py:* in broken"]
    result.stdout.fnmatch_lines([*over, "Not completed: *", over[0]])
