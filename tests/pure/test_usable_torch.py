"""A torch that is missing, old, broken or hidden is told as that, by every door, in two lines."""

from __future__ import annotations

import subprocess
import sys
import warnings
from pathlib import Path
from types import ModuleType

import pytest

from esper_audit.recording import usable_torch

SCENARIO = "from esper_audit import scenario\n@scenario\ndef quiet(replay): pass\n"
SHOWS = 'Plain Python shows it: {} -c "import torch'

BLOCKED = """
import sys
class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] == "torch":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Finder())
"""

TORCHES = {
    "missing": ({"sitecustomize.py": BLOCKED}, "torch is not installed for "),
    "old": ({"torch/__init__.py": "__version__ = '2.5.1'"}, "torch 2.5.1 is too old"),
    "without a library": (
        {"torch/__init__.py": "raise OSError('libcudart.so.12: cannot open shared object file')"},
        "torch can't be imported: OSError: libcudart.so.12: cannot open shared object file.",
    ),
    "with a broken extension": (
        {"torch/__init__.py": "raise ImportError('torch/_C.so: undefined symbol: x')"},
        "torch can't be imported: ImportError: torch/_C.so: undefined symbol: x.",
    ),
    "half installed": (
        {"torch/__init__.py": "import sys; sys.modules['torch'].nothing"},
        "torch can't be imported: AttributeError: ",
    ),
    "without dynamo": (
        {"torch/__init__.py": "__version__ = '2.9.0'"},
        "torch can't be imported: ModuleNotFoundError: No module named 'torch._dynamo'.",
    ),
    "hidden by a file": ({"torch.py": "x = 1"}, "torch.py hides torch: "),
    "hidden by a script": ({"torch.py": "raise SystemExit(3)"}, "torch.py hides torch: "),
    "hidden by a folder": ({"torch/__init__.py": "", "torch/version.py": None}, " hides torch: "),
}


def installed(folder, files):
    """A folder with a torch in it, as ``version.py`` shows, or without where that is None."""
    for name, text in {"torch/version.py": "", **files}.items():
        if text is None or (name == "torch/version.py" and "torch.py" in files):
            continue
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


