"""``exec`` runs a program as python would, and tells what torch.compile did in it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from functools import cache
from pathlib import Path

import jsonschema
import pytest
from support import ROOT, esper_audit, fresh_esper_audit

from esper_audit.data.audits import ProgramReport
from esper_audit.data.compiles import Outcome
from esper_audit.data.recording import Recording
from esper_audit.data.storage import json_schema, load
from esper_audit.report.words.findings import since_words

PROGRAMS = Path(__file__).parent / "programs"
ENDS, ALPHA = (str(PROGRAMS / f"{name}.py") for name in ("ends", "alpha"))


def said(text):
    return " ".join(text.split())


@cache
def plainly(how):
    """The program under python itself."""
    command = [sys.executable, ENDS, how, "--flag"]
    return subprocess.run(command, capture_output=True, text=True, input="words\n")


@pytest.mark.parametrize(
    ("how", "words", "recompiles"),
    [
        ("exit", "exit 7", 1),
        ("text", "exit 1", 1),
        ("raise", "ValueError: broken on purpose", 1),
        ("interrupt", "KeyboardInterrupt", 1),
        ("term", "SIGTERM", 1),
        ("thread", "exit 0", 2),
        ("pool", "exit 0", 2),
        ("fork", "exit 0", 1),
    ],
)
def test_a_program_ends_as_under_python_and_is_reported(tmp_path, how, words, recompiles):
    arguments = ("exec", "--save", "r.json", ENDS, how, "--flag")
    if how in ("exit", "raise", "interrupt", "term"):  # each way to end has a process of its own
        ours = fresh_esper_audit(*arguments, cwd=tmp_path, input="words\n")
    else:
        ours = esper_audit(*arguments, cwd=tmp_path, typed="words\n")
    plain = plainly(how)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout)
    assert "argv ['" + how + "', '--flag'] stdin words" in ours.stdout
    recording = load(tmp_path / "r.json", Recording)
    assert recording.program.ended == words
    again = [compile_ for compile_ in recording.compiles if compile_.outcome is Outcome.RECOMPILED]
    assert len(again) == recompiles
    assert f"{recompiles} recompile" in said(ours.stderr)
    assert said(ours.stderr).count("Frames") == 1
    assert not (tmp_path / "r.json.partial").exists()


def test_a_traceback_is_that_of_python(tmp_path):
    ours = esper_audit("exec", ENDS, "raise", "--flag", cwd=tmp_path, typed="words\n")
    assert plainly("raise").stderr.strip() in ours.stderr


def test_a_program_on_the_default_backend_ends(tmp_path):
    (tmp_path / "p.py").write_text("import torch\ntorch.compile(torch.sin)(torch.ones(3))\n")
    result = fresh_esper_audit("exec", "p.py", cwd=tmp_path)
    assert "1 compile (0 recompiles)" in said(result.stderr)
    assert result.returncode == 0


def test_places_are_those_from_which_it_was_started(tmp_path):
    program = (
        "import os, torch\nos.chdir('/')\ntorch.compile(torch.sin, backend='eager')(torch.ones(3))"
    )
    (tmp_path / "p.py").write_text(program)
    result = esper_audit("exec", "--save", "r.json", "--output", "o.txt", "p.py", cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert (tmp_path / "r.json").exists() and (tmp_path / "o.txt").exists()


def test_a_handler_that_raises_ends_no_process(tmp_path):
    """Raising inside the lookup hook would abort it."""
    program = """
import signal
import torch

double = torch.compile(lambda x: x * 2, backend="eager")
x = torch.ones(2)
double(x)
caught = 0


class Late(Exception):
    pass


def stop(number, frame):
    raise Late


signal.signal(signal.SIGALRM, stop)
assert signal.getsignal(signal.SIGALRM) is stop
for _ in range(40):
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.003)
        for _ in range(2000):
            double(x)
    except Late:
        caught += 1
