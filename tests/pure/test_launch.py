"""A program under ``exec`` finds itself as it does under python."""

from __future__ import annotations

import py_compile
import subprocess
import sys
import zipfile

import pytest

PROGRAM = """
import sys
print({name: str(each) for name, each in sorted(globals().items()) if "at 0x" not in str(each)})
print(sorted(globals()), type(__loader__), sys.argv, sys.path)
print(sys.modules["__main__"].__dict__ is globals())
raise SystemExit(3)
"""

COMMAND = [sys.executable, "-c", "from esper_audit.cli import main; main()", "exec", "-q"]


@pytest.fixture
def place(tmp_path):
    """The program in every form that python runs."""
    for folder in ("folder", "package"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "__main__.py").write_text(PROGRAM)
    (tmp_path / "package" / "__init__.py").touch()
    (tmp_path / "script.py").write_text(PROGRAM)
    (tmp_path / "no_suffix").write_text(PROGRAM)
    (tmp_path / "link.py").symlink_to(tmp_path / "folder" / "__main__.py")
    py_compile.compile(str(tmp_path / "script.py"), str(tmp_path / "compiled.pyc"))
    with zipfile.ZipFile(tmp_path / "application.pyz", "w") as archive:
        archive.writestr("__main__.py", PROGRAM)
    return tmp_path


FORMS = {
    "a script": ["script.py"],
    "a script without a suffix": ["no_suffix"],
    "a script behind a link": ["link.py"],
    "a folder": ["folder"],
    "a zip file": ["application.pyz"],
    "a compiled file": ["compiled.pyc"],
    "a module": ["-m", "script"],
    "a package": ["-m", "package"],
}


@pytest.mark.parametrize("form", FORMS)
def test_a_program_finds_the_names_places_and_arguments_that_python_gives_it(place, form):
    def ended(*command):
        return subprocess.run(command, cwd=place, capture_output=True, text=True)

    plain = ended(sys.executable, *FORMS[form], "one", "two")
    ours = ended(*COMMAND, *FORMS[form], "one", "two")
    assert ours.stdout.splitlines() == plain.stdout.splitlines()
    assert (ours.returncode, plain.returncode) == (3, 3), ours.stderr


def test_a_folder_without_a_main_is_no_program(tmp_path):
    (tmp_path / "empty").mkdir()
    ended = subprocess.run([*COMMAND, "empty"], cwd=tmp_path, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "There is no __main__.py in empty." in ended.stderr
