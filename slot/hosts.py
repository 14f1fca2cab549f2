"""Networks that hold slots: one of convolutions, one of tokens, one that acts."""

from __future__ import annotations

from torch import Tensor, nn

from slot.seed_slot import SeedSlot


class ConvHost(nn.Module):
    """Two convolutions, a slot after one or both; (B, 3, H, W) to (B, classes)."""

    def __init__(
        self,
        width: int = 8,
        classes: int = 4,
        alpha: str = "lazy_cache",
        blend: str = "add",
        slots: int = 1,
        isolate: bool = False,
    ) -> None:
        super().__init__()
        if slots not in (1, 2):
            raise ValueError(f"a ConvHost has 1 or 2 slots, not {slots}")
        self.stem = nn.Conv2d(3, width, 3, padding=1)
        self.body = nn.Conv2d(width, width, 3, padding=1)
        self.slots = nn.ModuleList(SeedSlot(width, alpha, blend, isolate) for _ in range(slots))
        self.head = nn.Linear(width, classes)

    @property
    def slot(self) -> SeedSlot:
        """The first slot."""
        first = self.slots[0]
        assert isinstance(first, SeedSlot)
        return first

    def forward(self, images: Tensor, alpha_override: Tensor | None = None) -> Tensor:
        features = self.slots[0](self.stem(images).relu(), alpha_override)
        features = self.body(features).relu()
        if len(self.slots) > 1:
            features = self.slots[1](features)
        scores: Tensor = self.head(features.mean(dim=(2, 3)))
        return scores


class TransformerHost(nn.Module):
    """One pre-norm transformer block with a slot after it; (B, T) token ids to (B, classes)."""

    def __init__(
        self,
        width: int = 16,
        vocabulary: int = 32,
        classes: int = 4,
        alpha: str = "lazy_cache",
        blend: str = "add",
        isolate: bool = False,
    ) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocabulary, width)
        self.norm = nn.LayerNorm(width)
        self.mix = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.slot = SeedSlot(width, alpha, blend, isolate)
        self.head = nn.Linear(width, classes)

    def forward(self, tokens: Tensor, alpha_override: Tensor | None = None) -> Tensor:
        features = self.embed(tokens)
        query, key, value = self.mix(self.norm(features)).chunk(3, dim=-1)
        attended = nn.functional.scaled_dot_product_attention(query, key, value)
        features = self.slot(features + self.out(attended), alpha_override)
        scores: Tensor = self.head(features.mean(dim=1))
        return scores


class ActorCritic(nn.Module):
    """A policy with a slot in its trunk; (B, observations) to (logits (B, actions), value (B,))."""

    def __init__(
        self, observations: int, actions: int, width: int = 32, alpha: str = "lazy_cache"
    ) -> None:
        super().__init__()
        self.trunk = nn.Linear(observations, width)
        self.slot = SeedSlot(width, alpha)
        self.actor = nn.Linear(width, actions)
        self.critic = nn.Linear(width, 1)

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        tokens = self.trunk(observations).tanh().unsqueeze(1)
        features = self.slot(tokens).squeeze(1)
        return self.actor(features), self.critic(features).squeeze(-1)