def ended(folder, torch, *words):
    (folder / "suite.py").write_text(SCENARIO)
    command = [sys.executable, "-m", *words]
    environment = {"PYTHONPATH": f"{torch}:{Path.cwd()}", "PATH": "/usr/bin:/bin"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize("kind", TORCHES)
def test_doctor_says_what_is_wrong_with_torch_and_what_shows_it(tmp_path, kind):
    files, said = TORCHES[kind]
    torch = installed(tmp_path / "site", files) if (tmp_path / "site").mkdir() is None else None
    result = ended(tmp_path, torch, "esper_audit", "doctor")
    message, hint = result.stderr.splitlines()
    assert (result.returncode, result.stdout) == (3, "")
    assert said in message
    assert SHOWS.format(sys.executable) in hint


@pytest.mark.parametrize("words", ["run suite.py", "list suite.py", "gate suite.py"])
@pytest.mark.parametrize("kind", ["missing", "old", "without a library"])
def test_commands_that_replay_say_the_same(tmp_path, words, kind):
    (tmp_path / "site").mkdir()
    files, said = TORCHES[kind]
    torch = installed(tmp_path / "site", files)
    result = ended(tmp_path, torch, "esper_audit", *words.split())
    assert result.returncode == 3
    assert said in result.stderr and SHOWS.format(sys.executable) in result.stderr
    assert "Traceback" not in result.stderr


def test_commands_that_need_no_torch_work_without(tmp_path):
    (tmp_path / "site").mkdir()
    torch = installed(tmp_path / "site", TORCHES["missing"][0])
    for words in ("schema", "--help", "--version", "explain"):
        assert ended(tmp_path, torch, "esper_audit", words).returncode == 0
    (tmp_path / "plain.py").write_text("print('ran')")
    assert ended(tmp_path, torch, "esper_audit", "exec", "plain.py").stdout == "ran\n"


def test_record_raises_with_the_line_that_shows_it(tmp_path):
    (tmp_path / "site").mkdir()
    torch = installed(tmp_path / "site", TORCHES["old"][0])
    (tmp_path / "prog.py").write_text("from esper_audit import record\nwith record(): pass\n")
    last = ended(tmp_path, torch, "prog").stderr.splitlines()[-2:]
    assert last[0].startswith("esper_audit.errors.TorchError: torch 2.5.1 is too old")
    assert last[1].startswith("Plain Python shows it: ")


def test_a_marked_test_fails_in_a_line(tmp_path):
    (tmp_path / "site").mkdir()
    torch = installed(tmp_path / "site", TORCHES["old"][0])
    (tmp_path / "test_it.py").write_text(
        "import pytest\n@pytest.mark.max_recompiles(0)\ndef test_it(): pass\n"
    )
    words = ("pytest", "-q", "test_it.py")
    result = ended(tmp_path, torch, *words)
    assert "torch 2.5.1 is too old" in result.stdout and "Plain Python shows it" in result.stdout
    assert len(result.stdout.splitlines()) < 10
    assert result.returncode == 1


def test_a_torch_that_cannot_compile_is_told_with_its_own_line(monkeypatch):
    lines = []

    def failure(line):
        lines.append(line)
        return "InvalidCxxCompiler: No working C++ compiler found"

    monkeypatch.setattr(usable_torch, "_failure", failure)
    trouble = usable_torch.compile_trouble()
    assert trouble is not None
    assert str(trouble) == (
        "torch.compile fails by itself on the backend inductor: InvalidCxxCompiler: No working C++"
        " compiler found."
    )
    assert lines == ["import torch; torch.compile(torch.sin)(torch.ones(1))"]
    assert lines[0] in trouble.hint
    monkeypatch.setattr(usable_torch, "_failure", lambda _: None)
    assert usable_torch.blamed(["eager", "inductor"]) is None


def raised_in(module, code="raise ValueError('no compiler')"):
    """An error as code of this module raises it, which other code meets."""
    try:
        try:
            exec(code, {"__name__": module})
        except ValueError as error:
            raise RuntimeError("it failed") from error
    except Exception as error:
        return error


@pytest.mark.parametrize(
    ("error", "is_torchs"),
    [
        (raised_in("torch._inductor.codecache"), True),
        (raised_in("torch"), True),
        (ModuleNotFoundError("no", name="torch._dynamo"), True),
        (AttributeError("no", name="compile", obj=ModuleType("torch")), True),
        (AttributeError("no", name="compile", obj=ModuleType("torchvision")), False),
        (AttributeError("no", name="torch", obj=ModuleType("esper_audit")), False),
        (raised_in("torchvision.ops"), False),
        (raised_in("esper_audit.report.run"), False),
        (ImportError("no", name="esper_audit._dynamo"), False),
        (ImportError("no"), False),
    ],
)
def test_torch_is_asked_only_of_an_error_of_its_own(monkeypatch, error, is_torchs):
    monkeypatch.setattr(usable_torch, "_failure", lambda _: "OSError: none")
    monkeypatch.setattr(usable_torch, "import_trouble", lambda: None)
    assert (usable_torch.trouble_behind(error) is not None) == is_torchs


def test_the_oldest_torch_is_that_of_the_dependencies():
    text = (Path(__file__).parents[2] / "pyproject.toml").read_text()
    assert f'"torch>={usable_torch.OLDEST[0]}.{usable_torch.OLDEST[1]}"' in text


def test_a_process_of_ours_does_not_repeat_that_numpy_is_missing(monkeypatch):
    def warns():
        warnings.warn("Failed to initialize NumPy: No module named 'numpy'", stacklevel=2)
        warnings.warn("something else", stacklevel=2)

    monkeypatch.setattr(usable_torch, "import_torch", warns)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        usable_torch.import_torch_quietly()
        usable_torch.import_torch()
    said = [str(warning.message) for warning in seen]
    assert [text.startswith("Failed") for text in said].count(True) == 1
