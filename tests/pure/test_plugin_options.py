"""What the pytest plugin is asked, and refuses, without torch."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


@pytest.fixture
def run(pytester):
    def run_tests(test, *arguments, ini=""):
        pytester.makepyfile(test)
        pytester.makeini(f"[pytest]\n{ini}\n")
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *arguments)

    return run_tests


PLAIN = "def test_nothing(): pass"


def test_a_test_without_torch_is_left_alone_by_the_option(run):
    run(PLAIN, "--recompiles-fail-on", "graph-break,limit").assert_outcomes(passed=1)


@pytest.mark.parametrize("by_ini", [False, True])
def test_an_unknown_kind_is_refused_before_any_test_runs(run, by_ini):
    given = {"ini": "recompiles_fail_on = graph-brake"} if by_ini else {}
    result = run(PLAIN, *([] if by_ini else ["--recompiles-fail-on", "graph-brake"]), **given)
    said = "--recompiles-fail-on: unknown kind 'graph-brake' (did you mean 'graph-break'?)."
    result.stderr.fnmatch_lines([f"*{said.replace('[', '[[]')}*"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


A_NUMBER = "max_recompiles takes a number of recompiles and, optionally, warm_up=CALLS, as in"
BREAKS = "max_graph_breaks takes a number of graph breaks, as in"


@pytest.mark.parametrize(
    ("marker", "said"),
    [
        ("recompiles_fail_on()", "recompiles_fail_on takes kinds, as in"),
        ("recompiles_fail_on(3)", "recompiles_fail_on takes kinds, as in"),
        ("recompiles_fail_on(kind='limit')", "recompiles_fail_on takes kinds, as in"),
        ("recompiles_fail_on('worse')", "'worse' can't be given here: it is a kind of change"),
        ("recompiles_fail_on('limti')", "unknown kind 'limti' (did you mean 'limit'?)"),
        ("max_recompiles", A_NUMBER),
        ("max_recompiles('0')", A_NUMBER),
        ("max_recompiles(-1)", A_NUMBER),
        ("max_recompiles(True)", A_NUMBER),
        ("max_recompiles(0.5)", A_NUMBER),
        ("max_recompiles(0, warm_up=-2)", A_NUMBER),
        ("max_recompiles(0, warmup=2)", A_NUMBER),
        ("max_recompiles(1, 2, 3)", A_NUMBER),
        ("max_graph_breaks", BREAKS),
        ("max_graph_breaks(-1)", BREAKS),
        ("max_graph_breaks(m=1)", BREAKS),
        ("no_eager_fallback(1)", "no_eager_fallback takes no arguments, as in"),
        ("no_eager_fallback(strict=True)", "no_eager_fallback takes no arguments, as in"),
    ],
)
def test_a_marker_that_cannot_be_understood_fails_its_test_in_a_line(run, marker, said):
    result = run(f"import pytest\n@pytest.mark.{marker}\n{PLAIN}", "-q")
    result.assert_outcomes(errors=1)
    section = result.stdout.str().split("___\n", 1)[1].split("=====")[0]
    [line] = section.strip().splitlines()
    assert said in line


@pytest.mark.parametrize("key", ["max_recompiles", "max_graph_breaks"])
def test_a_number_of_an_option_that_is_none_is_refused(run, key):
    result = run(PLAIN, ini=f"{key} = few")
    result.stderr.fnmatch_lines([f"*{key} takes a number of *, not 'few'"])
    assert result.ret == pytest.ExitCode.USAGE_ERROR


TRACING = """
import logging
trace = logging.getLogger("torch.__trace")
trace.propagate = False
trace.setLevel(logging.DEBUG)

def test_logs(caplog):
    trace.debug("")
    logging.getLogger("my.own").error("own words")
    assert [record.name for record in caplog.records] == ["torch.__trace", "my.own"]
    assert 0
"""


@pytest.mark.parametrize("options", [(), ("--log-cli-level=DEBUG",)])
def test_records_of_torchs_trace_log_bury_no_failure(run, options):
    result = run(TRACING, *options)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*assert 0*", "*own words*"])
    result.stdout.no_fnmatch_line("*torch.__trace:*")
