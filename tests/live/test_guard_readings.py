"""Guards that no program on a CPU makes fail at will: read from torch's texts and its state."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch

from esper_audit._dynamo import relations
from esper_audit._dynamo.guarded_state import of_state
from esper_audit._dynamo.guarded_values import Failed, of_guard

NO_MANAGER = SimpleNamespace(closure_vars={})


@pytest.mark.parametrize(
    ("kind", "text", "fields"),
    [
        (
            "DUAL_LEVEL_MATCH",
            "torch.autograd.forward_ad._current_level == 0",
            {"forward_mode_level": ("0", "none")},
        ),
        (
            "DEFAULT_DEVICE",
            "utils_device.CURRENT_DEVICE == device(type='cuda', index=0)",
            {"default_device": ("cuda:0", "none")},
        ),
        (
            "FUNCTORCH_STACK_MATCH",
            "torch._functorch.pyfunctorch.compare_functorch_state([('Vmap', 1, 'error')])",
            {"functorch_transforms": ("Vmap", "none")},
        ),
        (
            "AUTOGRAD_SAVED_TENSORS_HOOKS",
            "torch._functorch.aot_autograd.utils.top_saved_tensors_hooks ids == (1, 2)",
            {"saved_tensors_hooks": ("those it was compiled with", "none")},
        ),
        (
            "TORCH_FUNCTION_MODE_STACK",
            "___check_torch_function_mode_stack()",
            {"torch_function_modes": ("", "none")},
        ),
    ],
)
def test_settings_are_read_from_the_text_and_from_torch(kind, text, fields):
    assert of_state(kind, text, NO_MANAGER).fields == fields


@pytest.mark.parametrize(
    ("kind", "text", "value", "pair"),
    [
        ("NOT_NONE", "L['r']() is not None", None, ("alive", "freed")),
        ("NOT_NONE", "L['t'] is not None", None, ("a tensor", "None")),
        ("WEAKREF_ALIVE", "L['r']() is not None", None, ("alive", "freed")),
        ("COMPLEX_IS_NAN", "(type(L['c']) is complex and …)", 1j, ("nan", "1j")),
        ("DYNAMIC_INDICES", "what", torch.ones(2), ("no marks", "no marks")),
        ("DICT_VERSION", "___dict_version(L['d']) == 3", {}, ("as compiled", "changed")),
        ("DATA_PTR_MATCH", "L['x'].data_ptr() == 3", torch.ones(2), ("as compiled", "changed")),
        ("DTENSOR_SPEC_MATCH", "__dtensor_spec_1", torch.ones(2), ("as compiled", "changed")),
        ("OPAQUE_OBJ_GUARD_FN_MATCH", "_opaque_guard_fn_1_c0", 3, ("as compiled", "changed")),
        (
            "FAKE_SCRIPT_TYPE_MATCH",
            "___check_fake_script_type(L['q'], 1), type=<class 'a.Queue'>",
            3,
            ("a.Queue", "int"),
        ),
        ("ID_MATCH", "___check_obj_id(L['x'], 1), type=<class 'NoneType'>", 3, ("None", "3")),
        (
            "ID_MATCH",
            "___check_obj_id(L['x'], 1), type=<class 'a.Thing'>",
            "b",
            ("the Thing it was compiled with", "'b'"),
        ),
    ],
)
def test_values_are_read_where_the_old_one_is_gone(kind, text, value, pair):
    found = of_guard(Failed(kind, text, value))
    assert ((found.expected, found.actual), found.recognized) == (pair, True)


def test_a_guard_of_a_kind_that_nobody_knows_keeps_its_text():
    found = of_guard(Failed("SOME_NEW_GUARD", "L['x'] is odd", 3))
    assert (found.recognized, found.expected) == (False, "L['x'] is odd")


def test_inputs_that_overlap_otherwise_are_named():
    text = "check_overlapping(overlapping=[L['x']], non_overlapping=[L['y'], L['z']])"
    found = relations.read(text, (), lambda source: source)
    assert found is not None
    assert (found.kind, found.sides) == ("STORAGE_OVERLAPPING", ("L['x']", "L['y']", "L['z']"))


def test_of_several_expressions_in_one_guard_those_that_hold_are_left_out():
    held = {"x > 1": True, "L['x'] >= 16": False, "L['x']": 3}
    assert relations.read("x > 1", (), held.get) is None
    found = relations.read("L['x'] >= 16", (), held.get)
    assert found is not None
    assert (found.values.expected, found.values.actual) == (">= 16", "3")
