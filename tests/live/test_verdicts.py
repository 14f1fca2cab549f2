"""Programs whose compiles fail or are refused: what every door says of them, and its exit code."""

from __future__ import annotations

import pytest
from support import esper_audit
from warm import run_warm

from esper_audit.data.expectations import ProgramBudget
from esper_audit.data.recording import Recording
from esper_audit.data.storage import load
from esper_audit.diagnosis import judge_program
from esper_audit.report.words.reasons import all_in_words

PROGRAMS = {
    "fails": """
import torch

def body(x):
    y = x * 2
    print("", end="")
    return y + 1

fast = torch.compile(body, backend="aot_eager", fullgraph=True)
other = torch.compile(lambda x: x + 1, backend="aot_eager")

for _ in range(4):
    other(torch.ones(2))
    try:
        fast(torch.ones(2))
    except torch._dynamo.exc.Unsupported:
        body(torch.ones(2))
""",
    "backend fails at the second variant": """
import torch

made = []

def once(graph, _inputs):
    made.append(graph)
    if len(made) > 1:
        raise ValueError("no second variant")
    return lambda *args: graph(*args)

double = torch.compile(lambda x: x * 2, backend=once, dynamic=False)
for size in (2, 3, 2):
    try:
        double(torch.ones(size))
    except torch._dynamo.exc.BackendCompilerFailed:
        pass
""",
    "suppressed": """
import torch

torch._dynamo.config.suppress_errors = True

def broken(graph, _inputs):
    raise ValueError("no code for this")

double = torch.compile(lambda x: x * 2, backend=broken)
other = torch.compile(lambda x: x + 1, backend="aot_eager")
for _ in range(3):
    double(torch.ones(3))
    other(torch.ones(3))
""",
    "error_on_recompile": """
import torch

scale = torch.compile(lambda x, k: x * k, backend="aot_eager", dynamic=False)
scale(torch.ones(3), 2)
with torch._dynamo.config.patch(error_on_recompile=True):
    for k in (2, 3, 4):
        try:
            scale(torch.ones(3), k)
        except torch._dynamo.exc.RecompileError:
            pass
""",
    "fail_on_recompile": """
import torch

double = torch.compile(lambda x: x * 2, backend="aot_eager", dynamic=False)
double(torch.ones(3))
torch.compiler.set_stance("fail_on_recompile")
for size in (3, 4, 5, 3):
    try:
        double(torch.ones(size))
    except RuntimeError:
        pass
""",
    "fullgraph at the limit": """
import torch

scale = torch.compile(lambda x, k: x * k, backend="aot_eager", dynamic=False, fullgraph=True)
for k in range(10):
    try:
        scale(torch.ones(3), k)
    except torch._dynamo.exc.FailOnRecompileLimitHit:
        pass
""",
    "accumulated limit": """
import torch

torch._dynamo.config.accumulated_recompile_limit = 3
scale = torch.compile(lambda x, k: x * k, backend="aot_eager", dynamic=False)
for k in range(5):
    scale(torch.ones(3), k)
""",
    "reset": """
import esper_audit
import torch

double = torch.compile(lambda x: x * 2, backend="aot_eager")
for _ in range(2):
    double(torch.ones(3))
esper_audit.steady_state()
double(torch.ones(3))
torch._dynamo.reset()
for _ in range(2):
    double(torch.ones(3))
""",
}


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Each program run once, under a budget that decides its exit code."""
    found = {}

    def run(name):
        if name not in found:
            folder = tmp_path_factory.mktemp("programs")
            (folder / "program.py").write_text(PROGRAMS[name])
            options = ("--max-recompiles", "0", "--save", "r.json")
            result = esper_audit("exec", *options, "program.py", cwd=folder)
            found[name] = (result, load(folder / "r.json", Recording))
        return found[name]

    return run


@pytest.mark.parametrize(
    ("name", "code", "words"),
    [
        ("fails", 1, "4 attempts failed: the call raised an error"),
        ("backend fails at the second variant", 1, "no second variant"),
        ("suppressed", 1, "1 attempt failed: the code ran eagerly instead"),
        ("error_on_recompile", 1, "k in <lambda>: 2 -> 3, 4"),
        ("fail_on_recompile", 1, "the stance was set at program.py:6"),
        ("fullgraph at the limit", 1, "the recompile limit was hit by <lambda>"),
        ("accumulated limit", 1, "the accumulated recompile limit was hit by <lambda>"),
        ("reset", 0, "2 compiles (0 recompiles)"),
    ],
)
def test_exec_says_what_happened_and_ends_with_its_verdict(recordings, name, code, words):
    result, _ = recordings(name)
    assert result.returncode == code, result.stderr
    assert words in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("name", "budget", "words"),
    [
        ("fails", {"fail_on": ("eager",)}, "eager execution in body"),
        ("fails", {"fail_on": ("compile-failed",)}, "compile-failed in body"),
        ("fails", {"recompiles": 9}, "body failed to compile"),
        ("error_on_recompile", {"fail_on": ("eager",)}, ""),
        ("error_on_recompile", {"recompiles": 1}, "0 recompiles and 2 refused, 1 allowed"),
        ("fail_on_recompile", {"fail_on": ("eager", "limit")}, ""),
        ("fail_on_recompile", {"fail_on": ("compile-refused",)}, "compile-refused in <lambda>"),
        ("fullgraph at the limit", {"recompiles": 99}, "the recompile limit was hit"),
        ("fullgraph at the limit", {"fail_on": ("limit",)}, "recompile limit hit in <lambda>"),
        ("fullgraph at the limit", {"fail_on": ("eager",)}, ""),
        ("accumulated limit", {"recompiles": 99}, "the accumulated recompile limit"),
        ("accumulated limit", {"fail_on": ("eager",)}, "eager execution in <lambda>"),
        ("reset", {"recompiles_after_warm_up": 0}, ""),
        ("reset", {"compiles_after_warm_up": 0}, "1 compile after warm-up, 0 allowed"),
    ],
)
def test_other_budgets_get_the_answer_that_fits(recordings, name, budget, words):
    audit = judge_program(recordings(name)[1], ProgramBudget(**budget))
    assert audit.verdict == ("failed" if words else "passed"), audit.reasons
    assert words in all_in_words(audit.reasons)


TEST = """
import pytest
import runpy

@pytest.mark.{marker}
def test_it():
    runpy.run_path("program.py")
"""


@pytest.mark.parametrize(
    ("name", "marker", "words"),
    [
        ("fails", "max_recompiles(0)", "body failed to compile"),
        ("fails", "no_eager_fallback", "compile-failed: body"),
        ("error_on_recompile", "max_recompiles(0)", "0 recompiles and 2 refused, 0 allowed"),
        ("accumulated limit", "max_recompiles(99)", "the accumulated recompile limit was hit"),
        ("reset", "max_recompiles(0)", ""),
    ],
)
def test_a_marker_in_pytest_gives_the_same_answer(tmp_path, name, marker, words):
    (tmp_path / "program.py").write_text(PROGRAMS[name])
    (tmp_path / "test_it.py").write_text(TEST.format(marker=marker))
    result = run_warm(["pytest", "-q", "test_it.py"], cwd=tmp_path)
    assert words in result.stdout
    assert ("1 failed" if words else "1 passed") in result.stdout
    assert result.returncode == bool(words)
