"""A command line that names something else than the command takes is answered with the one meant."""

from __future__ import annotations

import shlex
import subprocess
import sys

import pytest

SCENARIO = "from esper_audit import scenario\n@scenario\ndef quiet(replay): pass\n"


@pytest.fixture
def place(desk):
    """Files of every kind that is given by mistake."""
    (desk.folder / "train.py").write_text("import sys; print('ran', sys.argv[1:])\n")
    (desk.folder / "suite.py").write_text(SCENARIO)
    (desk.folder / "pkg").mkdir()
    (desk.folder / "pkg" / "tool.py").write_text("print('tool')\n")
    (desk.folder / "python").mkdir()  # a folder of that name hides nothing
    (desk.folder / "run.sh").write_text("#!/bin/bash\npython train.py\n")
    (desk.folder / "notes.ipynb").write_text("{}")
    desk.saved()
    return desk


@pytest.mark.parametrize(
    ("words", "meant"),
    [
        ("exec python train.py a 'b c'", "esper-audit exec train.py a 'b c'"),
        ("exec python3 -m pkg.tool -x", "esper-audit exec -m pkg.tool -x"),
        ("exec -q python -u train.py", "python -u -m esper_audit exec -q train.py"),
        ("exec /opt/bin/python3.12 train.py", "/opt/bin/python3.12 -m esper_audit exec train.py"),
        ("exec pytest -k slot", "esper-audit exec -m pytest -k slot"),
        ("exec --save r.json pytest", "esper-audit exec --save r.json -m pytest"),
        (
            "exec torchrun --nproc-per-node 2 --standalone train.py --lr 1",
            "torchrun --nproc-per-node 2 --standalone --no-python esper-audit exec train.py --lr 1",
        ),
        (
            "exec torchrun --nproc-per-node=2 -m pkg.tool",
            "torchrun --nproc-per-node=2 --no-python esper-audit exec -m pkg.tool",
        ),
        (
            "exec python -m torch.distributed.run train.py",
            "python -m torch.distributed.run --no-python esper-audit exec train.py",
        ),
        ("exec accelerate launch train.py", "accelerate launch -m esper_audit exec train.py"),
        ("exec uv run train.py", "uv run esper-audit exec train.py"),
        ("exec uv run --with x python train.py", "uv run --with x esper-audit exec train.py"),
        ("exec poetry run pytest", "poetry run esper-audit exec -m pytest"),
        ("exec env A=1 python train.py", "env A=1 esper-audit exec train.py"),
        ("exec train", "esper-audit exec train.py"),
        ("exec pkg.tool", "esper-audit exec -m pkg.tool"),
        ("exec json.tool a", "esper-audit exec -m json.tool a"),
        ("exec -m train.py a", "esper-audit exec train.py a"),
        ("exec -X dev train.py", "python -X dev -m esper_audit exec train.py"),
        ("exec a.json", "esper-audit show a.json"),
        ("run a.json", "esper-audit show a.json"),
        ("list a.json", "esper-audit show a.json"),
        ("run train.py", "esper-audit exec train.py"),
        ("list train.py", "esper-audit exec train.py"),
        ("run python train.py", "esper-audit exec train.py"),
        (
            "gate train.py",
            "esper-audit exec --save train.json train.py && esper-audit gate train.json",
        ),
        ("show train.py", "esper-audit exec train.py"),
        ("show suite.py", "esper-audit run suite.py"),
        ("compare train.py a.json", "esper-audit exec train.py"),
        ("train.py", "esper-audit exec train.py"),
        ("suite.py", "esper-audit run suite.py"),
        ("a.json", "esper-audit show a.json"),
        ("python train.py", "esper-audit exec train.py"),
        ("pytest tests", "esper-audit exec -m pytest tests"),
    ],
)
def test_the_command_that_was_meant_is_told_to_be_typed(place, words, meant):
    code, out, err = place.run(*shlex.split(words))
    assert (code, out) == (2, "")
    said, hint = err.splitlines()
    assert said.startswith("esper-audit: ")
    assert hint.endswith(f"ype: {meant}")


@pytest.mark.parametrize(
    ("words", "said", "hint"),
    [
        ("exec ./run.sh", "run.sh is a shell script", "write `esper-audit exec` in place"),
        ("exec bash run.sh", "run.sh is a shell script", "write `esper-audit exec` in place"),
        ("exec notes.ipynb", "is a notebook", "jupyter nbconvert --to script notes.ipynb"),
        (f"exec {sys.executable}", "is neither", "-m esper_audit exec SCRIPT"),
        ("exec /bin/ls", "is machine code", "Give a Python script"),
        ("exec trian.py", "no script trian.py (did you mean 'train.py'?)", "Give a file"),
        ("exec python -c 1", "exec takes no code", "Write it to a file"),
        ("exec -c 1", "exec takes no code", "Write it to a file"),
        ("exec -m", "-m takes the name of a module", "esper-audit exec -m pytest"),
        ("run pkg/nothing.py", "There are no scenarios at pkg/nothing.py", "Give a folder"),
    ],
)
def test_what_no_command_takes_is_told_with_what_to_do(place, words, said, hint):
    code, out, err = place.run(*words.split())
    assert (code, out) == (2, "")
    assert said in err and hint in err
    assert len(err.splitlines()) == 2


@pytest.mark.parametrize("words", ["python train.py one", "train one", "python -u train.py one"])
def test_the_command_that_is_told_runs_the_program(place, words):
    hint = place.run("exec", "-q", *words.split())[2].splitlines()[1]
    command = hint.removeprefix("  Type: ").replace("esper-audit", "python -m esper_audit")
    typed = [sys.executable if word == "python" else word for word in command.split()]
    ended = subprocess.run(typed, cwd=place.folder, capture_output=True, text=True)
    assert (ended.returncode, ended.stdout) == (0, "ran ['one']\n"), ended.stderr


def test_a_program_is_refused_by_run_before_it_is_imported(place):
    (place.folder / "train.py").write_text("raise SystemExit('it ran')")
    assert "it ran" not in place.run("run", "train.py")[2]


def test_a_file_that_may_declare_scenarios_by_another_name_is_not_refused(place):
    from esper_audit.data.file_kinds import holds_scenarios

    (place.folder / "case.py").write_text("from mine import case\n@case\ndef f(replay): pass\n")
    assert holds_scenarios(place.folder / "case.py")
    assert not holds_scenarios(place.folder / "train.py")
