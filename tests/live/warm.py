"""Python processes that have torch imported when they start: forked from one that has done only that.

Importing torch, Dynamo and inductor costs five seconds of CPU in each process that does. The first
request starts a parent, a process of its own, which imports them once for this worker of pytest.
Every request forks a child of it, which gets arguments, environment, folder and files as a new
interpreter would, runs a module in a fresh ``__main__`` and ends as an interpreter ends: threads are
joined, exit handlers run, a signal kills; only its modules are not taken apart. The fork server that
a replay's pool starts is forked from that child in turn, in place of one that would import torch
once more.

Not for tests of what such a child has not: an import of torch that has still to come, variables that
torch reads as it is imported, options of the interpreter, signals sent from outside, a terminal.
Those start real processes (``fresh_esper_audit``).
"""

from __future__ import annotations

import array
import atexit
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

Completed = subprocess.CompletedProcess[str]

_NEW_FORK_SERVER = "from multiprocessing.forkserver import main"
_SECONDS = 480.0
_LONGEST = 1 << 20  # of a request

# --- in the tests ---


class Parent:
    """The process that has imported torch; it ends when this one does, at the end of its input."""

    def __init__(self) -> None:
        from esper_audit.replay.pool import _ENVIRONMENT

        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        command = [sys.executable, __file__, str(theirs.fileno())]
        # One thread, as the pool asks for: children of a process with more can't be forked again.
        environment = os.environ | _ENVIRONMENT
        self._process = subprocess.Popen(
            command, pass_fds=[theirs.fileno()], env=environment, stdin=subprocess.DEVNULL
        )
        theirs.close()

    def run(self, argv: list[str], cwd: Path, env: Mapping[str, str], typed: str) -> Completed:
        """Run ``python -m`` with these arguments in a child."""
        with (
            tempfile.TemporaryFile() as stdin,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            stdin.write(typed.encode())
            stdin.seek(0)
            files = array.array("i", (file.fileno() for file in (stdin, stdout, stderr)))
            request = json.dumps([argv, str(cwd), dict(env)]).encode()
            self._socket.sendmsg([request], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, files)])
            code = self._ended(argv)
            texts = []
            for file in (stdout, stderr):
                file.seek(0)
                texts.append(file.read().decode())
        return subprocess.CompletedProcess(argv, code, *texts)

    def _ended(self, argv: list[str]) -> int:
        pid = int(self._told())
        self._socket.settimeout(_SECONDS)
        try:
            return int(self._told())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            self._told()
            raise subprocess.TimeoutExpired(argv, _SECONDS) from None
        finally:
            self._socket.settimeout(None)

    def _told(self) -> bytes:
        told = self._socket.recv(64)
        assert told, "the process that has torch imported is gone"
        return told


@cache
def parent() -> Parent:
    """That of this worker of pytest."""
    return Parent()


def run_warm(
    argv: list[str], cwd: Path, env: Mapping[str, str] | None = None, typed: str = ""
) -> Completed:
    """As ``python -m`` with these arguments, with stdout and stderr captured. Input is ``typed``."""
    return parent().run(argv, cwd, os.environ if env is None else env, typed)


# --- in the parent and its children ---


def serve(connection: socket.socket) -> list[str]:
    """Fork a child for each request; returns in the children alone, with what they are to run."""
    while True:
        request, ancillary, _, _ = connection.recvmsg(_LONGEST, socket.CMSG_SPACE(3 * 4))
        if not request:
            sys.exit()
        files = array.array("i", ancillary[0][2])
        pid = os.fork()
        if pid == 0:
            connection.close()
            return begin(files, *json.loads(request))
        for number in files:
            os.close(number)
        connection.send(str(pid).encode())
        _, status = os.waitpid(pid, 0)
        connection.send(str(os.waitstatus_to_exitcode(status)).encode())


def begin(
    files: Sequence[int], argv: list[str], folder: str, environment: dict[str, str]
) -> list[str]:
    """Look like an interpreter that has just been started with these arguments."""
    for target, number in enumerate(files):
        os.dup2(number, target)
        os.close(number)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    sys.path[0] = folder
    fork_the_fork_server()
    return argv


def fork_the_fork_server() -> None:
    """In place of starting Python anew for it, which would import torch once more."""
    from multiprocessing import util

    start = util.spawnv_passfds

    def fork_or_start(path: Any, args: list[Any], passfds: Any) -> int:
        if not str(args[-1]).startswith(_NEW_FORK_SERVER):
            return start(path, args, passfds)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        pid = os.fork()
        if pid == 0:
            be_the_fork_server(args[-1], passfds)
        return pid

    util.spawnv_passfds = fork_or_start  # type: ignore[assignment]


def be_the_fork_server(code: str, files: list[int]) -> NoReturn:
    """No file and no signal handler but those that a new process would have."""
    try:
        start = 3
        for number in [*sorted(files), os.sysconf("SC_OPEN_MAX")]:
            os.closerange(start, number)
            start = number + 1
        for number in (signal.SIGTERM, signal.SIGCHLD, signal.SIGINT):
            signal.signal(number, signal.SIG_DFL)
        exec(code, {"__name__": "__main__"})
    except SystemExit:
        os._exit(0)
    finally:
        os._exit(1)


def leave(code: object) -> NoReturn:
    """End as an interpreter does, up to where it takes all modules apart.

    That writes to every page of memory that is shared with the parent: half a second for torch's.
    """
    if not isinstance(code, int | None):
        print(code, file=sys.stderr)
        code = 1
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()
    os._exit((code or 0) & 0xFF)


if __name__ == "__main__":
    import esper_audit.api
    import esper_audit.cli.app
    import esper_audit.cli.exec
    import esper_audit.cli.gate
    import esper_audit.cli.run
    import esper_audit.recording.recorder  # noqa: F401
    from esper_audit._dynamo import preload  # noqa: F401

    module, *sys.argv[1:] = serve(socket.socket(fileno=int(sys.argv[1])))
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as error:
        leave(error.code)
    leave(0)
