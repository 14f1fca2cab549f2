"""``fix --apply``: what is written, when it is taken back, and what is never touched."""

from __future__ import annotations

import os
import py_compile
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest
from fix_builders import AFTER, BEFORE, LEVERS, fix, fix_report, patched

from esper_audit.data.remedies import AppliedState, Cure, Edit, Ground, RemedyState, digest
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.applying import Again, apply
from esper_audit.remedies.diffs import unified

PASSED, FAILED = AuditVerdict.PASSED, AuditVerdict.FAILED


@pytest.fixture
def project(tmp_path):
    """A folder under git with one committed file."""
    return Project(tmp_path)


class Project:
    def __init__(self, folder):
        self.folder = folder
        self.git("init", "-q")
        self.write("host.py", BEFORE)

    def git(self, *arguments):
        command = ["git", "-c", "user.name=a", "-c", "user.email=b", "-C", str(self.folder)]
        subprocess.run([*command, *arguments], check=True, capture_output=True)

    def write(self, name, text, commit=True):
        path = self.folder / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        if commit:
            self.git("add", name)
            self.git("commit", "-q", "-m", "x")

    def read(self, name="host.py"):
        return (self.folder / name).read_bytes()

    def patch(self, before=BEFORE, after=AFTER, name="host.py", **fields):
        diff = unified([Edit(file=str(self.folder / name), before=before, after=after)], self.root)
        return patched(diff=diff, files=(name,), made_from={name: digest(before)}, **fields)

    @property
    def root(self):
        return str(self.folder)

    def report(self, *fixes, **fields):
        fixes = fixes or (fix("rollout", self.patch()),)
        return fix_report(*fixes, **{"root": self.root, "passed": ("other",), **fields})

    def apply(self, report=None, seen=None, force=False, **verdicts):
        """What became of it, where the audit of the changed files gives these verdicts."""

        def audit():
            if seen is not None:
                seen.append(self.read())
            found = {"rollout": PASSED, "other": PASSED} | verdicts
            named = {(name, "aot_eager"): verdict for name, verdict in found.items()}
            whole = PASSED if set(found.values()) == {PASSED} else FAILED
            return Again(named, whole)

        return apply(report or self.report(), audit, force=force).applied


def test_a_patch_that_holds_stays(project):
    seen: list[bytes] = []
    applied = project.apply(seen=seen)
    assert (applied.state, applied.files, applied.verdict) == (
        AppliedState.KEPT,
        ("host.py",),
        PASSED,
    )
    assert project.read() == AFTER.encode()
    assert seen == [AFTER.encode()], "it was audited as it is on disk"


@pytest.mark.parametrize(
    ("verdicts", "named"),
    [
        ({"rollout": FAILED}, "rollout aot_eager"),
        ({"rollout": AuditVerdict.ERROR}, "rollout aot_eager"),
        ({"other": FAILED}, "other aot_eager"),
    ],
)
def test_a_patch_that_does_not_hold_or_breaks_another_is_taken_back(project, verdicts, named):
    applied = project.apply(**verdicts)
    assert applied.state is AppliedState.TAKEN_BACK
    assert (applied.because.ground, applied.because.text) == (Ground.NOT_AS_PROVEN, named)
    assert project.read() == BEFORE.encode()


def test_what_fails_already_and_has_no_patch_takes_nothing_back(project):
    report = project.report(fix("rollout", project.patch()), replace(LEVERS, title="spin"))
    applied = project.apply(report, spin=FAILED)
    assert (applied.state, applied.verdict) == (AppliedState.KEPT, FAILED)


@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError])
def test_whatever_ends_the_audit_the_files_are_as_before(project, error):
    def audit():
        assert project.read() == AFTER.encode()
        raise error

    if error is KeyboardInterrupt:
        report = apply(project.report(), audit)
        assert report.applied.state is AppliedState.TAKEN_BACK
        assert report.applied.because.ground is Ground.INTERRUPTED
        assert report.verdict is AuditVerdict.ERROR
    else:
        with pytest.raises(error):
            apply(project.report(), audit)
    assert project.read() == BEFORE.encode()


