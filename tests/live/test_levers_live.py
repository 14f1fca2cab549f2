"""Levers of torch in a replay: what each does to its compiles, and that nothing of it stays."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from support import replay_here

from esper_audit import _dynamo
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import Claim
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import Lever, LeverKind
from esper_audit.data.steps import Phase
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.remedies.candidates import candidates_of
from esper_audit.remedies.levers import levers_for

SOURCES = "torch.compiler.config.dynamic_sources"
NOTHING = Claim(id="nothing", text="Nothing compiles.")
PASSED, FAILED = AuditVerdict.PASSED, AuditVerdict.FAILED


PHASES = {"warm-up": "w", "steady": "s"}


def run(function, *levers):
    """Guards are Dynamo's: the backend that costs least will do."""
    return replay_here(function, levers=levers, backend="eager")


def phases(audit) -> str:
    """``wws``: the phases of the steps."""
    return "".join(PHASES[step.phase] for step in audit.steps)


def mark(name: str, source: str, dimension: int, function: str = "") -> Lever:
    return Lever(kind=LeverKind.MARK, name=name, value=repr((source, dimension, function)))


def drop(source: str) -> Lever:
    return Lever(kind=LeverKind.DROP_GUARD, value=repr(source))


def config(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.CONFIG, name=name, value=repr(value))


def keyword(name: str, value: object) -> Lever:
    return Lever(kind=LeverKind.COMPILE, name=name, value=repr(value))


