"""The registry of patches: what it makes of a finding, and what it says where it makes nothing."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import import_module

import pytest

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Frame
from esper_audit.data.remedies import Cause, Edit, Ground, NotMade, Remedy
from esper_audit.remedies import patches
from esper_audit.remedies.patches import Patch, patches_for
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import Project

FRAME = Frame("Blend.forward", "a.py", 1, "a.py:Blend.forward", "forward")
FINDING = Finding(id=Diagnosis.LAZY_CACHE, frame=FRAME, source="self.cache")
CAUSE = Cause(id=FINDING.id, frame=FRAME, source=FINDING.source)
NONE = Project("/nowhere", files=())
EDIT = Edit(file="/a.py", before="a\n", after="b\n")
SAME = Edit(file="/b.py", before="a\n", after="a\n")


def answers(monkeypatch: pytest.MonkeyPatch, make: object) -> tuple[Remedy | NotMade, ...]:
    """What the registry makes where this is its only patch."""
    monkeypatch.setattr(Patch, "make", lambda _patch, finding, project: make(finding, project))  # type: ignore[operator]
    patch = Patch(id="a-patch", module="none", diagnoses=frozenset({Diagnosis.LAZY_CACHE}))
    monkeypatch.setattr(patches, "PATCHES", (patch,))
    return patches_for(CAUSE, FINDING, NONE)


def test_each_set_of_edits_becomes_a_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    made = answers(monkeypatch, lambda *_: [(EDIT, SAME), (EDIT,)])
    assert [one.id for one in made] == ["a-patch", "a-patch"]
    assert all(isinstance(one, Remedy) and one.edits == (EDIT,) for one in made)


def test_a_refused_patch_says_what_stands_in_the_way(monkeypatch: pytest.MonkeyPatch) -> None:
    def make(*_: object) -> Iterable[tuple[Edit, ...]]:
        raise Refused("a branch on it")
        yield ()

    (made,) = answers(monkeypatch, make)
    assert isinstance(made, NotMade)
    assert (made.because.ground, made.because.text) == (Ground.NO_PATTERN, "a branch on it")


def test_a_patch_that_fails_costs_itself_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> Iterable[tuple[Edit, ...]]:
        raise RecursionError("deep")

    (missing,) = answers(monkeypatch, fail)
    assert isinstance(missing, NotMade)
    assert (missing.because.ground, missing.because.text) == (Ground.RAISED, "RecursionError: deep")


def test_an_edit_that_changes_nothing_is_no_remedy(monkeypatch: pytest.MonkeyPatch) -> None:
    (made,) = answers(monkeypatch, lambda *_: [(SAME,)])
    assert isinstance(made, NotMade)


def test_patches_of_other_diagnoses_are_not_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    patch = Patch(id="other", module="none", diagnoses=frozenset({Diagnosis.INT_COUNTER}))
    monkeypatch.setattr(patches, "PATCHES", (patch,))
    assert patches_for(CAUSE, FINDING, NONE) == ()


def test_each_patch_has_a_module_that_makes_it() -> None:
    for patch in patches.PATCHES:
        assert callable(import_module(f"{patches.__name__}.{patch.module}").make)
