"""An empty argument is no path, no name and no number: it is refused before anything happens."""

from __future__ import annotations

import pytest

SAID = {
    ("show", ""): "FILE",
    ("show", "a.json", "--export", ""): "--export",
    ("show", "a.json", "--export="): "--export",
    ("show", "a.json", "-o", ""): "--output",
    ("compare", "", "a.json"): "A",
    ("compare", "a.json", ""): "B",
    ("compare", "a.json", "a.json", "--save", ""): "--save",
    ("gate", ""): "PATH",
    ("gate", "a.json", "--baseline", ""): "--baseline",
    ("gate", "a.json", "--fail-on", ""): "--fail-on",
    ("run", ""): "PATH",
    ("run", "a.py", ""): "PATH",
    ("run", "--backend", ""): "--backend",
    ("run", "--param", ""): "--param",
    ("run", "--mode", ""): "--mode",
    ("run", "-j", ""): "--jobs",
    ("list", ""): "PATH",
    ("exec", ""): "ARG",
    ("exec", "-m", ""): "-m",
    ("exec", "--save", "", "x.py"): "--save",
    ("explain", ""): "ID",
    ("schema", ""): "KIND",
}


@pytest.mark.parametrize("arguments", SAID)
def test_an_empty_argument_is_refused_by_name(desk, arguments):
    code, out, err = desk.run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(f"esper-audit: {SAID[arguments]} is empty.\n"), err


def test_an_argument_of_the_program_may_be_empty(desk):
    (desk.folder / "x.py").write_text("import sys; sys.exit(f'got {sys.argv[1:]}')")
    from esper_audit.cli.exec import COMMAND

    context = COMMAND.make_context("exec", ["x.py", "", "-k"])
    assert context.params["program"] == ["x.py", "", "-k"]


def test_an_empty_selection_selects_everything(desk):
    code, _, err = desk.run("gate", "a.json", "-k", "", "--reason", "")
    assert code == 2 and "is empty" not in err and "a.json" in err
