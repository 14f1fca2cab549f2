"""Who reads the logs: this process, a pool of processes, or a Dask cluster. All read alike.

Each takes work, a pure function of a place, and gives its results in the order of the places, with
few of them waiting at a time: who takes them may fold them, and memory does not grow with their
number. The death of a worker costs the log that it read, and is told.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from esper_audit.errors import IncompleteError, UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

WORTH_A_POOL = 64 << 20
"""Bytes below which a pool takes longer to start than one process to read them."""
_WAITING = 2
"""Logs that wait for each worker: so many results are held at most, and no worker is idle."""
CONNECT_SECONDS = 5


class Work(Protocol[T_co]):
    """Reads a log; picklable, and pure."""

    def __call__(self, place: str) -> T_co:
        """What is made of the log."""

    def lost(self, place: str, text: str) -> T_co:
        """What stands for a log whose reader died."""


def mapped(
    jobs: int, on: str = "", size: int = WORTH_A_POOL
) -> Callable[[Work[T], Sequence[str]], Iterator[T]]:
    """Who reads logs of ``size`` bytes.

    Args:
        jobs: the number of processes; 0 is one for each core.
        on: the address of the scheduler of a Dask cluster; empty for this machine.
        size: all logs together.
    """
    if on:
        return lambda work, places: on_cluster(on, work, places)
    wanted = jobs or _cores()

    def read(work: Work[T], places: Sequence[str]) -> Iterator[T]:
        several = min(wanted, len(places))
        if several < 2 or (not jobs and size < WORTH_A_POOL):
            return map(work, places)
        return side_by_side(several, work, places)

    return read


def side_by_side(jobs: int, work: Work[T], places: Sequence[str]) -> Iterator[T]:
    """By a pool of ``jobs`` processes."""
    left = deque(places)
    while left:
        yield from _until_a_death(jobs, work, left)
        # The pool does not say which of its logs was the death of a worker: each in flight is
        # read again, alone.
        for place in list(islice(left, jobs * _WAITING)):
            yield _alone(work, place)
            left.popleft()


def _until_a_death(jobs: int, work: Work[T], left: deque[str]) -> Iterator[T]:
    """Take places off the left as they are read; ends where a worker dies."""
    from concurrent.futures.process import BrokenProcessPool

    with _pool(jobs, work) as pool, suppress(BrokenProcessPool):
        waiting: deque[Any] = deque()
        places = iter(list(left))
        while True:
            for place in islice(places, jobs * _WAITING - len(waiting)):
                waiting.append(pool.submit(work, place))
            if not waiting:
                return
            result = waiting.popleft().result()
            left.popleft()
            yield result


def _alone(work: Work[T], place: str) -> T:
    from concurrent.futures.process import BrokenProcessPool

    with _pool(1, work) as pool:
        try:
            return pool.submit(work, place).result()
        except BrokenProcessPool:
            return work.lost(place, "the process that read it died (crash, kill or no memory)")


def _pool(jobs: int, work: object) -> Executor:
    import multiprocessing  # one process needs none of it, and it is slow to import
    from concurrent.futures import ProcessPoolExecutor

    methods = multiprocessing.get_all_start_methods()
    context = multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")
    if "forkserver" in methods:
        context.set_forkserver_preload([type(work).__module__])
    return ProcessPoolExecutor(jobs, mp_context=context)


def on_cluster(address: str, work: Work[T], places: Iterable[str]) -> Iterator[T]:
    """By the workers of a Dask cluster, which must see the same places, and this package."""
    client = _client(address)
    try:
        ahead = max(sum(client.nthreads().values()), 1) * _WAITING
        waiting: deque[tuple[str, Any]] = deque()
        rest = iter(places)
        while True:
            for place in islice(rest, ahead - len(waiting)):
                waiting.append((place, client.submit(work, place, pure=False)))
            if not waiting:
                return
            yield _gathered(work, *waiting.popleft())
    finally:
        client.close()


def _gathered(work: Work[T], place: str, future: Any) -> T:
    try:
        result: T = future.result()
    except Exception as error:  # of the worker, the network or the scheduler
        return work.lost(place, f"{type(error).__name__}: {error}")
    return result


def _client(address: str) -> Any:
    try:
        from distributed import Client
    except ImportError as error:
        raise UsageError(
            "--on needs the package distributed.", "pip install 'esper-audit[dask]'"
        ) from error
    try:
        if "://" not in address or address.startswith("tcp://"):
            _greet(address)
        return Client(address, timeout=CONNECT_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]
    except Exception as error:  # whatever answers there may be no scheduler
        raise IncompleteError(
            f"No Dask scheduler answers at {address}: {error}",
            "Check the address, and start one with: dask scheduler",
        ) from error


def _greet(address: str) -> None:
    """Raises what Dask raises where no scheduler answers.

    A client that finds none takes 20 seconds more to close, and prints a traceback.
    """
    import asyncio
    from concurrent.futures import ThreadPoolExecutor

    from distributed.comm.core import connect

    async def greet() -> None:
        comm = await connect(address, timeout=CONNECT_SECONDS)  # type: ignore[no-untyped-call]
        await comm.close()

    with ThreadPoolExecutor(1) as alone:  # in a notebook, this thread runs a loop
        alone.submit(asyncio.run, greet()).result()


def _cores() -> int:
    with suppress(AttributeError):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
