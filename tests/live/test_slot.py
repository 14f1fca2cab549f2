"""The reference SeedSlot behaves as the module of the ticket does. Nothing is compiled here."""

from __future__ import annotations

import copy
import itertools

import pytest
import torch

from slot import (
    BLENDS,
    BLUEPRINTS,
    CURVES,
    STRATEGIES,
    TRANSITIONS,
    AlphaController,
    ConvHost,
    IllegalTransition,
    SeedSlot,
    Stage,
    TransformerHost,
    grown,
    plain,
)

CONV = torch.randn(4, 8, 6, 6)
TOKENS = torch.randn(4, 5, 8)


@pytest.fixture(autouse=True)
def seeded():
    torch.manual_seed(0)


def test_a_dormant_slot_returns_its_input():
    assert SeedSlot(8)(CONV) is CONV


def test_a_germinated_slot_still_passes_through():
    slot = SeedSlot(8)
    slot.germinate("conv")
    assert slot(CONV) is CONV


def test_training_at_alpha_zero_is_straight_through():
    slot = SeedSlot(8)
    grown(slot, "depthwise", 0.0, Stage.TRAINING)
    output = slot(CONV)
    assert torch.allclose(output, CONV, atol=1e-6)
    output.square().sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in slot.seed.parameters())


@pytest.mark.parametrize("alpha", STRATEGIES)
@pytest.mark.parametrize("blend", BLENDS)
def test_every_strategy_blends_alike_eagerly(alpha, blend):
    slot = grown(SeedSlot(8, alpha, blend), "depthwise", 0.3)
    seed = slot.seed(CONV)  # type: ignore[misc]
    if blend == "add":
        wanted = CONV + 0.3 * (seed - CONV)
    elif blend == "multiply":
        wanted = CONV * (1 + 0.3 * seed.tanh())
    else:
        gate = slot.blend.gate(CONV.mean((2, 3))).sigmoid()[:, :, None, None]  # type: ignore[operator]
        wanted = CONV + 0.3 * gate * (seed - CONV)
    assert torch.allclose(slot(CONV), wanted, atol=1e-5)


@pytest.mark.parametrize("alpha", [name for name in STRATEGIES if name != "never_invalidated"])
def test_every_right_strategy_follows_a_change_of_alpha(alpha):
    slot = grown(SeedSlot(8, alpha), "depthwise", 0.3)
    slot(CONV)
    slot.set_alpha(0.8)
    assert torch.allclose(slot(CONV), plain(copy.deepcopy(slot), CONV), atol=1e-5)


def test_the_negative_control_keeps_the_old_alpha():
    slot = grown(SeedSlot(8, "never_invalidated"), "depthwise", 0.3)
    before = slot(CONV)
    slot.set_alpha(0.8)
    assert torch.equal(slot(CONV), before)
    assert slot.alpha == 0.8


@pytest.mark.parametrize(
    "change",
    [
        lambda slot: slot.set_alpha(0.4),
        lambda slot: slot.to(torch.float64),
        lambda slot: slot.advance_stage(),
        lambda slot: slot.prune(),
        lambda slot: slot.force_alpha(0.1).__enter__(),
    ],
    ids=["set_alpha", "to", "advance_stage", "prune", "force_alpha"],
)
def test_the_tickets_cache_is_invalidated_by(change):
    slot = grown(SeedSlot(8, "lazy_cache"), "depthwise", 0.3)
    slot(CONV)
    assert slot.alpha_source._cached is not None
    change(slot)
    assert slot.alpha_source._cached is None


def test_a_seed_planted_after_a_move_is_of_the_slots_dtype():
    slot = grown(SeedSlot(8).double(), "depthwise", 0.5)
    assert slot(CONV.double()).dtype is torch.float64


def test_a_move_of_the_host_invalidates_too():
    host = ConvHost(alpha="lazy_cache")
    grown(host.slot, "depthwise", 0.3)
    host(torch.randn(1, 3, 8, 8))
    host.double()
    assert host.slot.alpha_source._cached is None


def test_guarded_refuses_a_change_inside_a_compiled_region():
    slot = grown(SeedSlot(8, "guarded"), "depthwise", 0.3)

    def step(x):
        y = slot(x)
        slot.set_alpha(0.9)
        return y

    torch.compiler.reset()
    with pytest.raises(AssertionError, match="_fill_outside_compiled_regions"):
        torch.compile(step, backend="eager")(CONV)
    torch.compiler.reset()
    assert slot.alpha == 0.3
    slot.set_alpha(0.9)
    assert slot.alpha_source.alpha.item() == pytest.approx(0.9)  # type: ignore[operator]


def test_isolation_sends_no_seed_gradient_to_the_host():
    features = CONV.clone().requires_grad_()
    slot = grown(SeedSlot(8, isolate=True), "depthwise", 1.0)
    slot(features).sum().backward()
    assert features.grad.abs().sum() == 0


def test_alpha_override_is_one_value_a_sample():
    slot = grown(SeedSlot(8), "depthwise", 0.3)
    output = slot(CONV, torch.tensor([0.0, 1.0, 0.0, 1.0]))
    assert torch.allclose(output[0], CONV[0])
    assert torch.allclose(output[1], slot.seed(CONV)[1], atol=1e-6)  # type: ignore[misc]
    assert torch.allclose(slot(CONV, torch.tensor([0.0])), CONV)


