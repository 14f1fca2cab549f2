"""A real SummaryWriter, read back as TensorBoard reads it: scalars by step, causes as text."""

from __future__ import annotations

import pytest
import torch

from esper_audit import RecompileError
from esper_audit.integrations.tensorboard import RecompileScalars, write

pytestmark = pytest.mark.usefixtures("clean_dynamo")


def events(folder):
    from tensorboard.backend.event_processing import event_accumulator

    return event_accumulator.EventAccumulator(str(folder)).Reload()


def points(found, name):
    return [(point.step, point.value) for point in found.Scalars(f"esper_audit/{name}")]


def cause(found):
    [text] = found.Tensors("esper_audit/causes/text_summary")
    return text.step, text.tensor_proto.string_val[0].decode()


def test_a_loop_and_its_saved_recording_become_scalars_and_text(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    step = torch.compile(torch.nn.Linear(2, 2), backend="eager", dynamic=False)
    with SummaryWriter(tmp_path / "loop") as writer, RecompileScalars(writer) as scalars:
        for number, size in enumerate([2, 2, 3, 2]):
            scalars.step(number)
            step(torch.ones(size, 2))
    found = events(tmp_path / "loop")
    assert points(found, "recompiles") == [(0, 0), (2, 1), (3, 1)]
    assert points(found, "new_recompiles") == [(0, 0), (2, 1), (3, 0)]
    at, text = cause(found)
    assert at == 3 and "size-changed: input in Linear: size=[2, 2] -> size=[3, 2]" in text

    scalars.recording.save(tmp_path / "kept.json")
    with SummaryWriter(tmp_path / "kept") as writer:
        write(tmp_path / "kept.json", writer)
    kept = events(tmp_path / "kept")
    assert points(kept, "recompiles") == [(0, 0), (2, 1)]
    assert "in step 'step 2'" in cause(kept)[1]


def test_a_loop_that_recompiles_too_often_is_ended_where_that_is_asked_for(tmp_path):
    from torch.utils.tensorboard import SummaryWriter

    step = torch.compile(torch.nn.Linear(2, 2), backend="eager", dynamic=False)
    with (
        pytest.raises(RecompileError, match="step 1: 1 recompile, 0 allowed"),
        SummaryWriter(tmp_path) as writer,
        RecompileScalars(writer, max_recompiles=0, on_excess="raise") as scalars,
    ):
        for number, size in enumerate([2, 3, 4]):
            scalars.step(number)
            step(torch.ones(size, 2))
    assert scalars.recording.compiles == 2
    assert points(events(tmp_path), "recompiles") == [(0, 0), (1, 1)]
