"""The reference SeedSlot: a faithful, readable version of the module in ticket B3-PT-06."""

from slot.blending import BLENDS
from slot.blueprints import BLUEPRINTS
from slot.hosts import ActorCritic, ConvHost, TransformerHost
from slot.reference import plain, without_cache
from slot.schedule import CURVES, AlphaController
from slot.seed_slot import SeedSlot, grown
from slot.stages import TRANSITIONS, IllegalTransition, Stage
from slot.strategies import STRATEGIES, AlphaStrategy, build_strategy
from slot.training import cross_entropy, train_step

__all__ = [
    "BLENDS",
    "BLUEPRINTS",
    "CURVES",
    "STRATEGIES",
    "TRANSITIONS",
    "ActorCritic",
    "AlphaController",
    "AlphaStrategy",
    "ConvHost",
    "IllegalTransition",
    "SeedSlot",
    "Stage",
    "TransformerHost",
    "build_strategy",
    "cross_entropy",
    "grown",
    "plain",
    "train_step",
    "without_cache",
]