@pytest.mark.parametrize(("current", "wanted"), list(itertools.product(Stage, Stage)))
def test_only_lawful_transitions_are_possible(current, wanted):
    slot = SeedSlot(8)
    slot.stage = current
    if wanted in TRANSITIONS[current]:
        slot._enter(wanted)
        assert slot.stage is wanted
    else:
        with pytest.raises(IllegalTransition, match=f"{current} can't become {wanted}"):
            slot._enter(wanted)


def test_a_whole_life():
    slot = SeedSlot(8)
    slot.germinate("conv")
    stages = [slot.advance_stage() for _ in range(4)]
    assert stages == [Stage.TRAINING, Stage.BLENDING, Stage.HOLDING, Stage.FOSSILIZED]
    with pytest.raises(IllegalTransition, match="nothing follows fossilized"):
        slot.advance_stage()


def test_a_dormant_slot_asks_for_a_blueprint():
    with pytest.raises(IllegalTransition, match="needs germinate"):
        SeedSlot(8).advance_stage()
    with pytest.raises(ValueError, match="no blueprint 'rose'"):
        SeedSlot(8).germinate("rose")


def test_a_pruned_slot_comes_back_after_its_embargo():
    slot = grown(SeedSlot(8, embargo_epochs=2), "conv", 0.5)
    slot.prune()
    assert (slot.stage, slot.seed, slot.alpha) == (Stage.EMBARGOED, None, 0.0)
    seen = []
    for _ in range(3):
        slot.step_epoch()
        seen.append(slot.stage)
    assert seen == [Stage.EMBARGOED, Stage.RESETTING, Stage.DORMANT]
    slot.germinate("depthwise")


def test_a_scheduled_prune_fades_out_first():
    slot = grown(SeedSlot(8), "conv", 0.8)
    slot.schedule_prune(2)
    slot.step_epoch()
    assert slot.alpha == pytest.approx(0.4)
    slot.step_epoch()
    assert slot.stage is Stage.EMBARGOED


@pytest.mark.parametrize("curve", CURVES)
def test_a_controller_goes_from_start_to_target_without_turning_back(curve):
    controller = AlphaController(0.2, 1.0, 10, curve)
    values = [controller.step() for _ in range(12)]
    assert values == sorted(values)
    assert values[9] == pytest.approx(1.0)
    assert values[11] == pytest.approx(1.0)
    assert controller.finished


@pytest.mark.parametrize(("steps", "curve"), [(0, "linear"), (3, "zigzag")])
def test_a_controller_refuses_what_it_cannot_do(steps, curve):
    with pytest.raises(ValueError):
        AlphaController(0.0, 1.0, steps, curve)


@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_alpha_outside_its_range_is_refused(value):
    with pytest.raises(ValueError, match="alpha must be in"):
        SeedSlot(8).set_alpha(value)


def test_force_alpha_comes_back_after_an_exception():
    slot = grown(SeedSlot(8), "conv", 0.5)
    with pytest.raises(KeyError), slot.force_alpha(0.1):
        raise KeyError
    assert slot.alpha == 0.5


@pytest.mark.parametrize("alpha", STRATEGIES)
def test_a_state_dict_brings_back_stage_alpha_and_seed(alpha):
    source = grown(SeedSlot(8, alpha), "channel_attention", 0.7, Stage.HOLDING)
    target = SeedSlot(8, alpha)
    target.load_state_dict(copy.deepcopy(source.state_dict()))
    assert (target.stage, target.alpha, target.blueprint) == (
        Stage.HOLDING,
        0.7,
        "channel_attention",
    )
    assert torch.allclose(target(CONV), plain(copy.deepcopy(source), CONV), atol=1e-6)


def test_a_state_dict_of_a_dormant_slot_empties_a_grown_one():
    slot = grown(SeedSlot(8), "conv", 0.7)
    slot.load_state_dict(SeedSlot(8).state_dict())
    assert (slot.seed, slot.stage) == (None, Stage.DORMANT)


@pytest.mark.parametrize("blueprint", BLUEPRINTS)
def test_every_blueprint_keeps_the_shape(blueprint):
    features = TOKENS if blueprint.startswith("token") else CONV
    assert BLUEPRINTS[blueprint](8)(features).shape == features.shape


@pytest.mark.parametrize("slots", [1, 2])
def test_a_conv_host_scores_images(slots):
    host = ConvHost(slots=slots)
    for slot in host.slots:
        grown(slot, "conv", 0.5)  # type: ignore[arg-type]
    assert host(torch.randn(2, 3, 8, 8)).shape == (2, 4)


def test_a_conv_host_refuses_other_numbers_of_slots():
    with pytest.raises(ValueError, match="1 or 2 slots"):
        ConvHost(slots=3)


def test_a_transformer_host_scores_tokens():
    host = TransformerHost()
    grown(host.slot, "token_attention", 0.5)
    assert host(torch.randint(32, (2, 7))).shape == (2, 4)
