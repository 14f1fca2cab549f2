"""``import --on ADDRESS``: a Dask cluster reads the logs, and the report is the same."""

from __future__ import annotations

import socket
import threading

import pytest
from trace_builders import Log

from esper_audit.errors import IncompleteError
from esper_audit.program.imported import Import, Reading, imported
from esper_audit.traces.places import find_logs
from esper_audit.traces.workers import mapped

distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def address():
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=1, processes=False, dashboard_address=None
    ) as cluster:
        yield cluster.scheduler_address


def test_a_cluster_reads_logs_as_this_machine_does(tmp_path, address):
    for rank in range(12):
        log = Log(pid=100 + rank, rank=rank).compile("0/0")
        if rank == 7:
            log.compile("0/1", "0/0: L['n'] == 1")
        (tmp_path / f"{rank:02}.log").write_text(log.text)
    (tmp_path / "cut.log.gz").write_bytes(b"\x1f\x8b\x08\x00")
    places, asked = find_logs([str(tmp_path)]), Import(root=str(tmp_path))
    report = imported(places, asked, mapped(1, address))
    assert [found.size for found in report.classes] == [11, 1]
    assert report == imported(places, asked, mapped(1))


def test_what_is_no_scheduler_is_told_within_seconds():
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=_answer, args=(server,), daemon=True).start()
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(IncompleteError, match=f"No Dask scheduler answers at {address}"):
            list(mapped(1, address)(Reading(""), ["a.log"]))


def _answer(server):
    with server.accept()[0] as other:
        other.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n" * 4)