signal.setitimer(signal.ITIMER_REAL, 0)
print(caught > 0)
"""
    (tmp_path / "p.py").write_text(program)
    result = esper_audit("exec", "p.py", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "True\n"), result.stderr


def test_a_recording_that_cannot_be_saved_costs_neither_program_nor_report(tmp_path):
    program = "import os, torch\ntorch.compile(torch.sin, backend='eager')(torch.ones(3))\n"
    (tmp_path / "p.py").write_text(program + "os.rmdir('gone')\n")
    (tmp_path / "gone").mkdir()
    result = esper_audit("exec", "--save", "gone/r.json", "p.py", cwd=tmp_path)
    assert result.returncode in (1, 3)  # the folder holds the journal: it may not go
    assert "1 compile" in said(result.stderr)
    full = esper_audit("exec", "--save", "/dev/full", "p.py", cwd=tmp_path)
    assert "1 compile" in said(full.stderr)


def test_a_hook_of_the_programs_own_for_exceptions_may_end_it(tmp_path):
    program = "import sys\nsys.excepthook = lambda *_: sys.exit(9)\nraise ValueError"
    (tmp_path / "p.py").write_text(program)
    result = fresh_esper_audit("exec", "p.py", cwd=tmp_path)
    assert "nothing was compiled" in result.stderr
    assert result.returncode == 9


def test_looking_for_dynamo_starts_nothing_and_misses_nothing(tmp_path):
    program = (
        "import importlib.util\nimportlib.util.find_spec('torch._dynamo')\nimport torch\n"
        "torch.compile(torch.sin, backend='eager')(torch.ones(3))"
    )
    (tmp_path / "p.py").write_text(program)
    assert "1 compile" in said(fresh_esper_audit("exec", "p.py", cwd=tmp_path).stderr)


def test_a_hard_exit_is_reported_and_leaves_the_recording_on_disk(tmp_path):
    ours = esper_audit("exec", ENDS, "hard", cwd=tmp_path)
    assert ours.returncode == 5
    assert "1 recompile" in said(ours.stderr)
    place = ours.stderr.split("the recording is in ")[1].split()[0]
    shown = esper_audit("show", place)
    assert "1 recompile" in said(shown.stdout)
    assert shown.returncode == 0, shown.stderr
    Path(place).unlink()


def test_a_crash_leaves_what_was_recorded_up_to_then(tmp_path):
    ours = fresh_esper_audit("exec", "--save", "r.json", ENDS, "crash", cwd=tmp_path, input="")
    assert ours.returncode == -signal.SIGSEGV
    shown = esper_audit("show", "r.json.partial", cwd=tmp_path)
    assert shown.returncode == 0
    assert "1 recompile" in said(shown.stdout)
    assert "or died before it could save" in said(shown.stdout)


@pytest.fixture(scope="module")
def alpha(tmp_path_factory):
    """Ten alpha changes, watched and saved in both forms."""
    folder = tmp_path_factory.mktemp("alpha")
    result = esper_audit(
        *("exec", "--provenance", "--save", "r.json", "--format", "json", "--output", "p.json"),
        *(ALPHA, "10"),
        cwd=folder,
    )
    return result, folder


def test_the_tickets_program_names_the_writer_of_alpha(alpha):
    result, folder = alpha
    assert (result.returncode, result.stdout) == (0, "")
    audit = load(folder / "p.json", ProgramReport).audits[0]
    finding = next(finding for finding in audit.findings if finding.id == "float-specialized")
    assert (finding.source, finding.pattern, finding.limit_hit) == ("self.alpha", "storm", True)
    lines = Path(ALPHA).read_text().splitlines()
    assert lines[finding.written_by.line - 1].strip() == "self.alpha = value"
    assert finding.written_by.function == "Slot.set_alpha"
    assert lines[finding.called_from.line - 1].strip() == "slot.set_alpha(number / 10)"


def test_the_limit_is_a_finding_with_the_step_at_which_it_was_hit(alpha):
    audit = load(alpha[1] / "p.json", ProgramReport).audits[0]
    finding = next(finding for finding in audit.findings if finding.id == "eager-after-limit")
    assert since_words(finding.since).startswith("step 'alpha 7'")
    assert audit.frames[0].state == "cached-only"


def test_the_counts_are_torchs_own(alpha):
    recording = load(alpha[1] / "r.json", Recording)
    made = sum(1 for compile_ in recording.compiles if compile_.succeeded)
    assert made == recording.torch_counters["unique_graphs"] == 8


def test_saved_files_fit_the_published_schemas(alpha):
    for name, kind in (("p.json", "program"), ("r.json", "recording")):
        published = ROOT / f"docs/reference/{kind}.schema.json"
        document = json.loads((alpha[1] / name).read_text())
        jsonschema.validate(document, json.loads(published.read_text()))


def test_show_prints_a_saved_recording_and_report_again(alpha):
    for name in ("r.json", "p.json"):
        shown = esper_audit("show", name, cwd=alpha[1])
        assert shown.returncode == 0, shown.stderr
        assert "float-specialized: self.alpha" in said(shown.stdout)
        assert "written by Slot.set_alpha" in said(shown.stdout)


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--max-recompiles", "3"], 0, "Passed"),
        (["--max-recompiles", "2"], 1, "3 recompiles, 2 allowed"),
        (["--max-recompiles-after-warm-up", "1"], 1, "2 recompiles after warm-up, 1 allowed"),
        (
            ["--max-recompiles-after-warm-up", "2", "--warm-up-calls", "2"],
            0,
            "Passed",
        ),
        (["--fail-on", "limit,float-specialized"], 1, "float-specialized in Slot.forward"),
        (["--fail-on", "eager"], 0, "Passed"),
    ],
)
def test_a_budget_decides_the_exit_code(options, code, words):
    result = esper_audit("exec", "-q", *options, ALPHA, "2")
    assert words in said(result.stderr)
    assert result.returncode == code, result.stderr


def test_a_program_that_compiles_nothing_pays_nothing_and_proves_nothing(tmp_path):
    (tmp_path / "plain.py").write_text("import sys; print('torch' in sys.modules)")
    result = fresh_esper_audit("exec", "plain.py", cwd=tmp_path)
    assert (result.returncode, result.stdout) == (0, "False\n")
    assert "plain.py: nothing was compiled" in result.stderr
    held = fresh_esper_audit("exec", "--max-recompiles", "0", "plain.py", cwd=tmp_path)
    assert held.returncode == 3
    assert "no compiled code ran, so nothing is proven" in held.stderr


def test_a_module_runs_with_its_own_options(tmp_path):
    (tmp_path / "pack").mkdir()
    (tmp_path / "pack/__main__.py").write_text(
        "import sys; print(__name__, __package__, sys.argv[1:], sys.path[0])"
    )
    (tmp_path / "pack/__init__.py").write_text("")
    result = fresh_esper_audit("exec", "-q", "-m", "pack", "--help", "-m", "x", cwd=tmp_path)
    assert result.stdout.split() == [
        "__main__",
        "pack",
        "['--help',",
        "'-m',",
        "'x']",
        str(tmp_path),
    ]


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ([], "There is nothing to run: no script given."),
        (["nope.py"], "There is no script nope.py."),
        (["-m", "no.such.module"], "There is no module no.such.module that can be run."),
        (["--fail-on", "weather", "x.py"], "--fail-on: unknown kind 'weather'"),
        (["--save", "no/such/r.json", "x.py"], "can't be written"),
        (["--output", "no/such/r.txt", "x.py"], "can't be written"),
        (["--save", "x.py/", "x.py"], "x.py can't be created"),
    ],
)
def test_wrong_usage_is_told_before_anything_runs(tmp_path, args, message):
    (tmp_path / "x.py").write_text("print('ran')")
    environment = {"RANK": "0"} if "x.py/" in args else {}
    import os

    result = fresh_esper_audit("exec", *args, cwd=tmp_path, env=os.environ | environment)
    assert (result.returncode, result.stdout) == (2, "")
    assert message in said(result.stderr)


def test_a_heartbeat_says_how_it_goes(tmp_path):
    (tmp_path / "slow.py").write_text("import time; time.sleep(0.5)")
    result = fresh_esper_audit("exec", "--heartbeat", "0.1", "slow.py", cwd=tmp_path)
    assert "esper-audit: 0 s: torch.compile was not used yet" in result.stderr


def test_a_folder_without_recordings_is_told(tmp_path):
    result = esper_audit("show", str(tmp_path))
    assert "holds no recording" in result.stderr
    assert result.returncode == 2


def test_the_schemas_of_both_kinds_are_printed():
    for kind in ("program", "recording", "report"):
        printed = json.loads(esper_audit("schema", kind).stdout)
        assert printed["$defs"]
    assert json_schema()["$defs"]["Report"]
