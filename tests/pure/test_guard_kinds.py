"""One table says of each kind of guard how it is read and what it means; the documents have it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from esper_audit.torch_text.guard_kinds import KINDS, Reading, kind_by

PAGE = (Path(__file__).parents[2] / "docs/reference/guards.md").read_text()
ROWS = {
    row[0]: row[1:]
    for row in re.findall(r"^\| `(\w+)` \| (.*?) ?\| (.+) \| (.+) \|$", PAGE, re.MULTILINE)
}


def test_the_documents_have_the_table_of_the_code():
    assert {
        kind: (
            ", ".join(f"`{method}`" for method in row.made_by),
            row.reading.value,
            f"[`{row.diagnosis}`](diagnoses/{row.diagnosis}.md)"
            if row.diagnosis
            else "by source and values",
        )
        for kind, row in KINDS.items()
    } == ROWS


@pytest.mark.parametrize("reading", Reading)
def test_each_way_of_reading_is_explained(reading):
    assert re.search(rf"^\| {reading.value} \| .+ \| .*\|$", PAGE, re.MULTILINE)


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("___normalize_count_iter(L['s']) == (1, 1)  # a.py:3 in f", "COUNT_ITERATOR_MATCH"),
        (
            "torch._functorch.pyfunctorch.compare_functorch_state([('Vmap', 1, 'error')])",
            "FUNCTORCH_STACK_MATCH",
        ),
        (
            "torch._functorch.aot_autograd.utils.top_saved_tensors_hooks ids == None",
            "AUTOGRAD_SAVED_TENSORS_HOOKS",
        ),
        ("___check_metadata_139_c0/0", "TENSOR_SUBCLASS_METADATA_MATCH"),
        ("__dtensor_spec_139", "DTENSOR_SPEC_MATCH"),
        ("___check_opaque_guard_fn_139_c0/0", "OPAQUE_OBJ_GUARD_FN_MATCH"),
        ("float(L['c'].v) == 2.0", "CONSTANT_SUBCLASS_MATCH"),
        ("something new", "LAMBDA_GUARD"),
    ],
)
@pytest.mark.parametrize("leaf", ["LAMBDA_GUARD", "LAMBDA_GUARD_NO_ARGS"])
def test_a_guard_that_is_a_python_function_is_known_by_its_text(leaf, text, kind):
    assert kind_by(leaf, text) == (leaf if kind == "LAMBDA_GUARD" else kind)


def test_any_other_leaf_is_of_its_own_kind_whatever_its_text():
    assert kind_by("EQUALS_MATCH", "int(L['n']) == 3") == "EQUALS_MATCH"
