"""A few variants that no edit of the source frees: each is compiled once in warm-up."""

import torch
from torch import nn

from esper_audit import scenario

X = torch.ones(2, 4)


def changed(replay, model, change, x=X):
    step = replay.compile(model)
    with replay.warm_up():
        step(x)
    with replay.event("it changes"):
        change()
    step(x)


@scenario
def autocast(replay):
    """Does a switch to autocast recompile?"""
    step = replay.compile(nn.Linear(4, 4))
    with replay.warm_up():
        step(X)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        step(X)


@scenario
def grad_mode(replay):
    """Does a switch of the grad mode recompile?"""
    step = replay.compile(nn.Linear(4, 4))
    with replay.warm_up():
        step(X)
    with torch.no_grad():
        step(X)


@scenario
def train_eval(replay):
    """Does eval() recompile?"""
    model = nn.Sequential(nn.Linear(4, 4), nn.Dropout(0.0))
    changed(replay, model, model.eval)


class Head(nn.Module):
    def __init__(self):
        super().__init__()
        self.mode, self.act, self.gains = "logits", torch.relu, [1.0]

    def forward(self, x):
        x = self.act(x)
        for gain in self.gains:
            x = x * gain
        return x * 2 if self.mode == "logits" else (x * 2).softmax(-1)


@scenario
def flag(replay):
    """Does another mode recompile?"""
    model = Head()
    changed(replay, model, lambda: setattr(model, "mode", "probabilities"))


@scenario
def activation(replay):
    """Does another activation recompile?"""
    model = Head()
    changed(replay, model, lambda: setattr(model, "act", torch.tanh))


@scenario
def gains(replay):
    """Does a longer list recompile?"""
    model = Head()
    changed(replay, model, lambda: model.gains.append(2.0))


@scenario
def swapped(replay):
    """Does another module recompile?"""
    model = nn.Sequential(nn.Linear(4, 4), nn.Identity())
    changed(replay, model, lambda: model.__setitem__(1, nn.Linear(4, 4)))