class Counting(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.count = 2

    def forward(self, x):
        return x * self.count


def counts(replay, **keywords):
    module, x = Counting(), torch.ones(3)
    step = replay.compile(module, **keywords)
    with replay.warm_up():
        step(x)
    for count in (3, 4):
        module.count = count
        step(x)


def grows(replay, **keywords):
    step = replay.compile(lambda x: x * 2, **keywords)
    with replay.warm_up():
        step(torch.ones(3))
    step(torch.ones(4))


class Batch(torch.nn.Module):
    def forward(self, batch, *, mask=2):
        return batch["ids"][0] * mask


def grows_inside(replay):
    step = replay.compile(Batch())
    with replay.warm_up():
        step({"ids": [torch.ones(3)]}, mask=3)
    step({"ids": [torch.ones(4)]}, mask=3)


def shrinks_to_one(replay):
    step = replay.compile(lambda x: x * 2)
    with replay.warm_up():
        step(torch.ones(3))
    step(torch.ones(1))


class Lazy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.cache = None

    def forward(self, x):
        if self.cache is None:
            self.cache = torch.full((), 2.0)
        return x * self.cache


def fills(replay):
    module, x = Lazy(), torch.ones(3)
    step = replay.compile(module)
    with replay.warm_up():
        step(x)
    step(x)


def switches(replay):
    module, x = torch.nn.Sequential(torch.nn.Linear(3, 3)), torch.rand(2, 3)
    step = replay.compile(module)
    replay.observe(NOTHING, True, "said once")
    with replay.warm_up():
        step(x)
    with replay.event("no gradients"), torch.no_grad():
        step(x)
    torch.set_default_dtype(torch.float64)
    step(x)
    torch.set_default_dtype(torch.float32)


def grows_statically(replay):
    grows(replay, dynamic=False)


def test_a_listed_source_stops_the_recompiles_of_a_counter():
    assert run(counts).verdict is FAILED
    assert run(counts, config(SOURCES, "L['self'].count")).verdict is PASSED
    assert torch.compiler.config.dynamic_sources == ""


def test_two_levers_on_one_list_add_up_and_go():
    levers = (config(SOURCES, "L['x']"), config(SOURCES, "L['y']"))
    with _dynamo.pulled(levers) as pulled:
        assert torch.compiler.config.dynamic_sources == "L['x'],L['y']"
    assert torch.compiler.config.dynamic_sources == "" and not pulled.overridden


def test_a_keyword_reaches_every_compile_but_where_it_is_given():
    levers = (keyword("dynamic", True),)
    assert run(grows).verdict is FAILED
    assert run(grows, *levers).verdict is PASSED
    kept = run(grows_statically, *levers)
    assert kept.verdict is FAILED
    assert kept.recording.notes == (Reason(why=Why.LEVER_OVERRIDDEN, text="dynamic"),)


@pytest.mark.parametrize("name", ["mark_dynamic", "mark_unbacked"])
def test_a_mark_is_set_on_the_argument_that_its_source_names(name):
    assert run(grows_inside).verdict is FAILED
    lever = mark(name, "L['batch']['ids'][0]", 0, "Batch.forward")
    assert run(grows_inside, lever).verdict is PASSED


@pytest.mark.parametrize(
    ("source", "dimension", "function"),
    [
        ("L['batch']['ids'][0]", 0, "Other.forward"),
        ("L['batch']['ids'][0]", 1, ""),
        ("L['batch']['no']", 0, ""),
        ("L['self'].nothing", 0, ""),
        ("G['batch']", 0, ""),
        ("no source", 0, ""),
    ],
)
def test_a_mark_for_something_else_marks_nothing(source, dimension, function):
    x = torch.ones(3)
    lever = mark("mark_dynamic", source, dimension, function)
    _dynamo.mark((lever,), Batch(), ({"ids": [x]},), {})
    assert not [name for name in vars(x) if name.startswith("_dynamo")]


def test_an_argument_of_a_wrapped_module_is_marked_by_its_place():
    x, module = torch.ones(2, 3), torch.nn.Linear(3, 3)
    _dynamo.mark((mark("mark_dynamic", "L['args'][0]", 0, "Linear"),), module, (x,), {})
    assert vars(x)["_dynamo_dynamic_indices"] == {0}


def test_an_unbacked_size_is_the_same_code_for_one():
    marked, unbacked = (mark(f"mark_{how}", "L['x']", 0) for how in ("dynamic", "unbacked"))
    assert run(shrinks_to_one, marked).verdict is FAILED
    assert run(shrinks_to_one, unbacked).verdict is PASSED


def test_a_rehearsal_visits_everything_in_warm_up():
    assert run(switches).verdict is FAILED
    audit = run(switches, Lever(kind=LeverKind.WARM_UP))
    assert (audit.verdict, phases(audit)) == (PASSED, "wwwwss")
    assert [step.index for step in audit.steps] == [*range(6)]
    assert [step.label for step in audit.steps][-2:] == ["no gradients", ""]
    assert {step.step.callable_index for step in audit.steps} == {0}
    assert len(audit.recording.observations) == 1


def test_an_eager_call_first_fills_the_cache_and_is_no_step():
    assert run(fills).verdict is FAILED
    audit = run(fills, Lever(kind=LeverKind.EAGER_FIRST, value="1"))
    assert (audit.verdict, phases(audit)) == (PASSED, "ws")
    assert not audit.findings and not audit.recording.stances


def test_a_dropped_guard_hides_the_recompiles_and_not_the_wrong_output():
    audit = run(counts, drop("L['self'].count"), keyword("dynamic", False))
    assert (audit.verdict, [f.id for f in audit.findings]) == (FAILED, [Diagnosis.STALE_OUTPUT])
    assert not [made for made in audit.recording.compiles if made.phase is Phase.STEADY]


def test_two_dropped_guards_leave_no_option_behind():
    levers = (drop("L['self'].count"), drop("L['x']"))
    with _dynamo.pulled(levers) as pulled:
        first, second = pulled.keywords({}), pulled.keywords({"options": {"own": 1}})
        assert [*first["options"]] == ["guard_filter_fn"]
        assert [*second["options"]] == ["own", "guard_filter_fn"]
        keep = first["options"].pop("guard_filter_fn")
        assert "guard_filter_fn" in pulled.keywords({})["options"]
    entries = [SimpleNamespace(name=name) for name in ("self.count", "x", "self.counts", "y")]
    assert keep(entries) == [False, False, True, True]


def test_a_mode_is_kept_and_said():
    with _dynamo.pulled((drop("L['x']"),)) as pulled:
        assert pulled.keywords({"mode": "max-autotune"}) == {"mode": "max-autotune"}
    assert pulled.overridden == ("mode",)


@pytest.mark.parametrize(
    ("scenario", "best"),
    [
        (counts, "dynamic-sources"),
        (grows_inside, "mark-dynamic"),
        (shrinks_to_one, "mark-unbacked"),
        (fills, "eager-first"),
        (switches, "warm-up"),
    ],
)
def test_the_first_lever_of_the_catalogue_frees_its_cause(scenario, best):
    audit = run(scenario)
    first = next(iter(candidates_of(audit, [lambda cause, _: levers_for(cause, audit)]).remedies))
    assert first.id == best
    assert run(scenario, *first.levers).verdict is PASSED


def test_a_setting_that_the_program_sets_is_known_at_once_and_put_back():
    with _dynamo.pulled((config(SOURCES, "L['x']"),)) as pulled:
        assert not pulled.overridden
        torch.compiler.config.dynamic_sources = "L['mine']"
        assert pulled.overridden == (SOURCES,)
    assert pulled.overridden == (SOURCES,) and torch.compiler.config.dynamic_sources == ""


def test_torch_compile_is_put_back():
    original = torch.compile
    with pytest.raises(KeyError), _dynamo.pulled((keyword("dynamic", True),)):
        assert torch.compile is not original
        raise KeyError
    assert torch.compile is original


def test_a_setting_that_torch_lacks_is_said_and_none_is_set():
    levers = (config(SOURCES, "L['x']"), config("torch._dynamo.config.no_such_setting", True))
    assert _dynamo.missing(levers) == ("torch._dynamo.config.no_such_setting",)
    with pytest.raises(_dynamo.NoSuchLeverError, match="no_such_setting"), _dynamo.pulled(levers):
        pass
    assert torch.compiler.config.dynamic_sources == ""
