"""A model and a Trainer of Hugging Face; imported by tests as they run, which takes seconds."""

# Callbacks take what a Trainer passes by position.
# ruff: noqa: ARG002

from __future__ import annotations

from typing import Any

import torch
from tensorboard.backend.event_processing import event_accumulator
from transformers import Trainer, TrainerCallback, TrainingArguments

from esper_audit.integrations.transformers import RecompileCallback, watch

__all__ = [
    "FailsAt",
    "Model",
    "RecompileCallback",
    "TrainerCallback",
    "event_accumulator",
    "rows",
    "trainer_of",
    "watch",
]


class Model(torch.nn.Module):
    """Its batches decide what is compiled: ``dynamic=False``, so each size is one."""

    def __init__(self, is_compiled=True):
        super().__init__()
        net = torch.nn.Linear(2, 1)
        self.net = torch.compile(net, backend="eager", dynamic=False) if is_compiled else net

    def forward(self, x, labels=None):
        loss = self.net(x).mean()
        return {"loss": loss, "logits": loss.detach().reshape(1, 1)}


def rows(*sizes):
    """A batch each: it is collated as it is."""
    return [{"x": torch.ones(size, 2), "labels": torch.zeros(1)} for size in sizes]


class Ordered(Trainer):
    def _get_train_sampler(self, *_, **__):
        return torch.utils.data.SequentialSampler(range(len(self.train_dataset)))  # type: ignore[arg-type]


def trainer_of(folder, train, evaluate=(), model=None, callbacks=(), **options):
    given: dict[str, Any] = {
        "per_device_train_batch_size": 1,
        "per_device_eval_batch_size": 1,
        "num_train_epochs": 1,
        "logging_steps": 2,
        "use_cpu": True,
        "report_to": [],
        "save_strategy": "no",
        "disable_tqdm": True,
        "remove_unused_columns": False,
    }
    return Ordered(
        model or Model(),
        TrainingArguments(str(folder), **{**given, **options}),
        data_collator=lambda batch: batch[0],
        train_dataset=train,
        eval_dataset=list(evaluate) or None,
        callbacks=list(callbacks),
    )


class FailsAt(TrainerCallback):
    def __init__(self, step, error):
        self.step, self.error = step, error

    def on_step_end(self, args, state, control, **_):
        if state.global_step == self.step:
            raise self.error
