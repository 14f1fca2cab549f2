"""The page /recompiles on torch's own debug server, asked over the loopback."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
import torch

RANKS = Path(__file__).parent / "debug_rank.py"
HAS_SERVER = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 13)


def free_ports(count):
    with ExitStack() as stack:
        held = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in held:
            one.bind(("localhost", 0))
        return [str(one.getsockname()[1]) for one in held]


def page(port):
    """What the frontend shows; it may still start."""
    for _ in range(100):
        try:
            with urllib.request.urlopen(f"http://localhost:{port}/recompiles", timeout=20) as found:
                return found.read().decode()
        except (urllib.error.URLError, ConnectionError) as error:
            if isinstance(error, urllib.error.HTTPError):
                return error.read().decode()
            time.sleep(0.1)
    raise AssertionError("the frontend does not answer")


@pytest.mark.skipif(not HAS_SERVER, reason="torch has a debug server from 2.13 on")
def test_the_debug_server_shows_what_all_ranks_recompiled(tmp_path):
    pytest.importorskip("jinja2")
    if find_spec("tabulate") is None:  # torch's own pages need it; none of them is shown here
        (tmp_path / "tabulate.py").write_text("def tabulate(*_, **__): return ''\n")
    store, port = free_ports(2)
    ours = {"MASTER_ADDR": "localhost", "MASTER_PORT": store, "DEBUG_PORT": port, "WORLD_SIZE": "2"}
    path = os.pathsep.join((str(tmp_path), *filter(None, [os.environ.get("PYTHONPATH")])))
    with subprocess.Popen(
        [sys.executable, str(RANKS)],
        env=os.environ | ours | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as ranks:
        assert ranks.stdout is not None
        assert ranks.stdout.readline() == "ready\n"
        shown = page(port)
        ranks.communicate("\n\n", timeout=60)
    assert shown.lower().startswith("<!doctype html>")
    assert "flag-changed" in shown
    assert "rank 1" in shown
    assert "&lt;b&gt;" in shown
    assert "'<b>'" not in shown
    assert ranks.returncode == 0
