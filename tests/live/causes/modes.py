"""Training and evaluating in turn, each with a scale of its own.

Truth, by epoch: 1 trains with grad (first compile), evaluates without (recompile: grad mode, training and
scale); 2 trains with another scale (recompile: scale alone, which no entry accepts).
"""

import torch


class Net(torch.nn.Module):
    scale = 1.0

    def forward(self, x):
        y = torch.lerp(x, x * 2, self.scale)
        return y + 1 if self.training else y


net = Net()
step = torch.compile(net, backend="aot_eager")


def train(scale):
    net.train()
    net.scale = scale
    step(torch.ones(3))


def evaluate(scale):
    net.eval()
    net.scale = scale
    with torch.no_grad():
        step(torch.ones(3))


train(0.5)
evaluate(0.25)
train(0.75)
