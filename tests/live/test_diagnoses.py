"""Each diagnosis has a page, and the examples on it show what the page says."""

from __future__ import annotations

import json
import re
import runpy
from pathlib import Path

import pytest
import torch
from mended import MENDED, is_page, levers, unmarked
from support import CASES, ROOT, audits_of, esper_audit

from esper_audit import record
from esper_audit.api import LiveRecording
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.remedies import Cause, Remedy
from esper_audit.remedies.patches import patches_for
from esper_audit.report.words.reasons import in_words
from esper_audit.source.project import Project

PAGES = ROOT / "docs/reference/diagnoses"
QUOTED = "2.13."  # the version of torch that the pages quote
SAID_BY_TORCH = ("torch says: ", "torch's hint: ", "stopped at ")
SECTIONS = ["How it looks", "Why Dynamo does it", "How to fix it", "Example"]
ELSEWHERE = {
    Diagnosis.STALE_OUTPUT: "scenario",  # only a comparison with eager execution shows it
    Diagnosis.EAGER_UNEXPLAINED: "begun late",  # only a recording that begins late shows it
    Diagnosis.FORCED_BY_OTHER_RANK: "two ranks",
    Diagnosis.RANKS_DIFFER: "two ranks",
}


def page(diagnosis: Diagnosis) -> str:
    path = PAGES / f"{diagnosis}.md"
    return path.read_text() if path.exists() else ""


def block(diagnosis: Diagnosis, title: str) -> str:
    """The code block of this title on the page of a diagnosis; empty without one."""
    fence = f'```python title="{title}"\n'
    _, _, rest = page(diagnosis).partition(fence)
    return rest.split("```")[0]


