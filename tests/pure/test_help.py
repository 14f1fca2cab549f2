"""``--help`` of every command: groups, whole sentences, lines that fit a terminal."""

from __future__ import annotations

import re
import subprocess
import sys
from contextlib import suppress

import pytest

from esper_audit.cli import main
from esper_audit.cli.app import COMMANDS
from esper_audit.report.formats import Format


@pytest.fixture
def helped(monkeypatch, capsys):
    """The help of a command, 80 columns wide."""

    def run(*arguments):
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.setattr(sys, "argv", ["esper-audit", *arguments])
        with suppress(SystemExit):
            main()
        return capsys.readouterr().out

    return run


@pytest.mark.parametrize("name", ["", *COMMANDS])
def test_both_spellings_print_the_same_help_within_80_columns(helped, name):
    words = [name] if name else []
    text = helped(*words, "--help")
    assert text == helped(*words, "-h")
    assert max(map(len, text.splitlines())) <= 80
    assert "-h, --help" in text


@pytest.mark.parametrize("name", COMMANDS)
def test_options_are_told_in_whole_sentences_with_what_they_take(helped, name):
    _, text = helped(name, "-h").split("\n\n", 1)
    assert not re.search(r"<\w+( range)?>|\[x>|\.\.\.$", text, re.MULTILINE), "typer's own words"
    entries = re.split(r"\n  (?=[-A-Z])", text)
    assert len(entries) > 1
    for entry in entries:
        assert entry.split("\n\n")[0].rstrip().endswith("."), entry


@pytest.mark.parametrize(("name", "sentence"), COMMANDS.items())
def test_the_list_of_commands_says_what_each_says_itself(helped, name, sentence):
    assert sentence in " ".join(helped(name, "-h").split())
    assert sentence in " ".join(helped("--help").split())


def test_options_stand_in_groups(helped):
    text = helped("gate", "-h")
    headings = re.findall(r"^(\w.*):$", text, re.MULTILINE)
    assert headings == [
        "Arguments",
        "Selection",
        "How code is compiled",
        "How scenarios are replayed",
        "Baseline",
        "What fails",
        "Report",
        "Options",
    ]


@pytest.mark.parametrize("name", ["run", "gate", "exec", "show", "compare"])
def test_every_format_is_named_where_one_is_chosen(helped, name):
    said = " ".join(helped(name, "-h").split())
    assert [form for form in Format if f" {form}" not in said] == []


def test_help_under_exec_is_that_of_the_program_once_it_is_named(helped, tmp_path, monkeypatch):
    program = tmp_path / "program.py"
    program.write_text("import sys; print(sys.argv[1:])")
    assert "Usage: esper-audit exec" in helped("exec", "-h", str(program))


def test_a_misspelt_command_is_refused_with_the_closest(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["esper-audit", "shwo"])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    assert "No such command 'shwo' (did you mean 'show'?)." in capsys.readouterr().err


def loaded(*arguments):
    """The modules that are imported once a command has printed its help."""
    code = (
        "import sys\n"
        "from esper_audit.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    command = [sys.executable, "-c", code, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.split()


def test_the_first_help_loads_no_command_no_data_and_no_rich():
    ours = {name for name in loaded("--help") if name.startswith("esper_audit")}
    assert ours == {
        "esper_audit",
        "esper_audit.errors",
        "esper_audit.cli",
        "esper_audit.cli.app",
        "esper_audit.cli.command",
        "esper_audit.cli.given",
        "esper_audit.cli.interrupts",
        "esper_audit.cli.stdout",
    }
    assert not {"rich", "msgspec"} & set(loaded("--help"))


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_loads_that_command_alone(name):
    found = set(loaded(name, "--help"))
    others = {f"esper_audit.cli.{other}" for other in COMMANDS if other != name}
    assert not found & (others | {"torch", "msgspec", "esper_audit.data.storage"})


def test_texts_and_numbers_of_a_command_need_no_pydantic():
    assert "pydantic" not in loaded("import", "nowhere.log", "--jobs", "1", "--as", "name", "-q")


def test_without_a_command_the_help_is_printed_as_it_is():
    result = subprocess.run([sys.executable, "-m", "esper_audit"], capture_output=True, text=True)
    assert result.returncode == 2
    assert result.stdout == ""
    assert result.stderr.lstrip().startswith("Usage: esper-audit [OPTIONS] COMMAND")
    assert "See `esper-audit --help`" not in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("run --time-limit nan x.py", "--time-limit is nan, but must be a number, 0.1 or more."),
        ("run --time-limit -5 x.py", "--time-limit is -5, but must be a number, 0.1 or more."),
        ("run --time-limit 1e300 x.py", "--time-limit is 1e+300, but must be a number, 1000000000"),
        ("gate --repeat 0 x.py", "--repeat is 0, but must be a whole number, 1 or more."),
        ("run -j 1.5 x.py", "--jobs is '1.5', but must be a whole number, 0 or more."),
        ("run --max-compile-share nan x.py", "is nan, but must be a number from 0 to 1."),
        (f"run --max-compiles {10**20} x.py", "but must be a whole number, 1000000000 or less."),
        ("exec --heartbeat inf x.py", "--heartbeat is inf, but must be a number, 0.1 or more."),
        ("show --width 10 x", "--width is 10, but must be a whole number from 40 to 10000."),
        ("list --format xml", "--format is 'xml', but must be one of rich or json."),
        ("run --dynamic maybe x.py", "--dynamic is 'maybe', but must be one of auto, true or"),
        ("schema reprot", "comparison, fix, scan or config (did you mean 'report'?)."),
    ],
)
def test_a_value_that_cannot_be_is_refused_in_words_of_our_own(monkeypatch, capsys, words, said):
    monkeypatch.setattr(sys, "argv", ["esper-audit", *words.split()])
    with pytest.raises(SystemExit) as left:
        main()
    assert left.value.code == 2
    err = capsys.readouterr().err
    assert said in err
    assert len(err.splitlines()) == 1, "no words of typer's or pydantic's"
