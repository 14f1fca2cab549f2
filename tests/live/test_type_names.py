"""Types of which torch 2.8 names the id alone are found among those that live."""

from __future__ import annotations

import pytest

from esper_audit._dynamo.guarded_values import named_type


class Own:
    pass


@pytest.mark.parametrize(("kind", "name"), [(list, "list"), (Own, f"{__name__}.Own")])
def test_a_type_is_named_by_its_id(kind, name):
    assert named_type(f"___check_type_id(L['parts'], {id(kind)})") == name


def test_a_type_that_is_gone_has_no_name():
    assert named_type("___check_type_id(L['parts'], 7)") == ""