SHOWN = [diagnosis for diagnosis in Diagnosis if block(diagnosis, "example")]


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run code as a script under a recorder that looks for writers."""
    import torch

    monkeypatch.chdir(tmp_path)
    dtype = torch.get_default_dtype()

    def recorded(code: str):
        script = tmp_path / "example.py"
        script.write_text(code)
        torch.compiler.reset()
        with record(provenance=True) as live:
            runpy.run_path(str(script), run_name="__main__")
        return live

    yield recorded
    torch.compiler.reset()
    torch.set_default_dtype(dtype)


def compiles_under_dispatch_modes() -> bool:
    return tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 14)


@pytest.mark.parametrize("diagnosis", SHOWN)
def test_the_example_shows_its_diagnosis_and_where_it_comes_from(run, tmp_path, diagnosis):
    if diagnosis is Diagnosis.EAGER_DISPATCH_MODE and compiles_under_dispatch_modes():
        pytest.skip("this torch compiles under a dispatch mode")
    code = block(diagnosis, "example")
    live = run(code)
    finding = next((finding for finding in live.findings if finding.id is diagnosis), None)
    assert finding is not None, live.report()
    assert_quoted(page(diagnosis).split("```text\n")[1].split("```")[0], live.report())

    [(line, mark)] = re.findall(r"^(\d+).*# <- (\w+)$", numbered(code), re.MULTILINE)
    where = {"writes": finding.written_by, "call": finding.called_from}[mark]
    assert where is not None, live.report()
    assert (Path(where.file), where.line) == (tmp_path / "example.py", int(line))
    if mark == "call":
        assert finding.written_by is None and in_words(finding.no_writer)
    assert_mended(diagnosis, live, tmp_path)


def assert_mended(diagnosis: Diagnosis, live: LiveRecording, folder: Path) -> None:
    """The edit of the table comes out of the registry of patches; its text is the second example.

    That this text runs compiled and shows no finding is another test.
    """
    project = Project(folder, [folder / "example.py"])
    made = [
        remedy
        for finding in live.findings
        for remedy in patches_for(
            Cause(id=finding.id, frame=finding.frame, source=finding.source), finding, project
        )
        if isinstance(remedy, Remedy) and remedy.id == MENDED[diagnosis].get("patch")
    ]
    assert bool(made) is ("patch" in MENDED[diagnosis])
    if is_page(diagnosis):
        assert unmarked(made[0].edits[0].after) == block(diagnosis, "fixed")


def assert_quoted(quotation: str, report: str) -> None:
    """Each line of the page begins a line of the report, whatever the seconds and torch's lines.

    The report also names the test that runs the script, as the caller of a writer's function.
    What torch says is quoted from one version.
    """
    said = without_what_varies(report).splitlines()
    for line in without_what_varies(quotation).splitlines():
        if line.strip().startswith(SAID_BY_TORCH) and not torch.__version__.startswith(QUOTED):
            continue
        assert any(found.startswith(line) for found in said), f"{line}\n\n{report}"


def without_what_varies(text: str) -> str:
    return re.sub(r"\d[\d.]* s\b|(?<= in )/\S+/", "", re.sub(r"(torch/\S+\.py):\d+", r"\1", text))


def numbered(code: str) -> str:
    return "\n".join(f"{number} {line}" for number, line in enumerate(code.splitlines(), 1))


@pytest.mark.parametrize("diagnosis", SHOWN)
def test_the_fixed_example_runs_compiled_without_any_finding(run, diagnosis):
    live = run(block(diagnosis, "fixed"))
    assert not live.findings, live.report()
    assert live.hits > 0


@pytest.mark.parametrize(
    ("title", "code", "steps"),
    [("scenario", 1, ["compiled", "stale"]), ("fixed scenario", 0, ["compiled", "reused"])],
)
def test_a_scenario_shows_stale_output_and_the_fixed_one_passes(tmp_path, title, code, steps):
    (tmp_path / "checks.py").write_text(block(Diagnosis.STALE_OUTPUT, title))
    result = esper_audit("run", "checks.py", "--format", "json", cwd=tmp_path)
    assert result.returncode == code, result.stderr
    [audit] = audits_of(result.stdout).values()
    assert [step["verdict"] for step in audit["steps"]] == steps
    stale = [finding for finding in audit["findings"] if finding["id"] == Diagnosis.STALE_OUTPUT]
    assert len(stale) == steps.count("stale")


def test_a_recording_that_begins_after_the_limit_is_not_explained(clean_dynamo, capsys):
    exec(block(Diagnosis.EAGER_UNEXPLAINED, "begun late"), {})
    said = capsys.readouterr().out
    quoted = page(Diagnosis.EAGER_UNEXPLAINED).split("```text\n")[1].split("```")[0]
    assert quoted.splitlines()[0] in said
    assert quoted.splitlines()[1] in said


def test_a_warm_up_is_proven_where_no_edit_is_known(tmp_path):
    """One scenario for each diagnosis, in one run: what a page can't show in a script."""
    (tmp_path / "variants.py").write_text((CASES / "variants.py").read_text())
    result = esper_audit("fix", "variants.py", "--format", "json", cwd=tmp_path)
    fixes = json.loads(result.stdout)["fixes"]
    best = {one["causes"][0]["id"]: one["trials"][one["best"]] for one in fixes}
    warmed = [diagnosis for diagnosis, lever in levers().items() if lever == "warm-up"]
    assert sorted(best) == sorted(warmed)
    assert {(trial["id"], trial["state"]) for trial in best.values()} == {("warm-up", "proven")}


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_every_diagnosis_has_a_page_with_all_sections(diagnosis):
    text = page(diagnosis)
    assert text.startswith(f"# `{diagnosis}`\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == SECTIONS
    assert "```text\n" in text


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_every_page_has_its_example(diagnosis):
    title = ELSEWHERE.get(diagnosis, "example")
    assert bool(block(diagnosis, title)) is (diagnosis is not Diagnosis.UNRECOGNIZED)
    assert bool(block(diagnosis, "fixed")) is (diagnosis in SHOWN)


def test_the_index_links_each_diagnosis_once_and_nothing_else():
    index = (PAGES / "README.md").read_text()
    linked = re.findall(r"^\| \[`(.+?)`\]\((.+?)\.md\) \| .+ \|$", index, re.MULTILINE)
    assert sorted(linked) == sorted((diagnosis.value, diagnosis.value) for diagnosis in Diagnosis)
    assert {path.stem for path in PAGES.glob("*.md")} == {*map(str, Diagnosis), "README"}
