"""Marks cost nothing where nothing records, and reach every recorder that does."""

from __future__ import annotations

import pytest

import esper_audit
from esper_audit.recording import marks


class Listener:
    def __init__(self):
        self.heard = []

    def mark_step(self, label):
        self.heard.append(label)

    def mark_steady(self):
        self.heard.append("steady")


def test_marks_do_nothing_where_nothing_records():
    assert marks._listeners == []
    esper_audit.step("anything")
    esper_audit.steady_state()


def test_marks_reach_every_listener_until_it_is_forgotten():
    one, other = Listener(), Listener()
    marks.listen(one)
    marks.listen(other)
    esper_audit.step("first")
    marks.forget(one)
    esper_audit.steady_state()
    marks.forget(other)
    assert (one.heard, other.heard) == (["first"], ["first", "steady"])


def test_forgetting_twice_is_no_error():
    one = Listener()
    marks.listen(one)
    marks.forget(one)
    marks.forget(one)
    esper_audit.step("unheard")
    assert one.heard == []


def test_a_mark_never_costs_an_import_of_torch():
    import subprocess
    import sys

    code = "import esper_audit, sys; esper_audit.step('x'); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


@pytest.mark.parametrize("name", ["record", "assert_max_recompiles", "step", "steady_state"])
def test_the_names_are_public(name):
    assert name in esper_audit.__all__
    assert callable(getattr(esper_audit, name))
