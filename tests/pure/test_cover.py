from __future__ import annotations

from dataclasses import replace

from remedy_builders import cause, edit, lever

from esper_audit.data.remedies import LeverKind, Reach
from esper_audit.remedies.candidates import changed_by
from esper_audit.remedies.cover import cure_of, options_of, smallest, without_hope
from esper_audit.remedies.search import Tried

PATCH, OTHER_PATCH = edit(3, name="first"), edit(20, name="second")
CLASH = edit(3, name="third")
SETTING = lever("allow_empty_graphs", Reach.PROCESS, LeverKind.CONFIG)
MARK = lever("mark_dynamic", Reach.SOURCE, LeverKind.MARK, "('x', 0)")


def tried(remedy, *parts):
    return Tried(remedy, frozenset(changed_by(part) for part in parts or (remedy,)))


def chosen(proven, causes=None):
    """The names of the smallest set, and the set."""
    options = options_of(proven, causes or dict.fromkeys(proven, ()))
    found = smallest(options, list(proven))
    return [option.tried.remedy.id for option in found], found


def test_one_remedy_that_frees_all_is_taken_over_two():
    names, _ = chosen({0: [tried(PATCH), tried(SETTING)], 1: [tried(OTHER_PATCH), tried(SETTING)]})
    assert names == ["allow_empty_graphs"]


def test_two_are_taken_where_none_frees_all():
    names, _ = chosen({0: [tried(PATCH)], 1: [tried(OTHER_PATCH)]})
    assert names == ["first", "second"]


def test_a_part_that_is_needed_anyway_costs_nothing_more():
    both = replace(PATCH, id="both", levers=SETTING.levers)
    names, _ = chosen(
        {
            0: [tried(both, SETTING, PATCH)],
            1: [tried(PATCH), tried(OTHER_PATCH)],
        }
    )
    assert names == ["both", "first"]


def test_of_equal_sets_the_edit_is_taken():
    assert chosen({0: [tried(SETTING), tried(PATCH)]})[0] == ["first"]


def test_an_unsafe_remedy_is_taken_only_where_nothing_else_frees():
    unsafe = replace(lever("drop"), unsafe=True)
    both = {0: [tried(unsafe), tried(PATCH)], 1: [tried(unsafe), tried(OTHER_PATCH)]}
    assert chosen(both)[0] == ["first", "second"]
    assert chosen({0: [tried(unsafe)]})[0] == ["drop"]


def test_patches_that_change_one_line_are_not_taken_together():
    names, _ = chosen({0: [tried(PATCH)], 1: [tried(CLASH), tried(SETTING)]})
    assert names == ["first", "allow_empty_graphs"]


def test_where_two_patches_clash_the_one_that_frees_more_stays():
    names, _ = chosen({0: [tried(PATCH)], 1: [tried(CLASH)], 2: [tried(CLASH)]})
    assert names == ["third"]


def test_a_case_that_nothing_frees_is_left_out():
    assert chosen({0: [], 1: [tried(PATCH)]})[0] == ["first"]
    assert chosen({0: []})[0] == []


def test_a_remedy_is_hoped_to_free_what_has_no_other_causes():
    causes = {0: (cause(),), 1: (cause(),)}
    proven = {0: [tried(PATCH)], 1: [tried(SETTING)]}
    assert chosen(proven, causes)[0] == ["first"]
    options = without_hope(options_of(proven, causes), [1])
    found = smallest(options, [0, 1])
    assert [option.tried.remedy.id for option in found] == ["allow_empty_graphs"]
    options = without_hope(options, [0])
    assert len(smallest(options, [0, 1])) == 2


def test_edits_and_settings_hold_for_every_case_and_marks_for_their_own():
    _, found = chosen({0: [tried(PATCH)], 1: [tried(MARK)], 2: [tried(SETTING)]})
    assert len(cure_of(found, 1).levers) == 2
    other = cure_of(found, None)
    assert (other.levers, len(other.edits)) == (SETTING.levers, 1)


def test_more_options_than_can_be_looked_at_are_still_chosen_from():
    lines = range(3, 23)
    proven = {n: [tried(edit(n, name=f"p{n}"))] for n in lines}
    assert len(chosen(proven)[0]) == len(proven)
