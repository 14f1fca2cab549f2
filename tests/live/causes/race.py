"""A thread pool calls one compiled function at the same time, cold: two threads compile the same variant.

Truth: three threads compile the same variant at the same time: two compiles are duplicates.
Nothing failed, nothing is unreadable: say that another thread compiled it meanwhile.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import torch

gate = threading.Barrier(3)


@torch.compile(backend="aot_eager")
def f(x):
    return torch.relu(x @ x.T).sum()


def work(_):
    gate.wait()
    return f(torch.ones(4, 4)).item()


with ThreadPoolExecutor(3) as pool:
    print(list(pool.map(work, range(3))))
for _ in range(3):
    f(torch.ones(4, 4))
