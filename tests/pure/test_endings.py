"""A program under ``exec`` ends as under python, in its odd ways too; none of these needs torch."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.program.surroundings import not_reported
from esper_audit.recording.journal import Journal

COMMAND = [sys.executable, "-c", "from esper_audit.cli import main; main()", "exec", "-q"]

WORDLESS = "class Wordless(Exception):\n    def __str__(self): raise ValueError('no words')\n"

HOSTILE = """
def no(*_): raise SystemExit(11)
class Meta(type):
    __getattribute__ = no
class Shut(Exception, metaclass=Meta):
    __getattribute__ = no
class Told(Exception):
    def __str__(self): raise KeyboardInterrupt
class Left(SystemExit):
    code = property(no)
class Words:
    __str__ = __repr__ = no
"""

PROGRAMS = {
    "an error whose words leave": HOSTILE + "raise Told()",
    "an error that can't be looked at": HOSTILE + "import sys; sys.stderr = None; raise Shut()",
    "an exit whose code can't be read": HOSTILE + "raise Left(3)",
    "an exit whose words leave": HOSTILE + "raise SystemExit(Words())",
    "an exit beyond all codes": "raise SystemExit(2**70)",
    "an exit of a wide code": "raise SystemExit(2**40 + 3)",
    "a hook that leaves by such an exit": (
        HOSTILE + "import sys\ndef hook(*_): raise Left(3)\nsys.excepthook = hook\nraise ValueError"
    ),
    "a recursion limit that is low": (
        "import sys, inspect\nsys.setrecursionlimit(len(inspect.stack()) + 25)"
    ),
    "hooks as python has them": (
        "import sys, threading\nprint(sys.excepthook is sys.__excepthook__, sys.gettrace(),"
        " threading.excepthook is threading.__excepthook__, sys.unraisablehook is"
        " sys.__unraisablehook__, sys.displayhook is sys.__displayhook__)"
    ),
    "signals and exits of the program's own": (
        "import signal, sys\ndef no(*_): raise OSError\nsignal.signal = signal.getsignal = no\n"
        "sys.exit = no"
    ),
    "an error without words": WORDLESS + "raise Wordless()",
    "an exit without words": WORDLESS + "raise SystemExit(Wordless())",
    "a hook that fails": (
        "import sys\ndef hook(*_): raise KeyError('hook')\nsys.excepthook = hook\nraise ValueError(1)"
    ),
    "a hook that reads the last error": (
        "import sys\nsys.excepthook = lambda *_: print(sys.last_type, sys.last_value)\n"
        "raise ValueError(1)"
    ),
    "a hard exit by name": "import os\nos._exit(status=4)",
    "a replacement by name": (
        "import os, sys\nos.execve(sys.executable, ['python', '-c', 'print(5)'], env={})"
    ),
    "a replacement that is not there": (
        "import os\ntry:\n    os.execv('/nowhere', ['x'])\nexcept OSError as e:\n    print(e)"
    ),
    "an interrupt with a file open": (
        "import os, signal\nclass Last:\n    def __del__(self): print('deleted')\nlast = Last()\n"
        "f = open('out.txt', 'w')\nf.write('data')\nos.kill(os.getpid(), signal.SIGINT)"
    ),
    "an interrupt of its own kind": "class Own(KeyboardInterrupt): ...\nraise Own('x')",
    "a forked child that is terminated": (
        "import os, time\nfor _ in range(5):\n    child = os.fork()\n"
        "    if child == 0:\n        time.sleep(9)\n        os._exit(1)\n"
        "    os.kill(child, 15)\n    print(os.waitpid(child, 0)[1])"
    ),
    "a tracer left in place": (
        "import sys\ndef tracer(frame, *_): print(frame.f_code.co_name)\n"
        "def f(): ...\nsys.settrace(tracer)\nf()"
    ),
    "no stderr": "import sys\nsys.stderr = None",
}


def ended(command, folder, **options):
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    written = folder / "out.txt"
    return result, written.read_text() if written.exists() else ""


@pytest.mark.parametrize("how", PROGRAMS)
def test_a_program_ends_as_under_python(tmp_path, how):
    (tmp_path / "program.py").write_text(PROGRAMS[how])
    plain, plain_file = ended([sys.executable, "program.py"], tmp_path)
    ours, our_file = ended([*COMMAND, "program.py"], tmp_path)
    assert (ours.returncode, ours.stdout) == (plain.returncode, plain.stdout), ours.stderr
    assert our_file == plain_file
    assert all(line in ours.stderr.splitlines() for line in plain.stderr.splitlines())
    assert "esper_audit/" not in ours.stderr


def test_a_replacement_that_is_not_there_does_not_end_the_recording(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAMS["a replacement that is not there"])
    ours, _ = ended([*COMMAND[:-1], "program.py"], tmp_path)
    assert "ended with exit 0" in ours.stderr


def test_a_program_may_come_through_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    writer = subprocess.Popen(["sh", "-c", f"echo 'print(7)' > {pipe}"])
    ours, _ = ended([*COMMAND, "pipe"], tmp_path)
    assert writer.wait() == 0
    assert (ours.returncode, ours.stdout) == (0, "7\n")


def test_a_closed_stderr_costs_the_report_alone(tmp_path):
    (tmp_path / "program.py").write_text("print(1)")
    command = subprocess.list2cmdline([sys.executable, "-m", "esper_audit", "exec", "program.py"])
    ours, _ = ended(["sh", "-c", f"{command} 2>&-"], tmp_path)
    assert (ours.returncode, ours.stdout) == (0, "1\n")


def test_a_module_of_the_programs_own_is_not_shadowed_by_what_we_import(tmp_path):
    (tmp_path / "secrets.py").write_text("KEY = 8")
    (tmp_path / "program.py").write_text("import secrets\nprint(secrets.KEY)")
    ours, _ = ended([*COMMAND, "program.py"], tmp_path)
    assert (ours.returncode, ours.stdout) == (0, "8\n")


def test_pytest_under_exec_does_not_warn_of_our_plugin(tmp_path):
    (tmp_path / "test_one.py").write_text("def test_one(): ...")
    ours, _ = ended([*COMMAND, "-m", "pytest", "-q", "-W", "error", "test_one.py"], tmp_path)
    assert ours.returncode == 0, ours.stdout


PATCHED = "import time\ndef no(*_): raise OSError('patched')\ntime.perf_counter = no\n"


def test_a_report_that_fails_costs_no_exit_code_and_is_told_in_a_line(tmp_path):
    (tmp_path / "program.py").write_text(PATCHED + "raise SystemExit(5)")
    ours, _ = ended([*COMMAND, "program.py"], tmp_path)
    assert ours.returncode == 5
    assert "The report failed: OSError: patched (" in ours.stderr and "program.py:2" in ours.stderr
    assert "Traceback" not in ours.stderr


def test_a_report_that_fails_after_a_clean_end_ends_with_3(tmp_path):
    (tmp_path / "program.py").write_text(PATCHED)
    ours, _ = ended([*COMMAND, "program.py"], tmp_path)
    assert ours.returncode == 3 and "please report it" in ours.stderr


def test_a_report_that_failed_names_the_recording_that_is_kept(tmp_path):
    journal = Journal(tmp_path / "r.json.partial")
    journal.begin(Recording(environment=UNKNOWN), Program(argv=()))
    told = not_reported(OSError("no files"), journal)
    assert f"{tmp_path}/r.json.partial" in told.hint
    journal.remove()
    assert ".partial" not in not_reported(OSError("no files"), journal).hint


def test_a_hard_exit_before_torch_names_no_recording(tmp_path):
    (tmp_path / "program.py").write_text("import os\nos._exit(4)")
    ours, _ = ended([*COMMAND[:-1], "program.py"], tmp_path)
    assert ours.returncode == 4 and "recording is in" not in ours.stderr
