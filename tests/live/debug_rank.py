"""Two ranks of a distributed program with torch's debug server; they end when stdin does."""

from __future__ import annotations

import os
import socket
import sys

import torch
import torch.distributed as dist

import esper_audit
from esper_audit.integrations.debug_page import with_recompiles

told, tell = os.pipe()
child = os.fork()  # it has torch already, which takes longest
rank = 0 if child else 1
os.environ["RANK"] = str(rank)


@torch.compile(backend="eager")
def scaled(x: torch.Tensor, mode: str) -> torch.Tensor:
    return x * 2 if mode == "<b>" else x * 3


def serve() -> None:
    from torch.distributed.debug import start_debug_server

    start_debug_server(int(os.environ["DEBUG_PORT"]), handlers=with_recompiles([]))


socket.gethostname = lambda: "localhost"  # what a rank calls itself need not be resolved here
store = dist.TCPStore(  # type: ignore[attr-defined]  # torch has it, its stubs say otherwise
    "localhost", int(os.environ["MASTER_PORT"]), is_master=rank == 0
)
with esper_audit.record():
    for mode in ("<b>", "c", "d")[: 3 - rank]:
        scaled(torch.ones(2), mode)
    serve()
    if rank == 1:
        os.write(tell, b"1")
        os.close(tell)
        os.read(0, 1)
        os._exit(0)
    os.read(told, 1)
    print("ready", flush=True)
    sys.stdin.readline()
    from torch.distributed.debug import stop_debug_server

    stop_debug_server()
os.waitpid(child, 0)
