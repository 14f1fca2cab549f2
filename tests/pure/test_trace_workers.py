"""Logs read in order, side by side and on a cluster: the same results, and a death costs one log."""

from __future__ import annotations

import os
import signal
from dataclasses import dataclass

import pytest

from esper_audit.errors import IncompleteError
from esper_audit.traces.workers import mapped, on_cluster, side_by_side

PLACES = [f"place {number}" for number in range(7)]


@dataclass
class Reading:
    """Reads nothing, and may die of a place."""

    deadly: str = ""

    def __call__(self, place: str) -> str:
        if place == self.deadly:
            os.kill(os.getpid(), signal.SIGKILL)
        return place.upper()

    def lost(self, place: str, text: str) -> str:
        return f"lost {place}: {text}"


class Where(Reading):
    """Answers which process it is."""

    def __call__(self, place: str) -> str:
        return str(os.getpid() if place else "")


ALL = [place.upper() for place in PLACES]


def test_results_come_in_order_however_they_are_read():
    assert list(mapped(1)(Reading(), PLACES)) == ALL
    assert list(mapped(2)(Reading(), PLACES)) == ALL


def test_the_death_of_a_worker_costs_the_log_that_it_read():
    found = list(side_by_side(2, Reading(deadly=PLACES[3]), PLACES))
    died = f"lost {PLACES[3]}: the process that read it died (crash, kill or no memory)"
    assert found == [*ALL[:3], died, *ALL[4:]]


def test_little_is_read_without_a_pool():
    assert list(mapped(0, size=1000)(Where(), PLACES)) == [str(os.getpid())] * len(PLACES)
    assert str(os.getpid()) not in list(mapped(2, size=1000)(Where(), PLACES))


def test_a_dask_cluster_reads_the_same():
    distributed = pytest.importorskip("distributed")
    with distributed.LocalCluster(
        n_workers=1, threads_per_worker=2, processes=False, dashboard_address=None
    ) as cluster:
        assert list(on_cluster(cluster.scheduler_address, Reading(), PLACES)) == ALL


def test_a_scheduler_that_does_not_answer_is_told(monkeypatch):
    pytest.importorskip("distributed")
    monkeypatch.setattr("esper_audit.traces.workers.CONNECT_SECONDS", 0.3)
    with pytest.raises(IncompleteError, match="No Dask scheduler answers at tcp"):
        list(on_cluster("tcp://127.0.0.1:9", Reading(), PLACES))
