"""A model and a trainer of PyTorch Lightning; imported by tests as they run, which takes seconds."""

from __future__ import annotations

import warnings
from typing import Any

import torch

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import lightning.pytorch as lightning
    import pytorch_lightning
    from lightning.pytorch.loggers import CSVLogger

    from esper_audit.integrations.lightning import RecompileMonitor

__all__ = [
    "CSVLogger",
    "Model",
    "RecompileMonitor",
    "batches",
    "lightning",
    "pytorch_lightning",
    "trainer_of",
]


class Model(lightning.LightningModule):
    """Its batches decide what is compiled: ``dynamic=False``, so each size is one."""

    def __init__(self, fails_at=None, error=ValueError):
        super().__init__()
        self.net = torch.nn.Linear(2, 1)
        self.compiled = torch.compile(self.net, backend="eager", dynamic=False)
        self.fails_at, self.error = fails_at, error

    def training_step(self, batch, batch_idx):
        if batch_idx == self.fails_at:
            raise self.error("of the training itself")
        return self.compiled(batch).mean()

    def validation_step(self, batch, batch_idx, dataloader_idx=0):  # noqa: ARG002
        self.compiled(batch)

    test_step = validation_step

    def predict_step(self, batch, batch_idx):  # noqa: ARG002
        return self.compiled(batch)

    def configure_optimizers(self):
        return torch.optim.SGD(self.parameters(), 0.1)


def batches(*sizes):
    data: Any = [torch.ones(size, 2) for size in sizes]
    return torch.utils.data.DataLoader(data, batch_size=None)


def trainer_of(monitor, folder, package=lightning, **options):
    given = {
        "max_epochs": 1,
        "accelerator": "cpu",
        "logger": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
        "enable_checkpointing": False,
        "num_sanity_val_steps": 0,
        "default_root_dir": folder,
    }
    return package.Trainer(callbacks=[monitor], **{**given, **options})
