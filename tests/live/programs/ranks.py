"""A distributed program on CPU in which one rank changes its state alone."""

import sys

import torch
import torch.distributed as dist

dist.init_process_group("gloo")
rank = dist.get_rank()
torch.compiler.set_enable_guard_collectives("forced" in sys.argv)


class Scale(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.mode = "fast"

    def forward(self, x):
        return x * 2 if self.mode == "fast" else x * 3


model = Scale()
step = torch.compile(model, backend="aot_eager")
step(torch.ones(4))
step(torch.ones(4))
if rank == 1:
    model.mode = "exact"
step(torch.ones(4))
step(torch.ones(4))
dist.barrier()
dist.destroy_process_group()
