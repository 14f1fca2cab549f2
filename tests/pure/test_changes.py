"""What changed is told in the user's words: settings, lengths, values."""

from __future__ import annotations

import pytest
from builders import FRAME, compiled, failure

from esper_audit.data.compiles import Outcome
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.diagnosis import root_causes
from esper_audit.report.blocks import details, head
from esper_audit.report.words.changes import change, sources
from esper_audit.torch_text.global_state import changed_state


def finding(kind: str, expected: str = "", values: tuple[str, ...] = (), **fields) -> Finding:
    source = "<global state>" if kind == "GLOBAL_STATE" else "extra"
    return Finding(
        id=Diagnosis.UNRECOGNIZED,
        frame=FRAME,
        source=source,
        sources=(source,),
        kind=kind,
        expected=expected,
        values=values,
        fields=fields,
    )


def test_a_switched_setting_is_named_with_both_sides():
    found = finding("GLOBAL_STATE", grad_mode=("True", "False"))
    assert f"{sources(found)}: {change(found)}" == "grad mode: on -> off"


def test_several_settings_are_all_named():
    found = finding("GLOBAL_STATE", num_threads=("2", "1"), default_dtype=("float32", "float64"))
    assert sources(found) == "num threads, default dtype"
    assert change(found) == "2 -> 1, float32 -> float64"


def test_all_values_of_one_setting_are_told():
    values = ("torch_function_modes=A", "torch_function_modes=A + B")
    found = finding("TORCH_FUNCTION_MODE_STACK", values=values, torch_function_modes=("none", "A"))
    assert f"{sources(found)}: {change(found)}" == "torch function modes: none -> A, A + B"


def test_a_setting_without_values_is_said_to_have_changed():
    assert change(finding("GLOBAL_STATE", grad_mode=("", ""))) == "changed"


@pytest.mark.parametrize(
    ("kind", "expected", "values", "said"),
    [
        ("LENGTH_CHECK", "0", ("1",), "empty -> 1 item"),
        ("LENGTH_CHECK", "2", ("0", "3"), "2 items -> empty, 3 items"),
        ("DICT_LENGTH", "2", ("3",), "2 keys -> 3 keys"),
        ("LENGTH_CHECK", "> 2", ("2",), "> 2 -> 2 items"),
        ("TUPLE_ITERATOR_LEN", "1", ("2",), "1 item -> 2 items"),
        ("DICT_KEYS_MATCH", "['a']", ("['b']", "['c']"), "keys ['a'] -> ['b'], ['c']"),
        ("EQUALS_MATCH", "2", ("3",), "2 -> 3"),
    ],
)
def test_lengths_are_counted_in_items_and_keys(kind, expected, values, said):
    assert change(finding(kind, expected, values)) == said


STATE = (
    '{"grad_mode": true, "num_threads": 2, "default_dtype": 6,'
    ' "autocast_state": {"cached_enabled": true, "dtype": [15], "enabled": [false, false]}}'
)


@pytest.mark.parametrize(
    ("name", "now", "pair"),
    [
        ("grad_mode", STATE.replace(': true, "num', ': false, "num'), ("True", "False")),
        ("num_threads", STATE.replace("2", "1"), ("2", "1")),
        ("default_dtype", STATE.replace("6", "7"), ("float32", "float64")),
        (
            "autocast(cpu)_enabled",
            STATE.replace("[false, false]", "[true, false]"),
            ("False", "True"),
        ),
        ("autocast(cpu)_dtype", STATE.replace("[15]", "[5]"), ("bfloat16", "float16")),
        (
            "autocast(cuda)_enabled",  # not the first device that differs, but its own
            STATE.replace("[false, false]", "[true, true]"),
            ("False", "True"),
        ),
        (
            "autocast_cache_enabled",
            STATE.replace('"cached_enabled": true', '"cached_enabled": false'),
            ("True", "False"),
        ),
        ("a_new_setting", STATE, ("", "")),
        ("grad_mode", "not JSON", ("", "")),
    ],
)
def test_a_changed_setting_is_read_from_torchs_state(name, now, pair):
    assert changed_state([name], STATE, now) == {name: pair}


def test_settings_that_changed_one_after_the_other_are_told_apart():
    both = [
        failure("0/0", "<global state>", kind="GLOBAL_STATE", actual=f"changed: {name}")
        for name in ("num_threads", "default_dtype")
    ]
    made = [
        compiled(step, Outcome.RECOMPILED, guard_failures=(one,)) for step, one in enumerate(both)
    ]
    assert [sources(found) for found in root_causes(made)] == ["num threads", "default dtype"]


def test_no_value_is_told_to_have_become_itself():
    found = finding("DICT_LENGTH", "1", ("2", "1"))
    assert change(found) == "1 key -> 2 keys"


def test_a_recompile_without_values_has_no_arrow():
    found = root_causes([compiled(0, Outcome.RECOMPILED)])[0]
    assert head(found) == "unrecognized: <unknown> in Host.forward"
    assert "torch gives no reason" in details(found)
