"""The lifecycle of a seed: its stages, and which may follow which."""

from __future__ import annotations

from enum import StrEnum


class Stage(StrEnum):
    """Where a seed is in its life."""

    DORMANT = "dormant"
    GERMINATED = "germinated"
    TRAINING = "training"
    BLENDING = "blending"
    HOLDING = "holding"
    FOSSILIZED = "fossilized"
    PRUNED = "pruned"
    EMBARGOED = "embargoed"
    RESETTING = "resetting"


TRANSITIONS: dict[Stage, tuple[Stage, ...]] = {
    Stage.DORMANT: (Stage.GERMINATED,),
    Stage.GERMINATED: (Stage.TRAINING, Stage.PRUNED),
    Stage.TRAINING: (Stage.BLENDING, Stage.PRUNED),
    Stage.BLENDING: (Stage.HOLDING, Stage.PRUNED),
    Stage.HOLDING: (Stage.FOSSILIZED, Stage.PRUNED),
    Stage.FOSSILIZED: (),
    Stage.PRUNED: (Stage.EMBARGOED,),
    Stage.EMBARGOED: (Stage.RESETTING,),
    Stage.RESETTING: (Stage.DORMANT,),
}
"""The first of several is the way forward that :meth:`SeedSlot.advance_stage` takes."""


class IllegalTransition(ValueError):  # noqa: N818  # reads as what happened
    """A stage was asked for that can't follow the present one."""


def check_transition(current: Stage, wanted: Stage) -> None:
    """Raise IllegalTransition unless ``wanted`` may follow ``current``."""
    allowed = TRANSITIONS[current]
    if wanted not in allowed:
        ways = ", ".join(allowed) if allowed else "nothing: it is the end"
        raise IllegalTransition(f"{current} can't become {wanted}; after {current} comes {ways}.")
