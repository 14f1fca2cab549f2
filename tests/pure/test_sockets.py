"""The fork server listens in a folder whose path a socket can have."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ASK = "import tempfile; from esper_audit.replay.pool import _sockets; print(_sockets()); "
ASK += "print(tempfile.gettempdir())"


@pytest.mark.parametrize(
    ("length", "is_short"), [(60, False), (75, False), (76, True), (200, True)]
)
def test_a_long_path_for_temporary_files_is_none_for_a_socket(tmp_path_factory, length, is_short):
    base = tmp_path_factory.mktemp("t")
    folder = base / ("x" * max(1, length - len(str(base)) - 1))
    folder.mkdir()
    if len(str(folder)) != length:
        pytest.skip("the tests' own folder for temporary files has a longer path")
    done = subprocess.run(
        [sys.executable, "-c", ASK],
        env=os.environ | {"TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        check=True,
    )
    sockets, temporary = done.stdout.split()
    assert temporary == str(folder), "only the socket goes elsewhere"
    assert sockets.startswith("/tmp/pymp-" if is_short else f"{folder}/pymp-")
    assert not Path(sockets).exists(), "it is removed at the end"
