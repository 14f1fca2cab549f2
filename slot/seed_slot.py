"""The module that the ticket is about: a place in a host network where a seed can grow."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from slot.blending import BLENDS
from slot.blueprints import BLUEPRINTS
from slot.schedule import AlphaController
from slot.stages import TRANSITIONS, IllegalTransition, Stage, check_transition
from slot.strategies import build_strategy

_TRAINED = (Stage.TRAINING, Stage.BLENDING, Stage.HOLDING, Stage.FOSSILIZED)
_ALPHA_RANGE = (0.0, 1.0)


class SeedSlot(nn.Module):
    """Passes host features through, with those of a seed blended in by alpha once one grows.

    Args:
        width: channels of convolutional features, or the width of tokens.
        alpha: how forward gets alpha, by name; see :mod:`slot.strategies`.
        blend: ``add``, ``multiply`` or ``gate``.
        isolate: the seed sees a detached input, so that it sends no gradient to the host.
        embargo_epochs: how long a pruned slot stays closed.
    """

    _anchor: Tensor

    def __init__(
        self,
        width: int,
        alpha: str = "lazy_cache",
        blend: str = "add",
        isolate: bool = False,
        embargo_epochs: int = 1,
    ) -> None:
        super().__init__()
        self.width = width
        self.isolate = isolate
        self.stage = Stage.DORMANT
        self.seed: nn.Module | None = None
        self.blueprint = ""
        self.alpha_source = build_strategy(alpha)
        self.blend = BLENDS[blend](width)
        # A flag of its own: a guard on the float itself would recompile whatever the strategy.
        self.alpha_is_zero = True
        self.controller: AlphaController | None = None
        self.embargo_epochs = embargo_epochs
        # Moves with the slot, so that a seed planted later knows where to go, and in which dtype.
        self.register_buffer("_anchor", torch.empty(0), persistent=False)
        self._prune_when_done = False
        self._embargo_left = 0

    # --- forward ---

    def forward(self, host_features: Tensor, alpha_override: Tensor | None = None) -> Tensor:
        """Blend; shapes (B, C, H, W) or (B, T, D), the same out as in.

        ``alpha_override`` of shape (1,) or (B,) replaces alpha, one value a sample.
        """
        if self.seed is None or self.stage not in _TRAINED:
            return host_features
        seed_features = self.seed(host_features.detach() if self.isolate else host_features)
        if alpha_override is not None:
            shape = (-1, *[1] * (host_features.dim() - 1))
            alpha: Tensor | float = alpha_override.to(host_features.dtype).reshape(shape)
        elif self.stage is Stage.TRAINING and self.alpha_is_zero:
            # Straight-through: the host's values, the seed's gradients.
            return host_features + (seed_features - seed_features.detach())
        else:
            alpha = self.alpha_source.read(host_features)
        mixed: Tensor = self.blend(host_features, seed_features, alpha, self.alpha_source)
        return mixed

    # --- alpha ---

    @property
    def alpha(self) -> float:
        """The alpha in force, in [0, 1]."""
        return self.alpha_source.value

    def set_alpha(self, value: float) -> None:
        """Set alpha; raises ValueError outside [0, 1]."""
        low, high = _ALPHA_RANGE
        if not low <= value <= high:
            raise ValueError(f"alpha must be in [{low:g}, {high:g}], not {value}")
        self.alpha_source.write(value)
        self.alpha_is_zero = value == 0.0

    def set_alpha_target(self, target: float, steps: int, curve: str = "linear") -> None:
        """Let :meth:`step_epoch` move alpha to ``target`` over ``steps`` epochs."""
        self.controller = AlphaController(self.alpha, target, steps, curve)

    @contextmanager
    def force_alpha(self, value: float) -> Iterator[None]:
        """Run with another alpha, for counterfactual evaluation; the old one comes back."""
        before = self.alpha
        self.set_alpha(value)
        try:
            yield
        finally:
            self.set_alpha(before)

    # --- lifecycle ---

    def germinate(self, blueprint: str) -> None:
        """Plant a seed in a dormant slot; raises IllegalTransition or ValueError."""
        check_transition(self.stage, Stage.GERMINATED)
        self._plant(blueprint)
        self._enter(Stage.GERMINATED)

    def advance_stage(self) -> Stage:
        """Go to the next stage of an undisturbed life and return it."""
        following = [stage for stage in TRANSITIONS[self.stage] if stage is not Stage.PRUNED]
        if not following:
            raise IllegalTransition(f"nothing follows {self.stage}")
        if following[0] is Stage.GERMINATED:
            raise IllegalTransition("a dormant slot needs germinate(blueprint)")
        self._enter(following[0])
        return self.stage

    def prune(self) -> None:
        """Remove the seed and close the slot for its embargo."""
        self._enter(Stage.PRUNED)
        self.seed = None
        self.blueprint = ""
        self.controller = None
        self._prune_when_done = False
        self.set_alpha(0.0)
        self._embargo_left = self.embargo_epochs
        self._enter(Stage.EMBARGOED)

    def schedule_prune(self, steps: int, curve: str = "linear") -> None:
        """Fade alpha to 0 over ``steps`` epochs, then prune."""
        check_transition(self.stage, Stage.PRUNED)
        self.set_alpha_target(0.0, steps, curve)
        self._prune_when_done = True

    def step_epoch(self) -> None:
        """One epoch has passed: alpha moves on, a scheduled prune and an embargo come nearer."""
        if self.stage is Stage.EMBARGOED:
            self._embargo_left -= 1
            if self._embargo_left <= 0:
                self._enter(Stage.RESETTING)
        elif self.stage is Stage.RESETTING:
            self._enter(Stage.DORMANT)
        elif self.controller is not None:
            self.set_alpha(min(1.0, max(0.0, self.controller.step())))
            if self.controller.finished:
                self.controller = None
                if self._prune_when_done:
                    self.prune()

    def _enter(self, stage: Stage) -> None:
        check_transition(self.stage, stage)
        self.stage = stage
        self.alpha_source.invalidate()

    def _plant(self, blueprint: str) -> None:
        if blueprint not in BLUEPRINTS:
            raise ValueError(f"no blueprint {blueprint!r}; there are {', '.join(BLUEPRINTS)}")
        self.seed = BLUEPRINTS[blueprint](self.width).to(self._anchor)
        self.blueprint = blueprint

    # --- moving and saving ---

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SeedSlot:
        """Every ``.to()``, ``.half()``, ``.cuda()`` of this module or of its host ends here."""
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]  # torch leaves it unannotated
        self.alpha_source.invalidate()
        return self

    def get_extra_state(self) -> dict[str, Any]:
        return {"stage": str(self.stage), "alpha": self.alpha, "blueprint": self.blueprint}

    def set_extra_state(self, state: dict[str, Any]) -> None:
        self.stage = Stage(state["stage"])
        self.set_alpha(state["alpha"])
        self.alpha_source.invalidate()

    def _load_from_state_dict(self, state_dict: dict[str, Any], prefix: str, *rest: Any) -> None:
        """Plant the saved seed first: torch loads the children after this returns."""
        saved = state_dict.get(prefix + "_extra_state")
        if saved is not None and saved["blueprint"] != self.blueprint:
            self.seed, self.blueprint = None, ""
            if saved["blueprint"]:
                self._plant(saved["blueprint"])
        super()._load_from_state_dict(state_dict, prefix, *rest)


def grown(slot: SeedSlot, blueprint: str, alpha: float, stage: Stage = Stage.BLENDING) -> SeedSlot:
    """Bring a dormant slot to a stage with an alpha, the lawful way."""
    slot.germinate(blueprint)
    while slot.stage is not stage:
        slot.advance_stage()
    slot.set_alpha(alpha)
    return slot
