"""Seconds of compiling, each counted once: by stage, by frame and by cause."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import FRAME, OTHER, compiled, failure, recording

from esper_audit.data.compiles import Outcome
from esper_audit.data.logs import CacheUse, GraphSkip
from esper_audit.data.stages import Seconds
from esper_audit.diagnosis.causes import root_causes
from esper_audit.diagnosis.costs import frame_costs, seconds_of_causes, stage_costs
from esper_audit.report.pictures.anchors import Anchors
from esper_audit.report.pictures.costs import costs
from esper_audit.report.sections import Item, Table

KNOWN = compiled(0, seconds=Seconds(2.0, 0.5, 0.7, 0.3))
UNTOLD = compiled(1, seconds=Seconds(1.0), frame=OTHER)
BOTH = compiled(
    2,
    Outcome.RECOMPILED,
    seconds=Seconds(0.5),
    guard_failures=(failure(), failure(source="self.mode", actual="'b'", expected="'a'")),
)


def section(*compiles, whole=None, **fields):
    causes = root_causes(compiles, after_warm_up_only=False)
    pairs = [(finding, finding.seconds) for finding in causes]
    return costs([recording((), compiles, **fields)], pairs, Anchors(), whole)


def tables(found):
    return {
        table.heads[0]: {row[0].text: [cell.text for cell in row[1:]] for row in table.rows}
        for table in found.body
        if isinstance(table, Table)
    }


def test_stages_add_up_to_the_total_and_what_is_not_told_is_the_rest():
    found = stage_costs([KNOWN, UNTOLD])
    assert (found.dynamo, found.aot_autograd, found.backend) == (0.5, 0.7, 0.3)
    assert found.rest == pytest.approx(1.5)
    assert found.total == 3.0


def test_stages_that_torch_measures_longer_than_the_compile_never_exceed_it():
    found = stage_costs([compiled(0, seconds=Seconds(1.0, 2.0, 2.0))])
    assert (found.dynamo, found.aot_autograd, found.rest, found.total) == (0.5, 0.5, 0.0, 1.0)
    assert stage_costs([compiled(0, seconds=Seconds(0.0))]).total == 0.0


def test_frames_add_up_to_the_total():
    found = frame_costs([KNOWN, UNTOLD, BOTH])
    assert [(costs.frame, costs.compiles, costs.seconds) for costs in found] == [
        (FRAME, 2, 2.5),
        (OTHER, 1, 1.0),
    ]


def test_a_recompile_with_two_causes_costs_its_seconds_once():
    assert seconds_of_causes([KNOWN, BOTH]) == 0.5
    found = tables(section(KNOWN, BOTH))["cause"]
    assert found["all recompiles"] == ["0.5", "20%"]
    assert found["all other compiles"] == ["2.0", "80%"]
    assert found["all"] == ["2.5", "100%"]


def test_the_page_says_where_causes_share_seconds():
    assert sum(finding.seconds for finding in root_causes([BOTH])) == 1.0
    assert "in each of them" in section(KNOWN, BOTH).notes[0].text
    alone = replace(BOTH, guard_failures=BOTH.guard_failures[:1])
    assert section(KNOWN, alone).notes == ()


def test_a_share_is_told_where_there_is_one():
    def first(**options):
        block = section(KNOWN, **options).body[0]
        assert isinstance(block, Item)
        return block.line.text

    assert first(whole=4.0) == "2.0 s of compiling, 50% of 4.0 s"
    assert first(whole=1.0) == "2.0 s of compiling", "threads compiled at once"
    assert first() == "2.0 s of compiling"


def test_caches_and_skipped_cuda_graphs_are_told_where_they_were_recorded():
    caches = (CacheUse(cache="fx_graph", hits=2, misses=1), CacheUse(cache="fx_graph", hits=3))
    why = "mutated inputs"
    skips = (
        GraphSkip(compile_id="0/0", reason=why, count=2),
        GraphSkip(compile_id="0/1", reason=why),
    )
    found = tables(section(KNOWN, caches=caches, graph_skips=skips))
    assert found["compile cache"] == {"fx_graph": ["5", "1", "0"]}
    assert found["compiles without a CUDA graph: why"] == {"mutated inputs": ["3"]}
    assert "compile cache" not in tables(section(KNOWN))


def test_what_compiled_nothing_has_no_costs():
    assert section() is None
