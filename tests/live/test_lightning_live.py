"""RecompileMonitor in real trainings of PyTorch Lightning: metrics by step, budgets, every ending."""

# The framework is imported as the tests run.
# ruff: noqa: TC004

from __future__ import annotations

import copy
import csv
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import torch
from walk import blocks

import esper_audit
from esper_audit import RecompileError, RecompileWarning
from esper_audit.recording import marks

if TYPE_CHECKING:
    from lightning_training import (
        CSVLogger,
        Model,
        RecompileMonitor,
        batches,
        lightning,
        pytorch_lightning,
        trainer_of,
    )

pytestmark = [
    pytest.mark.usefixtures("clean_dynamo"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of Lightning, by way of our calls
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("error::esper_audit.RecompileWarning"),
]
LATE: Any = {"warm_up_steps": 1, "max_recompiles_after_warm_up": 0}


@pytest.fixture(scope="module", autouse=True)
def framework():
    """Imported here and not above: every worker would as it collects the tests."""
    module = import_module("lightning_training")
    globals().update({name: getattr(module, name) for name in module.__all__})


def places(monitor):
    return [made.label for made in monitor.recording.result.compiles]


@pytest.fixture(autouse=True)
def nobody_listens_afterwards():
    yield
    assert marks._listeners == []


def test_metrics_reach_loggers_at_the_step_in_which_they_change(tmp_path):
    monitor = RecompileMonitor()
    logger = CSVLogger(tmp_path)
    trainer = trainer_of(monitor, tmp_path, logger=logger, log_every_n_steps=3)
    trainer.fit(Model(), batches(2, 2, 3, 2, 2, 2))
    with Path(logger.log_dir, "metrics.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["esper_audit/recompiles"]]
    names = ("step", "esper_audit/recompiles", "esper_audit/new_recompiles")
    told = [[int(float(row[name])) for name in names] for row in rows]
    assert told == [[0, 0, 0], [2, 1, 1], [3, 1, 0], [5, 1, 0], [6, 1, 0]]
    assert trainer.callback_metrics["esper_audit/compiles"] == 2
    assert places(monitor) == ["epoch 0, batch 0", "epoch 0, batch 2"]


def test_a_recompile_in_validation_is_named_as_such_and_warned_of_once(tmp_path):
    monitor = RecompileMonitor(**LATE)
    loaders = [batches(2, 2), batches(2, 5, 6)]
    with pytest.warns(RecompileWarning) as said:
        trainer_of(monitor, tmp_path).fit(Model(), batches(2, 2), loaders)
    [ours] = [told for told in said if told.category is RecompileWarning]
    assert Path(ours.filename) == Path(__file__)
    assert str(ours.message).startswith("validation batch 0: 1 recompile after warm-up, 0 allowed")
    late = [
        "validation batch 0",
        "validation batch 1 of dataloader 1",
        "validation batch 2 of dataloader 1",
    ]
    assert places(monitor) == ["epoch 0, batch 0", *late]


def test_an_error_that_was_asked_for_ends_the_training_and_the_recording(tmp_path):
    monitor = RecompileMonitor(**LATE, on_excess="raise")
    with pytest.raises(
        RecompileError, match=r"epoch 0, batch 1: 1 recompile after warm-up"
    ) as failed:
        trainer_of(monitor, tmp_path).fit(Model(), batches(2, 3, 4))
    assert "size-changed: input in Linear: size=[2, 2] -> size=[3, 2]" in str(failed.value)
    assert places(monitor) == ["epoch 0, batch 0", "epoch 0, batch 1"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_training_that_is_cut_off_leaves_nothing_behind_and_may_begin_again(tmp_path, error):
    monitor = RecompileMonitor(max_recompiles=0)
    model = Model(fails_at=1, error=error)
    with pytest.raises((ValueError, SystemExit)):
        trainer_of(monitor, tmp_path).fit(model, batches(2, 3, 4))
    assert marks._listeners == [] and monitor.recording.compiles == 1
    torch.compiler.reset()
    trainer_of(monitor, tmp_path).fit(Model(), batches(2, 2))
    assert (monitor.recording.compiles, monitor.recording.recompiles) == (1, 0)


def test_validate_test_and_predict_are_recorded_too_each_anew(tmp_path):
    monitor, model = RecompileMonitor(**LATE), Model()
    trainer = trainer_of(monitor, tmp_path)
    for call, what in (
        (trainer.validate, "validation"),
        (trainer.test, "test"),
        (trainer.predict, "predict"),
    ):
        torch.compiler.reset()
        with pytest.warns(RecompileWarning, match=f"^{what} batch 1: 1 recompile after warm-up"):
            call(model, batches(2, 3))
        assert places(monitor) == [f"{what} batch 0", f"{what} batch 1"]


def test_it_serves_whichever_package_a_program_uses_and_nests_in_a_recording(tmp_path):
    monitor = RecompileMonitor()
    assert isinstance(monitor, lightning.Callback) and isinstance(
        monitor, pytorch_lightning.Callback
    )
    assert copy.deepcopy(monitor).recording is None

    class Other(pytorch_lightning.LightningModule):
        training_step, configure_optimizers = Model.training_step, Model.configure_optimizers

    model = Other()
    model.net, model.fails_at = torch.nn.Linear(2, 1), None
    model.compiled = torch.compile(model.net, backend="eager", dynamic=False)
    with esper_audit.record() as outer:
        trainer_of(monitor, tmp_path, pytorch_lightning, accumulate_grad_batches=2).fit(
            model, batches(2, 3, 3, 3)
        )
    assert outer.recompiles == monitor.recording.recompiles == 1
    assert [made.label for made in outer.result.compiles] == places(monitor)


def test_a_training_without_compiled_code_proves_nothing(tmp_path):
    model = Model()
    model.compiled = model.net
    with pytest.warns(RecompileWarning, match="Not completed: no compiled code ran"):
        trainer_of(RecompileMonitor(max_recompiles=0), tmp_path).fit(model, batches(2, 2))
    with pytest.warns(RecompileWarning, match=r"all 2 steps were warm-up \(warm_up_steps=9\)"):
        monitor = RecompileMonitor(
            warm_up_steps=9, max_recompiles_after_warm_up=0, on_excess="raise"
        )
        trainer_of(monitor, tmp_path).fit(Model(), batches(2, 2))


def test_the_training_of_the_document_warns_in_the_step_that_it_shows(tmp_path, monkeypatch):
    [program] = [
        block for block in blocks("docs/how-to/watch-training.md") if "lightning" in block.title
    ]
    monkeypatch.chdir(tmp_path)
    with pytest.warns(
        RecompileWarning, match="^epoch 0, batch 3: 1 recompile after warm-up, 0 allowed"
    ):
        exec(compile(program.text, program.title, "exec"), {"__name__": "__main__"})
    assert list(tmp_path.rglob("metrics.csv"))
