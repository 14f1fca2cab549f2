"""A callback for PyTorch Lightning: what torch.compile does in a training, as metrics by step::

    trainer = Trainer(callbacks=[RecompileMonitor(warm_up_steps=5, max_recompiles_after_warm_up=0)])

For ``lightning.pytorch`` and for ``pytorch_lightning``, whichever the program uses: ``lightning``
installs both, and each has a ``Callback`` of its own.
"""

# Hooks take what Lightning passes by position.
# ruff: noqa: ARG002

from __future__ import annotations

import sys
from functools import partial
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from esper_audit.api import LiveRecording
from esper_audit.errors import MissingPackageError
from esper_audit.integrations.metrics import StepMetrics

_PACKAGES = ("lightning.pytorch", "pytorch_lightning")

if not any(find_spec(package.partition(".")[0]) for package in _PACKAGES):
    raise MissingPackageError("lightning", "lightning")


class RecompileMonitor:
    """Logs what torch.compile did by step, and keeps a budget.

    Each ``fit``, ``validate``, ``test`` and ``predict`` of a trainer is recorded anew, from
    ``setup`` to its end, whatever ends it. The metrics go to the trainer's loggers where one has
    changed and every ``log_every_n_steps``, and to ``trainer.callback_metrics``. Each rank has its
    own, which are not synchronized; loggers log those of rank 0.

    Args:
        max_recompiles, max_recompiles_after_warm_up, warm_up_steps, on_excess, provenance: as of
            :class:`esper_audit.integrations.metrics.StepMetrics`. A step is a training batch; where
            nothing trains, any batch.
    """

    def __new__(cls, *_: Any, **__: Any) -> RecompileMonitor:
        """An object that is a ``Callback`` of what the program has imported by now."""
        return object.__new__(_as_callback(cls, _frameworks()))

    def __init__(
        self,
        *,
        max_recompiles: int | None = None,
        max_recompiles_after_warm_up: int | None = None,
        warm_up_steps: int | None = None,
        on_excess: Literal["warn", "raise"] = "warn",
        provenance: bool = False,
    ) -> None:
        options: dict[str, Any] = {
            "max_recompiles": max_recompiles,
            "max_recompiles_after_warm_up": max_recompiles_after_warm_up,
            "warm_up_steps": warm_up_steps,
            "on_excess": on_excess,
            "provenance": provenance,
        }
        self._remake = partial(getattr(type(self), "written", type(self)), **options)
        self._metrics = StepMetrics(**options)
        self._last: dict[str, float] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        """A copy, as in another process, begins without what was recorded."""
        return self._remake, ()

    @property
    def recording(self) -> LiveRecording | None:
        """Of the present or the last training; None before the first."""
        return self._metrics.recording

    # --- from the first to the last of what a trainer does ---

    def setup(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._metrics.rank = trainer.global_rank if trainer.world_size > 1 else None
        self._last = {}
        self._metrics.begin()

    def on_exception(self, trainer: Any, pl_module: Any, exception: BaseException) -> None:
        self._metrics.end(failed=True)

    def teardown(self, trainer: Any, pl_module: Any, stage: str) -> None:
        self._metrics.end()

    # --- training ---

    def on_train_batch_start(
        self, trainer: Any, pl_module: Any, batch: Any, batch_idx: int
    ) -> None:
        self._metrics.step(f"epoch {trainer.current_epoch}, batch {batch_idx}")

    def on_train_batch_end(
        self,
        trainer: Any,
        pl_module: Any,
        outputs: Any,
        batch: Any,
        batch_idx: int,
    ) -> None:
        self._metrics.check()
        found = self._metrics.measure()
        is_new = found != self._last
        if is_new:
            self._last = found
            self._metrics.hand(
                pl_module.log_dict, found, on_step=True, on_epoch=False, logger=False, batch_size=1
            )
        if is_new or (batch_idx + 1) % (trainer.log_every_n_steps or 1) == 0:
            self._metrics.hand(_write, trainer, found)

    def on_train_end(self, trainer: Any, pl_module: Any) -> None:
        self._finish(trainer, "the end of the training")

    # --- what is no training ---

    def on_validation_batch_start(self, trainer: Any, *batch: Any, **named: Any) -> None:
        what = "sanity check" if trainer.sanity_checking else "validation"
        self._begin_batch(trainer, what, *batch, **named)

    def on_validation_batch_end(self, *_: Any, **__: Any) -> None:
        self._metrics.check()

    def on_validation_end(self, trainer: Any, pl_module: Any) -> None:
        if trainer.state.fn == "fit":
            self._metrics.mark("after validation")
        else:
            self._finish(trainer, "the end of the validation")

    def on_test_batch_start(self, trainer: Any, *batch: Any, **named: Any) -> None:
        self._begin_batch(trainer, "test", *batch, **named)

    def on_test_batch_end(self, *_: Any, **__: Any) -> None:
        self._metrics.check()

    def on_test_end(self, trainer: Any, pl_module: Any) -> None:
        self._finish(trainer, "the end of the test")

    def on_predict_batch_start(self, trainer: Any, *batch: Any, **named: Any) -> None:
        self._begin_batch(trainer, "predict", *batch, **named)

    def on_predict_batch_end(self, *_: Any, **__: Any) -> None:
        self._metrics.check()

    def on_predict_end(self, trainer: Any, pl_module: Any) -> None:
        self._finish(trainer, "the end of the prediction")

    def _begin_batch(
        self,
        trainer: Any,
        what: str,
        pl_module: Any,
        batch: Any,
        batch_idx: int,
        dataloader_idx: int = 0,
    ) -> None:
        """``what`` it is a batch of; the others are Lightning's arguments, by Lightning's names."""
        of = f" of dataloader {dataloader_idx}" if dataloader_idx else ""
        begin = self._metrics.mark if trainer.state.fn == "fit" else self._metrics.step
        begin(f"{what} batch {batch_idx}{of}")

    def _finish(self, trainer: Any, place: str) -> None:
        self._metrics.mark(place)
        self._metrics.hand(_write, trainer, self._metrics.measure())


def _write(trainer: Any, found: dict[str, float]) -> None:
    """To every logger, at the step at which Lightning logs what the batch itself logs."""
    step = getattr(trainer.fit_loop.epoch_loop, "_batches_that_stepped", trainer.global_step)
    for logger in trainer.loggers:
        logger.log_metrics(found, step=step)


def _frameworks() -> tuple[type, ...]:
    """The ``Callback`` of each package that is imported by now, else of the first there is."""
    loaded = [package for package in _PACKAGES if package in sys.modules]
    found = loaded or [package for package in _PACKAGES if find_spec(package.partition(".")[0])][:1]
    return tuple(import_module(package).Callback for package in found)


_MADE: dict[tuple[type, ...], type] = {}


def _as_callback(cls: type, bases: tuple[type, ...]) -> type:
    """The class as a ``Callback`` of these; ``written`` is the one that its author wrote."""
    if issubclass(cls, bases):
        return cls
    if (cls, *bases) not in _MADE:
        names = {"__module__": cls.__module__, "__doc__": cls.__doc__, "written": cls}
        _MADE[cls, *bases] = type(cls.__name__, (cls, *bases), names)
    return _MADE[cls, *bases]
