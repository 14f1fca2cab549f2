"""A torch.Generator (fresh per request) is passed to the compiled step, and a torch.device/dtype argument.

Truth: cpu and cpu:0 are different devices to a guard; the third dtype is float16. device-
changed and dtype-changed; "keep one object" is no remedy, since devices can't be changed.
"""

import torch


@torch.compile(backend="aot_eager")
def add_noise(x, gen, device, dtype):
    noise = torch.rand(x.shape, generator=gen).to(device=device, dtype=dtype)
    return x + noise


x = torch.ones(4)
for seed in range(4):
    add_noise(x, torch.Generator().manual_seed(seed), torch.device("cpu"), torch.float32)


@torch.compile(backend="aot_eager")
def place(x, device, dtype):
    return x.to(device=device, dtype=dtype) * 2


for device in (torch.device("cpu"), torch.device("cpu", 0), torch.device("cpu")):
    place(x, device, torch.float32)
place(x, torch.device("cpu"), torch.float16)
print("ok")
