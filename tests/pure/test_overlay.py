"""Files that are imported with other texts than those on disk."""

from __future__ import annotations

import importlib
import inspect
import linecache
import sys
import traceback
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path

import pytest

from esper_audit.program.launch import Target
from esper_audit.replay.collect import import_file
from esper_audit.replay.overlay import overlaid

OLD = "def answer():\n    return 'old'\n"
NEW = "# a line more\ndef answer():\n    return 'new'\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of modules; those that are imported from it are forgotten afterwards."""
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    known = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - known:
        del sys.modules[name]


def module(folder: Path, name: str, text: str = OLD) -> Path:
    path = folder / f"{name}.py"
    path.write_text(text)
    importlib.invalidate_caches()
    return path


def again(name: str) -> object:
    sys.modules.pop(name, None)
    return importlib.import_module(name).answer()


def test_a_module_is_imported_with_the_text_laid_over_it(folder: Path) -> None:
    path = module(folder, "laid_over")
    with overlaid({str(path): NEW}):
        assert again("laid_over") == "new"
        assert sys.modules["laid_over"].__file__ == str(path)
    assert again("laid_over") == "old"
    assert path.read_text() == OLD


def test_bytecode_on_disk_is_neither_read_nor_left(folder: Path) -> None:
    path = module(folder, "with_bytecode")
    assert again("with_bytecode") == "old"
    (bytecode,) = (folder / "__pycache__").iterdir()
    before = bytecode.read_bytes()
    with overlaid({str(path): NEW}):
        assert again("with_bytecode") == "new"
    assert bytecode.read_bytes() == before
    bytecode.unlink()
    with overlaid({str(path): NEW}):
        assert again("with_bytecode") == "new"
    assert not list((folder / "__pycache__").iterdir())
    assert again("with_bytecode") == "old"


def test_a_module_in_a_package_and_a_lazy_import_are_overlaid(folder: Path) -> None:
    (folder / "package").mkdir()
    module(folder / "package", "__init__", "")
    path = module(folder / "package", "inner")
    outer = module(
        folder, "outer", "def answer():\n    from package import inner\n    return inner.answer()\n"
    )
    with overlaid({str(path): NEW, str(outer): outer.read_text()}):
        assert again("outer") == "new"


def test_other_modules_are_imported_from_disk_as_ever(folder: Path) -> None:
    module(folder, "another")
    with overlaid({str(folder / "laid_over.py"): NEW}):
        assert again("another") == "old"
    assert list((folder / "__pycache__").iterdir())


def test_source_and_tracebacks_show_the_overlaid_lines(folder: Path) -> None:
    path = module(folder, "shown")
    with overlaid({str(path): NEW.replace("return 'new'", "raise KeyError")}):
        shown = importlib.import_module("shown")
        linecache.checkcache()
        assert inspect.getsource(shown.answer) == "def answer():\n    raise KeyError\n"
        with pytest.raises(KeyError) as raised:
            shown.answer()
        assert "raise KeyError" in "".join(traceback.format_exception(raised.value))
    linecache.checkcache()
    assert linecache.getline(str(path), 2) == "    return 'old'\n"


def test_a_link_to_the_file_is_overlaid_too(folder: Path) -> None:
    path = module(folder, "real")
    (folder / "link.py").symlink_to(path)
    with overlaid({str(path): NEW}):
        assert again("link") == "new"
        assert inspect.getsource(sys.modules["link"]) == NEW


def test_an_overlaid_text_keeps_its_declared_encoding(folder: Path) -> None:
    path = module(folder, "latin")
    text = "# -*- coding: latin-1 -*-\ndef answer():\n    return 'é'\n"
    with overlaid({str(path): text}):
        assert again("latin") == "é"


def test_a_scenario_file_is_imported_with_the_overlaid_text(folder: Path) -> None:
    path = module(folder, "scenarios_here")
    with overlaid({str(path): NEW}):
        assert import_file(path).answer() == "new"


@pytest.mark.parametrize("is_module", [False, True])
def test_a_program_runs_with_the_overlaid_text(
    folder: Path, monkeypatch: pytest.MonkeyPatch, is_module: bool
) -> None:
    monkeypatch.chdir(folder)
    monkeypatch.setattr(sys, "argv", list(sys.argv))
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    path = module(folder, "program", OLD)
    with overlaid({str(path): NEW}):
        code, names = Target("program" if is_module else str(path), is_module=is_module).load()
        exec(code, names)
    assert names["answer"]() == "new"
    assert code.co_filename == str(path)


def test_an_error_inside_puts_everything_back(folder: Path) -> None:
    path = module(folder, "failing")
    before = dict(vars(SourceFileLoader))
    with pytest.raises(ZeroDivisionError), overlaid({str(path): "1 / 0\n"}):
        again("failing")
    assert dict(vars(SourceFileLoader)) == before
    assert again("failing") == "old"


def test_overlays_nest(folder: Path) -> None:
    path, other = module(folder, "one"), module(folder, "two")
    with overlaid({str(path): NEW}):
        with overlaid({str(other): NEW}):
            assert (again("one"), again("two")) == ("new", "new")
        assert (again("one"), again("two")) == ("new", "old")