def test_an_audit_that_was_interrupted_takes_it_back(project):
    again = Again({("rollout", "aot_eager"): PASSED}, PASSED, interrupted=True)
    report = apply(project.report(), lambda: again)
    assert report.applied.state is AppliedState.TAKEN_BACK and report.interrupted
    assert project.read() == BEFORE.encode()


def test_a_file_that_somebody_edits_meanwhile_is_left_to_them(project):
    def audit():
        project.write("host.py", "theirs\n", commit=False)
        return Again({}, FAILED)

    apply(project.report(), audit)
    assert project.read() == b"theirs\n"


def refused(applied):
    assert applied.state is AppliedState.REFUSED
    return applied.because.ground, applied.because.text


def test_a_file_that_is_not_committed_needs_force(project):
    project.write("host.py", BEFORE + "# mine\n", commit=False)
    report = project.report(fix("rollout", project.patch(BEFORE + "# mine\n", AFTER + "# mine\n")))
    assert refused(project.apply(report)) == (Ground.DIRTY, "host.py")
    assert project.read() == (BEFORE + "# mine\n").encode()
    assert project.apply(report, force=True).state is AppliedState.KEPT


@pytest.mark.parametrize("how", ["untracked", "ignored", "staged"])
def test_what_git_could_not_give_back_counts_as_not_committed(project, how):
    project.write("new.py", BEFORE, commit=False)
    if how == "ignored":
        project.write(".gitignore", "new.py\n")
    if how == "staged":
        project.git("add", "new.py")
    report = project.report(fix("rollout", project.patch(name="new.py")))
    assert refused(project.apply(report)) == (Ground.DIRTY, "new.py")


def test_another_file_that_is_not_committed_does_not_matter(project):
    project.write("notes.txt", "x", commit=False)
    assert project.apply().state is AppliedState.KEPT


def test_without_git_it_needs_force(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    project = Project(tmp_path)
    subprocess.run(["rm", "-rf", str(tmp_path / ".git")], check=True)
    ground, text = refused(project.apply())
    assert ground is Ground.NO_GIT and "not a git repository" in text
    assert project.apply(force=True).state is AppliedState.KEPT


def test_where_git_is_not_installed_it_needs_force(project, monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert refused(project.apply())[0] is Ground.NO_GIT
    assert project.apply(force=True).state is AppliedState.KEPT


def test_a_file_that_has_changed_since_is_not_touched(project):
    report = project.report()
    project.write("host.py", BEFORE + "\n")
    for force in (False, True):
        assert refused(project.apply(report, force=force)) == (Ground.CHANGED_SINCE, "host.py")
    (project.folder / "host.py").unlink()
    project.git("commit", "-qam", "gone")
    assert refused(project.apply(report))[0] is Ground.CHANGED_SINCE


@pytest.mark.parametrize("name", ["../outside.py", "link.py", "/etc/hostname"])
def test_a_file_outside_of_the_project_is_not_touched(project, tmp_path_factory, name):
    other = tmp_path_factory.mktemp("other") / "outside.py"
    other.write_text(BEFORE)
    if name == "link.py":
        (project.folder / name).symlink_to(other)
    diff = project.patch().diff.replace("host.py", name)
    found = patched(diff=diff, made_from={name: digest(BEFORE)})
    report = project.report(fix("rollout", found))
    assert refused(project.apply(report, force=True)) == (Ground.OUTSIDE, name)
    assert other.read_text() == BEFORE


def test_a_link_inside_of_the_project_is_followed(project):
    (project.folder / "link.py").symlink_to("host.py")
    report = project.report(fix("rollout", project.patch(name="link.py")))
    assert project.apply(report).state is AppliedState.KEPT
    assert (project.folder / "link.py").is_symlink() and project.read() == AFTER.encode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (BEFORE.replace("\n", "\r\n").encode(), AFTER.replace("\n", "\r\n").encode()),
        (b"\xef\xbb\xbf" + BEFORE.encode(), b"\xef\xbb\xbf" + AFTER.encode()),
        (
            f"# coding: latin-1\n# é\n{BEFORE}".encode("latin-1"),
            f"# coding: latin-1\n# é\n{AFTER}".encode("latin-1"),
        ),
        (BEFORE.rstrip().encode(), AFTER.rstrip().encode()),
    ],
    ids=["crlf", "bom", "latin-1", "no last newline"],
)
@pytest.mark.parametrize("holds", [True, False])
def test_encodings_and_ends_of_lines_stay(project, before, after, holds):
    encoding = "latin-1" if b"latin-1" in before else "utf-8-sig"
    project.write("host.py", before)
    texts = (data.decode(encoding) for data in (before, after))
    report = project.report(fix("rollout", project.patch(*texts)))
    project.apply(report, rollout=PASSED if holds else FAILED)
    assert project.read() == (after if holds else before)


