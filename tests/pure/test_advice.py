"""Advice is worded as advice, and none is given that is known to do harm or nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import compiled, failure

from esper_audit.data.compiles import Outcome, ValueKind
from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.findings import Advice
from esper_audit.data.places import Location
from esper_audit.diagnosis import root_causes
from esper_audit.diagnosis.advice import advice_against, is_tried
from esper_audit.remedies.levers import CATALOGUE
from esper_audit.remedies.patches import PATCHES
from esper_audit.report.blocks import TRIED_BY, block, blocks
from esper_audit.report.manual import find, index
from esper_audit.report.words.advice import advised

TORCH = "/venv/lib/python3.11/site-packages/torch"
DROPOUT = f"{TORCH}/nn/modules/dropout.py"
FLOAT, SIZE = Diagnosis.FLOAT_SPECIALIZED, Diagnosis.SIZE_CHANGED


def number(file, source="L['self'].drop.p"):
    return failure(user_line=Location(file, 73, "forward"), torch_source=source)


def sized(source="L['x']", kind="TENSOR_MATCH"):
    fields = {"size": ("[4]", "[8]")}
    return replace(failure(torch_source=source, source="x"), kind=kind, fields=fields)


@pytest.mark.parametrize(
    ("diagnosis", "failed", "dynamic", "advice"),
    [
        (FLOAT, number(DROPOUT), False, Advice.NO_TENSOR),
        (FLOAT, number("nn/modules/dropout.py"), False, Advice.NO_TENSOR),
        (FLOAT, number(f"{TORCH}/nn/modules/batchnorm.py"), False, Advice.NO_TENSOR),
        (Diagnosis.INT_COUNTER, number(f"{TORCH}/nn/modules/fold.py"), False, Advice.NO_TENSOR),
        (
            FLOAT,
            number(f"{TORCH}/optim/sgd.py", "G['o'].param_groups[0]['momentum']"),
            False,
            Advice.NO_TENSOR,
        ),
        (
            FLOAT,
            number(f"{TORCH}/optim/adam.py", "G['o'].param_groups[0]['lr']"),
            False,
            Advice.LEARNING_RATE,
        ),
        (FLOAT, number("/p/model.py"), False, Advice.USUAL),
        (FLOAT, number("/p/nn/model/dropout.py"), False, Advice.USUAL),
        (FLOAT, failure(), False, Advice.USUAL),
        (SIZE, sized(), False, Advice.USUAL),
        (SIZE, sized(), True, Advice.DYNAMIC_SET),
        (SIZE, sized("L['self']._parameters['weight']"), False, Advice.MODULE_SIZE),
        (SIZE, sized("L['self']._modules['a']._buffers['mask']"), True, Advice.MODULE_SIZE),
        (SIZE, sized("L['x'].size()[0]", "SHAPE_EXPRESSION"), False, Advice.SYMBOLIC_SIZE),
        (Diagnosis.LAZY_CACHE, failure(), True, Advice.USUAL),
    ],
)
def test_advice_fits_the_source(diagnosis, failed, dynamic, advice):
    assert advice_against(diagnosis, failed, dynamic=dynamic) is advice


def found(failed, dynamic=False):
    again = compiled(1, Outcome.RECOMPILED, guard_failures=(failed,), dynamic=dynamic)
    (finding,) = root_causes([compiled(0), again])
    return finding


def test_no_tensor_is_advised_as_the_rate_of_a_dropout():
    text = block(found(number(DROPOUT)))
    assert "try: set it once before the first compiled call, or warm up each value" in text
    assert "buffer" not in text and "fill_" not in text


def test_dynamic_is_not_advised_where_it_is_set_or_has_no_effect():
    usual = MEANINGS[SIZE].remedy
    assert advised(found(sized())) == usual and "compile with dynamic=True" in usual
    for failed, dynamic in ((sized(), True), (sized("L['self']._parameters['w']"), False)):
        assert "compile with dynamic=True" not in block(found(failed, dynamic))


def test_advice_is_worded_as_advice():
    kept = replace(failure(), expected_kind=ValueKind.FLOAT, actual_kind=ValueKind.FLOAT)
    text = block(found(kept))
    assert "try: " in text and "remedy" not in text


def test_the_text_of_an_assertion_names_the_command_once():
    one = found(failure())
    assert blocks([one, one]).splitlines()[-1] == TRIED_BY
    assert blocks([one, one]).count("esper-audit fix") == 1
    untried = replace(one, id=Diagnosis.UNRECOGNIZED)
    assert TRIED_BY not in blocks([untried])


@pytest.mark.parametrize("rule", [rule for rule in index() if rule.id in set(Diagnosis)], ids=str)
def test_a_rule_names_the_command_that_tries_its_advice(rule):
    assert rule.advice.startswith("Try: ")
    tried = is_tried(Diagnosis(rule.id))
    assert ("`esper-audit fix` tries it" in rule.advice) is tried
    assert ("esper-audit fix" in find(rule.id).also) is tried


@pytest.mark.parametrize("diagnosis", Diagnosis)
def test_fix_is_named_where_it_has_something_to_try(diagnosis):
    has_some = bool(CATALOGUE[diagnosis]) or any(diagnosis in one.diagnoses for one in PATCHES)
    assert is_tried(diagnosis) is has_some
