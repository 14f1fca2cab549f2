from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import gymnasium
import torch
from torch import Tensor

from esper_audit import CompiledStep, ReplaySession, scenario
from scenarios.ticket import ALPHAS, STEADY_STATE_SAFE
from slot import ActorCritic, grown, plain

ENVS, HORIZON, MINIBATCH = 8, 8, 32
GAMMA, CLIP = 0.99, 0.2


@dataclass
class Rollout:
    """One rollout, flattened over time and environments; all (HORIZON * ENVS, ...)."""

    observations: Tensor
    actions: Tensor
    log_probs: Tensor
    returns: Tensor
    advantages: Tensor


@scenario(params={"alpha": ALPHAS}, claims=[STEADY_STATE_SAFE])
def ppo_rollout_and_update(replay: ReplaySession, alpha: str) -> None:
    """Is a PPO loop on CartPole-v1 in a steady state after its first rollout and update?"""
    torch.manual_seed(0)
    envs = gymnasium.make_vec("CartPole-v1", num_envs=ENVS, vectorization_mode="sync")
    policy = ActorCritic(4, 2, alpha=alpha)
    grown(policy.slot, "token_mlp", 0.5)
    optimizer = torch.optim.Adam(policy.parameters(), lr=3e-3)
    step = replay.compile(policy, reference=plain)
    start, _ = envs.reset(seed=0)
    observations = torch.as_tensor(start, dtype=torch.float32)
    with replay.warm_up():
        for _ in range(2):
            rollout, observations = collect(step, envs, observations)
            update(step, optimizer, rollout)
    for iteration in range(2):
        with replay.event(f"rollout {iteration + 1}"):
            pass
        rollout, observations = collect(step, envs, observations)
        with replay.event(f"update {iteration + 1}"):
            pass
        update(step, optimizer, rollout)
    envs.close()


def collect(
    step: CompiledStep, envs: gymnasium.vector.VectorEnv, observations: Tensor
) -> tuple[Rollout, Tensor]:
    """Act for HORIZON steps without gradients; returns the rollout and the next observations."""
    seen, acted, logged, rewards, values, ends = [], [], [], [], [], []
    with torch.no_grad():
        for _ in range(HORIZON):
            logits, value = step(observations)
            policy = torch.distributions.Categorical(logits=logits)
            actions = policy.sample()
            following, reward, terminated, truncated, _ = envs.step(actions.numpy())
            seen.append(observations)
            acted.append(actions)
            logged.append(policy.log_prob(actions))
            values.append(value)
            rewards.append(torch.as_tensor(reward, dtype=torch.float32))
            ends.append(torch.as_tensor(terminated | truncated))
            observations = torch.as_tensor(following, dtype=torch.float32)
        _, last = step(observations)
    returns = discounted(rewards, ends, last)
    advantages = returns - torch.stack(values)
    advantages = (advantages - advantages.mean()) / (advantages.std() + 1e-8)
    parts = (torch.stack(seen), torch.stack(acted), torch.stack(logged), returns, advantages)
    return Rollout(*(part.flatten(0, 1) for part in parts)), observations


def discounted(rewards: list[Tensor], ends: list[Tensor], last: Tensor) -> Tensor:
    """Returns of each step, bootstrapped from the value after the last one; (HORIZON, ENVS)."""
    total, out = last, []
    for reward, end in zip(reversed(rewards), reversed(ends), strict=True):
        total = reward + GAMMA * total * (~end)
        out.append(total)
    return torch.stack(out[::-1])


def update(step: CompiledStep, optimizer: torch.optim.Optimizer, rollout: Rollout) -> None:
    """One pass over the rollout in minibatches, with gradients."""
    for rows in torch.randperm(HORIZON * ENVS).split(MINIBATCH):
        optimizer.zero_grad()
        step.train(ppo_loss(rollout, rows), rollout.observations[rows])
        optimizer.step()


def ppo_loss(rollout: Rollout, rows: Tensor) -> Callable[[tuple[Tensor, Tensor]], Tensor]:
    """The clipped surrogate with a value loss, of the given rows (Schulman et al. 2017)."""

    def loss(output: tuple[Tensor, Tensor]) -> Tensor:
        logits, values = output
        policy = torch.distributions.Categorical(logits=logits)
        ratio = (policy.log_prob(rollout.actions[rows]) - rollout.log_probs[rows]).exp()
        advantages = rollout.advantages[rows]
        clipped = ratio.clamp(1 - CLIP, 1 + CLIP)
        surrogate = torch.min(ratio * advantages, clipped * advantages).mean()
        errors = (values - rollout.returns[rows]).square().mean()
        return 0.5 * errors - surrogate

    return loss
