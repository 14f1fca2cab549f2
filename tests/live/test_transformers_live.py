"""RecompileCallback in real trainings of the Trainer of Hugging Face: logs by step, budgets, endings."""

# Callbacks take what a Trainer passes by position.
# ruff: noqa: ARG002, TC004

from __future__ import annotations

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
    from trainer_training import (
        FailsAt,
        Model,
        RecompileCallback,
        TrainerCallback,
        event_accumulator,
        rows,
        trainer_of,
        watch,
    )

pytestmark = [
    pytest.mark.usefixtures("clean_dynamo"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),  # of transformers, by way of our calls
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("error::esper_audit.RecompileWarning"),
]
LATE: Any = {"warm_up_steps": 1, "max_recompiles_after_warm_up": 0}
NAMES = ("step", "esper_audit/recompiles", "esper_audit/new_recompiles")


@pytest.fixture(scope="module", autouse=True)
def framework():
    """Imported here and not above: every worker would as it collects the tests."""
    module = import_module("trainer_training")
    globals().update({name: getattr(module, name) for name in module.__all__})


def places(callback):
    return [made.label for made in callback.recording.result.compiles]


@pytest.fixture(autouse=True)
def nobody_listens_afterwards():
    yield
    assert marks._listeners == []


def test_logs_and_what_they_reach_hold_the_metrics_by_step(tmp_path, monkeypatch):
    monkeypatch.setenv("TENSORBOARD_LOGGING_DIR", str(tmp_path / "tb"))
    seen: list[dict[str, Any]] = []

    class Later(TrainerCallback):
        def on_log(self, args, state, control, logs=None, **_):
            seen.append(dict(logs))

    callbacks = (Later(), RecompileCallback())
    trainer = trainer_of(
        tmp_path, rows(2, 2, 3, 2), callbacks=callbacks, report_to=["tensorboard"], logging_steps=1
    )
    trainer.train()
    told = [[entry[name] for name in NAMES] for entry in trainer.state.log_history]
    assert told == [[1, 0, 0], [2, 0, 0], [3, 1, 1], [4, 1, 0], [4, 1, 0]]
    assert [logs["esper_audit/recompiles"] for logs in seen] == [0, 0, 1, 1, 1]
    [file] = (tmp_path / "tb").rglob("events*")
    events = event_accumulator.EventAccumulator(str(file)).Reload()
    points = events.Scalars("train/esper_audit/recompiles")
    assert [(point.step, point.value) for point in points] == [
        (1, 0),
        (2, 0),
        (3, 1),
        (4, 1),
        (4, 1),
    ]


def test_a_recompile_in_evaluation_is_named_as_such_and_warned_of_once(tmp_path):
    trainer = trainer_of(
        tmp_path, rows(2, 2, 2, 2), rows(2, 5), eval_strategy="steps", eval_steps=2
    )
    with pytest.warns(RecompileWarning) as said, watch(trainer, **LATE) as callback:
        trainer.train()
    [ours] = [told for told in said if told.category is RecompileWarning]
    assert Path(ours.filename) == Path(__file__)
    batches = ["evaluation, batch 1, after step 2", "evaluation, batch 2, after step 2"]
    assert str(ours.message).startswith(f"{batches[0]}: 1 recompile after warm-up, 0 allowed")
    assert places(callback) == ["step 1", *batches]
    assert callback not in trainer.callback_handler.callbacks


def test_an_error_that_was_asked_for_ends_the_training_and_the_recording(tmp_path):
    callback = RecompileCallback(**LATE, on_excess="raise")
    trainer = trainer_of(
        tmp_path, rows(2, 2, 2, 3), callbacks=[callback], gradient_accumulation_steps=2
    )
    with pytest.raises(
        RecompileError, match="step 2: 1 recompile after warm-up, 0 allowed"
    ) as failed:
        trainer.train()
    assert "size-changed: input in Linear: size=[2, 2] -> size=[3, 2]" in str(failed.value)
    assert places(callback) == ["step 1", "step 2"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_watched_training_that_raises_leaves_nothing_behind(tmp_path, error):
    trainer = trainer_of(tmp_path, rows(2, 3, 4), callbacks=[FailsAt(2, error)])
    with pytest.raises(error), watch(trainer, max_recompiles=9) as callback:
        trainer.train()
    assert marks._listeners == [] and places(callback) == ["step 1", "step 2"]
    assert callback not in trainer.callback_handler.callbacks


def test_a_second_training_with_the_same_callback_is_recorded_anew(tmp_path):
    callback, fails = RecompileCallback(), FailsAt(2, ValueError)
    trainer = trainer_of(tmp_path, rows(2, 3, 4), callbacks=[fails, callback])
    with pytest.raises(ValueError):
        trainer.train()
    fails.step = None
    with esper_audit.record() as outer:
        trainer.train()
    assert places(callback) == ["step 3"] == [made.label for made in outer.result.compiles]


def test_a_model_that_the_trainer_compiles_is_recorded_and_resumed(tmp_path):
    options: Any = {
        "torch_compile": True,
        "torch_compile_backend": "eager",
        "save_strategy": "steps",
        "save_steps": 1,
    }
    first = trainer_of(tmp_path, rows(2, 2), model=Model(is_compiled=False), **options)
    with watch(first, max_recompiles=0) as callback:
        first.train()
    assert callback.recording.compiles == 1
    torch.compiler.reset()
    second = trainer_of(tmp_path, rows(2, 2, 3, 3), model=Model(is_compiled=False), **options)
    with watch(second) as callback:
        second.train(resume_from_checkpoint=True)
    assert places(callback) == ["step 3"]


def test_the_training_of_the_document_warns_in_the_step_that_it_shows(tmp_path, monkeypatch):
    [program] = [b for b in blocks("docs/how-to/watch-training.md") if "trainer" in b.title]
    monkeypatch.chdir(tmp_path)
    with pytest.warns(RecompileWarning, match="^step 4: 1 recompile after warm-up, 0 allowed"):
        exec(compile(program.text, program.title, "exec"), {"__name__": "__main__"})
