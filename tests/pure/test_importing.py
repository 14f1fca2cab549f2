"""A scenario file whose import ends its process, or never ends, is known with its line."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap

import pytest

from esper_audit.data.places import Location
from esper_audit.data.reasons import Reason, Why
from esper_audit.replay.collect import collect
from esper_audit.replay.importing import Stopwatch, Trail, own_line
from esper_audit.replay.time_limit import time_limit
from esper_audit.report.words.reasons import in_words

FOLLOW = """
import os, sys
from pathlib import Path
from esper_audit.replay.collect import import_file
from esper_audit.replay.importing import Trail

path = Path(sys.argv[1])
with Trail(Path(sys.argv[2])).follow(path, float(sys.argv[3])):
    import_file(path)
"""


@pytest.fixture
def followed(tmp_path):
    """Imports a file of this source in a process of its own; its exit code and its trail."""

    def follow(source, limit=60.0, name="file.py"):
        path, trail = tmp_path / name, Trail(tmp_path / "trail")
        path.write_text(textwrap.dedent(source))
        command = [sys.executable, "-c", FOLLOW, str(path), str(trail.place), str(limit)]
        return subprocess.run(command, check=False, capture_output=True).returncode, path, trail

    return follow


@pytest.mark.parametrize(
    ("source", "code", "line"),
    [
        ("import os\n\nos._exit(0)", 0, 3),
        ("import os\ndef leave():\n    os._exit(7)\nleave()", 7, 3),
        ("from os import _exit\n_exit(3)", 3, 2),
        ("import ctypes\nctypes.string_at(0)", -11, 2),
        ("import os\nos.abort()", -6, 2),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGKILL)", -9, None),
        ("import os\nos.execv('/bin/true', ['true'])", 0, None),
        ("import os\nif os.fork():\n    os._exit(4)", 4, 3),
    ],
)
def test_the_file_and_line_that_end_the_process_are_known(followed, source, code, line):
    found, path, trail = followed(source)
    assert (found, trail.now_in()) == (code, str(path))
    assert trail.last_line() == (Location(str(path), line) if line else None)


def test_a_library_that_ends_the_process_is_told_by_the_line_that_calls_it(followed):
    source = "import contextlib, os\nwith contextlib.ExitStack() as s:\n    s.callback(os._exit, 6)"
    code, path, trail = followed(source)
    assert (code, trail.last_line()) == (6, Location(str(path), 2))


def test_an_import_that_can_not_be_stopped_tells_its_line(followed):
    source = """
    import os, signal, threading, time
    threading.Timer(3.5, os.kill, (os.getpid(), signal.SIGKILL)).start()
    time.sleep(60)
    """
    _, path, trail = followed(source, limit=0.2)
    assert trail.last_line() == Location(str(path), 4)


def test_nothing_is_named_once_an_import_is_over(followed):
    code, _, trail = followed("x = 1")
    assert (code, trail.now_in()) == (0, "")
    assert followed("raise ValueError")[2].now_in() == ""


@pytest.mark.parametrize("name", ["a b.py", "line\nbreak.py", ".hidden.py", "sch\udcf6n.py"])
def test_a_file_of_any_name_is_followed(followed, name):
    _, path, trail = followed("import os\nos._exit(0)", name=name)
    assert trail.now_in() == str(path)


def test_the_exit_of_a_forked_child_is_not_that_of_the_import(followed):
    source = "import os\nif os.fork() == 0:\n    os._exit(0)\nos.wait()\nos._exit(9)"
    code, path, trail = followed(source)
    assert (code, trail.last_line()) == (9, Location(str(path), 5))


def test_the_replaced_exit_is_put_back(tmp_path):
    before = os._exit
    with Trail(tmp_path / "trail").follow(tmp_path / "x.py", 5.0):
        assert os._exit is not before
    assert os._exit is before


def test_seconds_count_anew_for_each_import(tmp_path, monkeypatch):
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    trail = Trail(tmp_path / "trail")
    watch = Stopwatch(trail)
    trail.place.write_text("a.py")
    assert watch.seconds() == 0.0
    now = 107.0
    assert watch.seconds() == 7.0
    trail.place.write_text("b.py")
    assert watch.seconds() == 0.0
    trail.place.write_text("")
    now = 120.0
    assert watch.seconds() == 0.0


def test_the_users_line_is_preferred_to_a_librarys():
    library = os.path.dirname(os.__file__) + "/threading.py"  # noqa: PTH120
    assert own_line([(library, 320), ("/p/mine.py", 4), ("/p/other.py", 9)]) == Location(
        "/p/mine.py", 4
    )
    assert own_line([(library, 320)]) == Location(library, 320)
    assert own_line([]) is None


def test_an_import_past_its_limit_costs_itself_alone(tmp_path):
    (tmp_path / "a.py").write_text("import threading\nthreading.Event().wait()\n")
    (tmp_path / "b.py").write_text("import time\nwhile True:\n    time.sleep(0.01)\n")
    (tmp_path / "c.py").write_text("raise ValueError('no')\n")
    (tmp_path / "d.py").write_text("x = 1\n")
    (tmp_path / "known.py").write_text("1 / 0\n")
    known = Reason(why=Why.NOT_IMPORTED, text="it was seen to die")
    files = {name: str(tmp_path / f"{name}.py") for name in ("a", "b", "c", "known")}
    found = collect([str(tmp_path)], (), {files["known"]: known}, lambda _: time_limit(0.2)).broken
    assert set(found) == set(files.values())
    late = "it can't be imported: its import did not end within 0.2 s, in"
    assert in_words(found[files["a"]]).startswith(f"{late} {files['a']}:2; `import-time-limit`")
    assert in_words(found[files["b"]]).startswith(f"{late} {files['b']}:")
    assert in_words(found[files["c"]]) == f"it can't be imported: ValueError: no ({files['c']}:1)"
    assert found[files["known"]] is known


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("raise KeyboardInterrupt", "KeyboardInterrupt ("),
        ("raise SystemExit", "SystemExit ("),
        ("import sys; sys.exit('no GPU')", "SystemExit: no GPU ("),
        ("raise GeneratorExit", "GeneratorExit ("),
        ("class Odd(BaseException): pass\nraise Odd('x')", "Odd: x ("),
        ("def broken(:", "SyntaxError: "),
        ("\0", "SyntaxError: "),
    ],
)
def test_whatever_a_file_raises_as_it_is_imported_is_its_own_error(tmp_path, source, said):
    (tmp_path / "a.py").write_text(source)
    [why] = collect([str(tmp_path)]).broken.values()
    assert in_words(why).startswith(f"it can't be imported: {said}")


@pytest.mark.parametrize(
    ("reason", "said"),
    [
        (
            Reason(why=Why.PROCESS_KILLED, text="SIGKILL"),
            "killed by SIGKILL: the system does so when memory runs out; replay fewer at a time",
        ),
        (Reason(why=Why.PROCESS_KILLED, text="SIGSEGV"), "SIGSEGV: native code crashed"),
        (Reason(why=Why.PROCESS_KILLED, text="SIGUSR1"), "its process was killed by SIGUSR1"),
        (
            Reason(
                why=Why.NOT_IMPORTED,
                cause=Reason(why=Why.PROCESS_EXITED, count=0, location=Location("/p/s.py", 3)),
            ),
            "it can't be imported: its process ended by itself with exit code 0, in /p/s.py:3",
        ),
    ],
)
def test_a_process_that_died_is_told_with_what_mostly_kills_one(reason, said):
    assert said in in_words(reason)
    assert "--jobs" not in in_words(Reason(why=Why.NOT_IMPORTED, cause=reason))


def test_a_file_that_takes_stdout_away_takes_it_from_itself_alone(tmp_path):
    from esper_audit.replay.collect import import_file

    before = sys.stdout, sys.stderr
    path = tmp_path / "takes_stdout.py"
    path.write_text("import sys\nsys.stdout = sys.stderr = None\n")
    import_file(path)
    assert (sys.stdout, sys.stderr) == before
