"""The gate where the surroundings are hostile: files, names, streams, audits that say nothing."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest
from builders import audit, told
from report_builders import BUFFER, failing

from esper_audit.data.verdicts import AuditVerdict

PASSING = audit(scenario="rollout", parameters=BUFFER)
FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)
SKIPPED = replace(PASSING, verdict=AuditVerdict.SKIPPED, steps=())
ERROR = replace(PASSING, verdict=AuditVerdict.ERROR, reasons=(told("it crashed"),))
COMMAND = [sys.executable, "-m", "esper_audit"]


def shell(desk, line, **options):
    """A line of bash, with the command as ``$gate``."""
    environment = os.environ | {"gate": f"{sys.executable} -m esper_audit gate"}
    return subprocess.run(
        ["bash", "-c", line], cwd=desk.folder, env=environment, capture_output=True, **options
    )


@pytest.mark.parametrize("audits", [(), (SKIPPED,), (ERROR,)], ids=["none", "skipped", "error"])
def test_an_update_with_what_proves_nothing_ends_with_3(desk, audits):
    code, out, _ = desk.gate(desk.saved(*audits), "--update-baseline")
    assert code == 3
    assert "Updated" not in out
    assert desk.baseline.exists() is (audits == (SKIPPED,)), "that it is skipped may be accepted"


@pytest.mark.parametrize("audits", [(), (SKIPPED,), (ERROR,)], ids=["none", "skipped", "error"])
def test_a_comparison_with_what_proves_nothing_ends_with_3(desk, audits):
    names = desk.saved(*audits), desk.saved(PASSING, name="b.json")
    for pair in (names, names[::-1], (names[0], names[0])):
        code, out, _ = desk.run("compare", *pair)
        assert code == 3
        assert "a.json: nothing in it was judged" in out


def test_a_comparison_in_which_only_errors_are_left_ends_with_3(desk):
    other = replace(PASSING, scenario="steady")
    name = desk.saved(ERROR, other)
    assert desk.run("compare", name, name)[0] == 3


def test_a_comparison_with_an_interrupted_audit_ends_with_3(desk):
    names = desk.saved(PASSING, interrupted=True), desk.saved(PASSING, name="b.json")
    code, out, _ = desk.run("compare", *names)
    why = "a.json: it was interrupted: 1 of 1 audits was done."
    assert (code, out.strip()) == (3, f"Not comparable: {why}")


@pytest.mark.parametrize(
    "arguments",
    [
        ["--update-baseline", "-o", "esper-audit-baseline.json"],
        ["--save", "a.json"],
        ["-o", "a.json"],
        ["-o", "json=x", "-o", "junit=x"],
        ["-o", "json=x", "--save", "./x"],
    ],
)
def test_no_output_overwrites_another_file_of_the_command(desk, arguments):
    desk.accept(PASSING)
    name = desk.saved(PASSING)
    before = [(desk.folder / file).read_bytes() for file in (name, desk.baseline.name)]
    code, _, err = desk.gate(name, *arguments)
    assert code == 2
    assert any(why in err for why in ("is named twice.", "used by this command", "are one file."))
    assert before == [(desk.folder / file).read_bytes() for file in (name, desk.baseline.name)]


@pytest.mark.parametrize(
    "name", ["t\tab.json", "b\x07ell.json", "n\nl.json", "it's $x.json", "-x.json"]
)
def test_the_last_line_accepts_whatever_the_name(desk, name):
    desk.saved(FAILING, name=name)
    command = [*COMMAND, "gate", f"./{name}"]
    said = subprocess.run(command, cwd=desk.folder, capture_output=True, text=True)
    assert said.returncode == 1
    last = said.stdout.rstrip("\n").splitlines()[-1]
    assert last.startswith("esper-audit gate --update-baseline ")
    accepted = shell(desk, last.replace("esper-audit gate", "$gate", 1))
    assert accepted.returncode == 0, accepted.stderr
    assert desk.gate(f"./{name}")[0] == 0


def test_names_and_reasons_that_are_no_text_are_shown_as_well_as_can_be(desk):
    desk.saved(FAILING)
    (desk.folder / "a.json").rename(desk.folder / os.fsdecode(b"s\xff.json"))
    for form in ("json", "sarif", "markdown", "junit", "github", "plain"):
        result = shell(desk, f"$gate $'s\\xff.json' --format {form}")
        assert result.returncode == 1, result.stderr
    result = shell(desk, "$gate $'s\\xff.json' --update-baseline --reason $'\\xff'")
    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("form", ["rich", "plain", "markdown", "json"])
def test_a_code_page_without_our_marks_costs_no_verdict(desk, form):
    name = desk.saved(FAILING)
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    command = [*COMMAND, "gate", name, "--format", form]
    result = subprocess.run(command, cwd=desk.folder, env=environment, capture_output=True)
    assert (result.returncode, result.stderr) == (1, b"")


@pytest.mark.parametrize("closed", [">&-", "<&-", "2>&-"])
def test_closed_streams_cost_no_verdict(desk, closed):
    name = desk.saved(FAILING)
    assert shell(desk, f"$gate {name} {closed}").returncode == 1
    assert shell(desk, f"$gate {name} --update-baseline {closed}").returncode == 0
    assert desk.gate(name)[0] == 0


def test_audits_of_another_system_are_shown(desk):
    desk.accept(PASSING)
    for root in ("C:\\proj", "rel/x", ""):
        code, out, _ = desk.gate(desk.saved(FAILING, root=root), "--format", "sarif")
        assert code == 1
        assert '"version": "2.1.0"' in out


@pytest.mark.parametrize("update", [(), ("--update-baseline",)])
def test_places_that_cannot_be_are_refused(desk, update):
    (desk.folder / "loop").symlink_to("loop")
    (desk.folder / "folder").mkdir()
    for place in ("loop", "folder", "x" * 300):
        code, _, err = desk.gate(desk.saved(PASSING), "--baseline", place, *update)
        assert code == 2, err
        assert "Traceback" not in err
    code, _, err = desk.gate("x" * 300 + ".json")
    assert code == 2, err


def test_a_long_name_that_is_legal_can_be_written(desk):
    name = desk.saved(PASSING)
    assert desk.gate(name, "--baseline", "b" * 250, "--update-baseline")[0] == 0


def test_the_hint_on_a_baseline_that_cannot_be_read_works(desk):
    name = desk.saved(PASSING)
    desk.baseline.write_text("")
    _, _, err = desk.gate(name)
    assert "move it aside and create a new one" in err
    desk.baseline.rename(desk.folder / "away")
    assert desk.gate(name, "--update-baseline")[0] == 0


def test_a_full_disk_is_no_verdict_and_spares_the_other_files(desk):
    desk.accept(PASSING)
    code, _, err = desk.gate(desk.saved(FAILING), "-o", "json=/dev/full", "-o", "junit=j.xml")
    assert code == 3
    assert "/dev/full can't be written: No space left on device." in err
    assert "Written: j.xml, the report on stdout." in err
    assert (desk.folder / "j.xml").exists()
