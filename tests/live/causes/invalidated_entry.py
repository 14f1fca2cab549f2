"""Module.forward is replaced by a functools.partial after compiling.

Truth: recompile 1: attribute forward absent -> present. Recompiles 2 and 3: the entry was
invalidated, since the object it held (the former forward) is gone. Not three times the same.
"""

import functools

import torch
from torch import nn


class Hook:
    def __init__(self, scale):
        self.scale = scale

    def pre_forward(self, _module, x):
        return x * self.scale


def add_hook(module, hook):
    if not hasattr(module, "_old_forward"):
        module._old_forward = module.forward

    def new_forward(module, x):
        return module._old_forward(module._hf_hook.pre_forward(module, x))

    module._hf_hook = hook
    module.forward = functools.update_wrapper(
        functools.partial(new_forward, module), module._old_forward
    )
    return module


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.Linear(4, 4)
        self.dec = nn.Linear(4, 2)

    def forward(self, x):
        return self.dec(torch.relu(self.enc(x)))


torch.manual_seed(0)
net = Net()
fwd = torch.compile(net, backend="aot_eager")
x = torch.ones(2, 4)
print(fwd(x).sum())
add_hook(net.enc, Hook(2.0))
print(fwd(x).sum(), net(x).sum())
add_hook(net.enc, Hook(3.0))
print(fwd(x).sum(), net(x).sum())
add_hook(net.enc, Hook(4.0))
print(fwd(x).sum(), net(x).sum())