def test_permissions_stay_and_no_other_file_is_left(project):
    path = project.folder / "host.py"
    path.chmod(0o750)
    project.git("commit", "-qam", "mode")
    project.apply()
    assert path.stat().st_mode & 0o777 == 0o750
    assert {entry.name for entry in project.folder.iterdir()} == {".git", "host.py"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root writes everywhere")
def test_a_folder_that_cannot_be_written_is_told(project):
    project.folder.chmod(0o500)
    try:
        assert refused(project.apply())[0] is Ground.NOT_WRITTEN
    finally:
        project.folder.chmod(0o700)


def test_a_second_file_that_cannot_be_written_gives_the_first_its_bytes_back(project, monkeypatch):
    from esper_audit.remedies import working_tree

    project.write("b.py", BEFORE)
    fixes = [fix("rollout", project.patch()), fix("other", project.patch(name="b.py"))]
    write = working_tree._write

    def broken(path, data):
        if path.name == "b.py":
            raise OSError(28, "No space left on device")
        write(path, data)

    monkeypatch.setattr(working_tree, "_write", broken)
    ground, text = refused(project.apply(project.report(*fixes)))
    assert ground is Ground.NOT_WRITTEN and text == "b.py: No space left on device"
    assert project.read() == project.read("b.py") == BEFORE.encode()


def test_python_forgets_what_it_compiled_of_a_file_that_was_changed(project):
    compiled = Path(str(py_compile.compile(str(project.folder / "host.py"))))
    assert compiled.exists()
    project.apply(force=True)
    assert not compiled.exists()


# --- which patches ---


def test_patches_of_several_cases_are_applied_together(project):
    after = BEFORE.replace("import torch\n", "import torch\nimport math\n")
    fixes = [fix("rollout", project.patch()), fix("other", project.patch(after=after))]
    assert project.apply(project.report(*fixes, passed=())).state is AppliedState.KEPT
    assert project.read().decode() == AFTER.replace("import torch\n", "import torch\nimport math\n")


def test_a_patch_of_the_same_lines_is_left_out_and_named(project):
    after = BEFORE.replace("self.alpha = 0.5", "self.alpha = torch.tensor(0.5)")
    fixes = [fix("rollout", project.patch()), fix("other", project.patch(after=after))]
    applied = project.apply(project.report(*fixes, passed=()), other=FAILED)
    assert (applied.state, applied.left_out) == (AppliedState.KEPT, ("other",))
    assert project.read() == AFTER.encode()


def test_levers_and_unsafe_patches_are_not_applied(project):
    both = project.patch(levers=LEVERS.trials[0].levers)
    unsafe = project.patch(unsafe=True)
    slower = project.patch(state=RemedyState.SLOWER)
    for fixes in ([LEVERS], [fix("a", both)], [fix("a", unsafe)], [fix("a", slower)]):
        assert refused(project.apply(project.report(*fixes))) == (Ground.NOTHING_TO_APPLY, "")
    assert project.read() == BEFORE.encode()


def test_a_cure_that_needs_a_lever_is_not_applied_as_one(project):
    best = project.patch()
    cure = Cure(trials=(best, LEVERS.trials[0]), diff=best.diff, made_from={}, proven=True)
    applied = project.apply(project.report(fix("rollout", best), LEVERS, cure=cure))
    assert applied.state is AppliedState.KEPT, "the patch of its own case holds"


def test_the_smallest_cure_is_applied_where_there_is_one(project):
    worse = project.patch(after=BEFORE.replace("0.5", "0.25"))
    best = project.patch()
    cure = Cure(trials=(best,), diff=best.diff, made_from=best.made_from, proven=True)
    report = project.report(fix("rollout", worse), cure=cure)
    assert project.apply(report).state is AppliedState.KEPT
    assert project.read() == AFTER.encode()
