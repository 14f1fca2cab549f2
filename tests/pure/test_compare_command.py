"""``esper-audit compare`` on saved audits."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from builders import ENVIRONMENT, audit, but
from report_builders import BUFFER, failing

from esper_audit.report.formats import Format

PASSING = audit(scenario="rollout", parameters=BUFFER)
OTHER = audit(scenario="steady", parameters=BUFFER)
FAILING = failing(scenario="rollout", count=3, parameters=BUFFER)


def test_compare_shows_both_sides_and_ends_with_1_where_they_differ(desk):
    names = desk.saved(PASSING, OTHER), desk.saved(FAILING, OTHER, name="b.json")
    code, out, _ = desk.run("compare", *names)
    assert code == 1
    assert out.startswith("1 of 2 audits differs between a.json and b.json.")
    assert "passed: 0 compiles, 0 after warm-up" in out
    assert "failed: 3 compiles, 3 after warm-up" in out
    assert "float-specialized" in out


def test_compare_of_equals_ends_with_0(desk):
    code, out, _ = desk.run("compare", desk.saved(PASSING), desk.saved(PASSING, name="b.json"))
    assert code == 0
    assert out.startswith("No difference between a.json and b.json: 1 audit.")


def test_compare_holds_backends_and_torch_versions_against_each_other(desk):
    other = but(FAILING, backend="inductor", environment=replace(ENVIRONMENT, torch="2.14.1"))
    code, out, _ = desk.run("compare", desk.saved(PASSING), desk.saved(other, name="b.json"))
    assert code == 1
    assert "1 of 1 audits differs" in out
    assert "b.json (torch 2.14.1, cpu, inductor)" in " ".join(out.split())


def test_a_comparison_is_saved_for_show(desk):
    names = desk.saved(PASSING), desk.saved(FAILING, name="b.json")
    assert desk.run("compare", *names, "--save", "kept", "-o", "c.md")[0] == 1
    code, out, _ = desk.run("show", "kept")
    assert code == 1
    assert out == desk.run("compare", *names)[1]
    assert "rollout" in (desk.folder / "c.md").read_text()


def test_compare_refuses_what_is_no_audit(desk):
    (desk.folder / "x.json").write_text("{}")
    code, _, err = desk.run("compare", desk.saved(PASSING), "x.json")
    assert code == 2
    assert "x.json is not a file of esper-audit" in err


def test_what_is_shown_is_not_overwritten(desk):
    name = desk.saved(PASSING)
    before = (desk.folder / name).read_text()
    code, _, err = desk.run("show", name, "-o", name)
    assert code == 2 and "is used by this command itself" in err
    assert (desk.folder / name).read_text() == before


def test_causes_that_are_in_a_alone_are_shown_with_their_values(desk):
    names = desk.saved(FAILING, OTHER), desk.saved(PASSING, OTHER, name="b.json")
    code, out, _ = desk.run("compare", *names)
    assert code == 1
    assert "float-specialized: self.alpha in Host.forward: 0.5 -> 0.1" in out
    assert "in A alone: rollout [buffer]" in out


def test_causes_of_an_audit_that_is_in_a_alone_are_shown(desk):
    gone = failing(scenario="gone", count=2, parameters=BUFFER)
    names = desk.saved(gone, OTHER), desk.saved(OTHER, name="b.json")
    _, out, _ = desk.run("compare", *names)
    assert "float-specialized: self.alpha" in out
    assert "in A alone: gone [buffer]" in out


def test_no_format_calls_a_worse_audit_passed_or_speaks_of_a_baseline(desk):
    new = failing(scenario="new", count=2, parameters=BUFFER)
    names = desk.saved(PASSING, OTHER), desk.saved(FAILING, OTHER, new, name="b.json")
    for form in Format:
        out = desk.run("compare", *names, "--format", form)[1]
        assert "baseline" not in out, form
    assert 'failures="2"' in desk.run("compare", *names, "--format", "junit")[1]


def test_programs_with_other_arguments_are_matched_by_the_name_they_are_given(desk):
    (desk.folder / "plain.py").write_text("pass")
    for file, name, argument in (("a", "it", "1"), ("b", "it", "2"), ("c", "", "3")):
        command = [sys.executable, "-m", "esper_audit", "exec", "-q", "--save", f"{file}.json"]
        command += [*(["--as", name] if name else []), "plain.py", argument]
        subprocess.run(command, cwd=desk.folder, check=True, stderr=subprocess.DEVNULL)
    matched, apart = (desk.run("compare", "a.json", other)[1] for other in ("b.json", "c.json"))
    assert "absent" not in matched
    assert "absent" in apart or "of 2" in apart
