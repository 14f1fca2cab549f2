"""What a fork shares with its parent, taken apart in the child: memory, files, pipes, sockets.

Memory that is mapped as shared (``share_memory_()``, batches of a DataLoader's workers, ``memmap``)
and the offsets of open files are one for both: the child would write into the parent's tensors,
and read away what the parent is to read next.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import socket
import stat
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

_MAPS = Path("/proc/self/maps")
_FILES = Path("/proc/self/fd")
_FIXED = 0x10  # MAP_FIXED (bits/mman-linux.h)


def shared_memory() -> tuple[tuple[int, int], ...]:
    """Start and size of each mapping that this process may write and shares with its children."""
    return tuple(_shared(_MAPS.read_text()))


def _shared(maps: str) -> Iterator[tuple[int, int]]:
    """Each line: ``7f1c-7f2d rw-s 00000000 00:1b 42  /dev/shm/torch_1 (deleted)``."""
    for line in maps.splitlines():
        place, rights, *_ = line.split(maxsplit=2)
        if rights.startswith("rw") and rights.endswith("s"):
            start, end = (int(address, 16) for address in place.split("-"))
            yield start, end - start


def keep_memory_apart(mappings: tuple[tuple[int, int], ...]) -> None:
    """Put private memory with the same content in place of these mappings. For a child alone.

    Raises OSError where the system refuses.
    """
    if not mappings:
        return
    map_memory = ctypes.CDLL(None, use_errno=True).mmap
    map_memory.restype = ctypes.c_void_p
    map_memory.argtypes = [
        *(ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int),
        ctypes.c_longlong,
    ]
    for start, size in mappings:
        content = ctypes.string_at(start, size)
        rights, kind = mmap.PROT_READ | mmap.PROT_WRITE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS
        place = map_memory(start, size, rights, kind | _FIXED, -1, 0)
        if place != start:
            raise OSError(ctypes.get_errno(), "shared memory can't be made private")
        ctypes.memmove(start, content, size)


def open_files() -> dict[int, int]:
    """The place in each regular file that is open, by its number: to be asked before a fork."""
    found = {}
    for name in os.listdir(_FILES):  # noqa: PTH208  # numbers, not paths
        with suppress(OSError):  # it was that of the listing
            if stat.S_ISREG(os.fstat(int(name)).st_mode):
                found[int(name)] = os.lseek(int(name), 0, os.SEEK_CUR)
    return found


def keep_files_apart(kept: int, places: Mapping[int, int]) -> None:
    """Let no read or write of this process reach a file that its parent holds. For a child alone.

    A file that can be read is opened once more, at its place before the fork. What is written to a
    file that can only be written, to a pipe or a socket goes nowhere; reading from the latter two
    finds their end. ``kept`` stays as it is.
    """
    for name in os.listdir(_FILES):  # noqa: PTH208  # numbers, not paths
        number = int(name)
        if number not in (1, 2, kept):
            with suppress(OSError):  # it was that of the listing, or can't be opened again
                _set_apart(number, places.get(number, 0))


def _set_apart(number: int, place: int) -> None:
    kind = os.fstat(number).st_mode
    if stat.S_ISREG(kind):
        _open_again(number, place)
    elif stat.S_ISSOCK(kind):
        own, other = socket.socketpair()
        other.shutdown(socket.SHUT_WR)
        os.dup2(own.detach(), number)
        other.detach()  # open as long as this process lives
    elif stat.S_ISFIFO(kind):
        nowhere = os.open(os.devnull, os.O_RDWR)
        os.dup2(nowhere, number)


def _open_again(number: int, place: int) -> None:
    rights = _flags(number)
    if rights & os.O_ACCMODE == os.O_WRONLY:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
        return
    again = os.open(f"{_FILES}/{number}", rights & ~(os.O_CREAT | os.O_EXCL | os.O_TRUNC))
    os.lseek(again, place, os.SEEK_SET)
    os.dup2(again, number)


def _flags(number: int) -> int:
    import fcntl

    return fcntl.fcntl(number, fcntl.F_GETFL)
