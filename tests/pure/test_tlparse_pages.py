"""Pages of tlparse that lie beside a log are linked, and only those of this log."""

from __future__ import annotations

import pytest
from test_import_command import log_of, read, traces

from esper_audit.data.logs import LogSource
from esper_audit.traces.pages import pages_of

__all__ = ["traces"]


@pytest.fixture
def parsed(desk, traces):
    """A log, and tlparse's folder for it: as tlparse 0.4.3 lays it out."""

    def lay(folder="traces/tl_out", log=None, rank=None, name="x.log"):
        found = log or log_of(rank)
        file = traces(name, found)
        out = desk.folder / folder
        for page in ("-_0_0_0/compilation_metrics_11.html", "-_0_1_0/compilation_metrics_24.html"):
            (out / page).parent.mkdir(parents=True, exist_ok=True)
            (out / page).write_text("<html>")
        (out / "-_0_1_1").mkdir()
        (out / "-_0_1_1" / "compilation_metrics_30.html").write_text("<html>")
        (out / "-_0_1_1" / "bwd_compilation_metrics_31.html").write_text("<html>")
        (out / "raw.log").write_bytes(bytes(found))
        return file, out

    return lay


def test_the_page_of_the_last_attempt_is_that_of_a_compile(parsed):
    file, out = parsed()
    assert pages_of(LogSource(files=(str(file),))) == {
        "0/0": str(out / "-_0_0_0/compilation_metrics_11.html"),
        "0/1": str(out / "-_0_1_1/compilation_metrics_30.html"),
    }


@pytest.mark.parametrize("damage", ["other log", "no copy", "no folder"])
def test_what_tlparse_made_of_another_log_is_not_linked(parsed, damage):
    file, out = parsed()
    if damage == "other log":
        (out / "raw.log").write_bytes(bytes(log_of(pid=55)))
    elif damage == "no copy":
        (out / "raw.log").unlink()
    else:
        out.rename(out.with_name("elsewhere"))
    assert pages_of(LogSource(files=(str(file),))) == {}


def test_of_many_ranks_each_has_its_own_folder(parsed):
    file, out = parsed("out/rank_3", rank=3)
    log = LogSource(files=(str(file),))
    assert pages_of(log, [str(out.parent)], 3)["0/0"].startswith(str(out))
    assert pages_of(log, [str(out.parent)], 2) == {}
    assert pages_of(log) == {}


def test_a_report_leads_to_them_and_tells_their_paths_with_v(desk, parsed):
    _, out = parsed()
    page = "-_0_1_1/compilation_metrics_30.html"
    assert "Pages of tlparse f: [0/0], [0/1]" in read(desk)
    assert f"[0/1] traces/tl_out/{page}" in read(desk, "-v")
    said = desk.run("import", "traces", "--format", "markdown")[1]
    assert f"](<{(out / page).as_uri()}>)" in said


def test_the_copy_that_tlparse_keeps_is_not_read_as_another_process(desk, parsed):
    parsed()
    assert "1 trace log;" in read(desk)
