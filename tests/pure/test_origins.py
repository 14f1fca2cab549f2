"""What holds a guarded value: in words, and as what tells two values of one name apart."""

from __future__ import annotations

import pytest
from builders import compiled, failure

from esper_audit.data.compiles import Held, Origin, Outcome
from esper_audit.data.places import Location
from esper_audit.diagnosis import root_causes
from esper_audit.report.words.changes import sources
from esper_audit.report.words.origins import with_origin

LINE = Location("/p/host.py", 12)


@pytest.mark.parametrize(
    ("held", "owner", "said"),
    [
        (Held.CLOSURE, "self.act", "k (captured by self.act)"),
        (Held.DEFAULT, "helper", "k (default of helper)"),
        (Held.PARTIAL, "self.act", "k (bound by the partial self.act)"),
        (Held.RESULT, "___stack0", "k (result at host.py:12)"),
        (
            Held.STACK,
            "___stack0",
            "<value kept over the graph break at host.py:12> (what made it is unknown)",
        ),
    ],
)
def test_what_holds_a_value_is_said_of_its_source(held, owner, said):
    assert with_origin("k", Origin(held, owner, LINE)) == said


def test_every_holder_has_words():
    for held in Held:
        assert with_origin("k", Origin(held)) != "k"


def test_a_source_that_is_a_path_needs_no_more_words():
    assert with_origin("self.alpha", None) == "self.alpha"


def test_defaults_of_one_name_are_two_causes():
    one, other = (Origin(Held.DEFAULT, owner) for owner in ("helper", "other"))
    compiles = [
        compiled(place, Outcome.RECOMPILED, guard_failures=(failure(source="k", origin=origin),))
        for place, origin in enumerate((one, other, one))
    ]
    found = root_causes(compiles)
    assert [(finding.compiles, sources(finding)) for finding in found] == [
        (2, "k (default of helper)"),
        (1, "k (default of other)"),
    ]
