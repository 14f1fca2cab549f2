"""A program that recompiles once and ends as it is told."""

import ctypes
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import torch


@torch.compile(backend="aot_eager", dynamic=False)
def double(x):
    return x * 2


def late():
    time.sleep(0.3)
    double(torch.ones(5))


def main(how):
    print("argv", sys.argv[1:], "stdin", sys.stdin.read().strip())
    double(torch.ones(3))
    double(torch.ones(4))
    if how == "exit":
        sys.exit(7)
    if how == "text":
        sys.exit("not today")
    if how == "raise":
        raise ValueError("broken on purpose")
    if how == "interrupt":
        raise KeyboardInterrupt
    if how == "hard":
        os._exit(5)
    if how == "crash":
        ctypes.string_at(0)
    if how == "term":
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(10)
    if how == "thread":
        threading.Thread(target=late).start()
    if how == "pool":
        pool = ThreadPoolExecutor(1)
        pool.submit(double, torch.ones(5)).result()
        globals()["kept"] = pool
    if how == "fork":
        child = os.fork()
        if child == 0:
            double(torch.ones(6))
            os._exit(0)
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1])
