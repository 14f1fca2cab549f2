"""A callback for the Trainer of Hugging Face: what torch.compile does, among its logs by step::

    with watch(trainer, warm_up_steps=5, max_recompiles_after_warm_up=0):
        trainer.train()

``Trainer(callbacks=[RecompileCallback()])`` does the same, but for a training that raises: a
Trainer tells its callbacks nothing of it, so the recording goes on until the next training begins.
"""

# Callbacks take what a Trainer passes by position.
# ruff: noqa: ARG002

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal

from esper_audit.api import LiveRecording
from esper_audit.errors import MissingPackageError
from esper_audit.integrations.metrics import StepMetrics

if find_spec("transformers") is None:
    raise MissingPackageError("transformers", "transformers")

from transformers.trainer_callback import CallbackHandler, DefaultFlowCallback, TrainerCallback

if TYPE_CHECKING:
    from transformers import Trainer, TrainerControl, TrainerState, TrainingArguments

_NEAR = 4
"""Frames from a callback's method to the handler that called it, methods of subclasses included."""


class RecompileCallback(TrainerCallback):
    """Adds what torch.compile did to what the Trainer logs, and keeps a budget.

    Each ``train`` is recorded anew. As a context manager it records the whole block, evaluation and
    prediction too, and its hooks are gone after it, whatever was raised in it. Each rank has its
    own metrics, which are not synchronized.

    Args:
        max_recompiles, max_recompiles_after_warm_up, warm_up_steps, on_excess, provenance: as of
            :class:`esper_audit.integrations.metrics.StepMetrics`. A step is one of the optimizer.
    """

    def __init__(
        self,
        *,
        max_recompiles: int | None = None,
        max_recompiles_after_warm_up: int | None = None,
        warm_up_steps: int | None = None,
        on_excess: Literal["warn", "raise"] = "warn",
        provenance: bool = False,
    ) -> None:
        self._metrics = StepMetrics(
            max_recompiles=max_recompiles,
            max_recompiles_after_warm_up=max_recompiles_after_warm_up,
            warm_up_steps=warm_up_steps,
            on_excess=on_excess,
            provenance=provenance,
        )
        self._is_held = False
        self._evaluated = 0

    @property
    def recording(self) -> LiveRecording | None:
        """Of the present or the last training; None before the first."""
        return self._metrics.recording

    def __enter__(self) -> RecompileCallback:
        self._metrics.begin()
        self._is_held = True
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._is_held = False
        self._metrics.end(failed=kind is not None)

    # --- what a Trainer tells ---

    def on_init_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.hand(_come_first, self, _handler())

    def on_train_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.rank = args.process_index if args.world_size > 1 else None
        self._metrics.hand(_come_first, self, _handler())
        if not self._is_held:
            self._metrics.begin()

    def on_step_begin(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.step(f"step {state.global_step + 1}")

    def on_substep_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.check()

    def on_step_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.check()
        self._after_step(state, control)

    def on_epoch_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._after_step(state, control)

    def _after_step(self, state: TrainerState, control: TrainerControl) -> None:
        self._evaluated = 0
        what = "evaluation, batch 1, " if control.should_evaluate else ""
        self._metrics.mark(f"{what}after step {state.global_step}")

    def on_prediction_step(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._metrics.check()
        self._evaluated += 1
        self._metrics.mark(
            f"evaluation, batch {self._evaluated + 1}, after step {state.global_step}"
        )

    def on_evaluate(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        self._evaluated = 0
        self._metrics.mark(f"after step {state.global_step}")

    def on_predict(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        *rest: Any,
        **kwargs: Any,
    ) -> None:
        self._evaluated = 0
        self._metrics.mark(f"after step {state.global_step}")

    def on_log(
        self,
        args: TrainingArguments,
        state: TrainerState,
        control: TrainerControl,
        logs: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        if logs is None or not self._metrics.is_live:
            return
        found = self._metrics.measure()
        logs.update(found)
        # The Trainer has put a copy of the logs there before it called.
        if state.log_history and state.log_history[-1].get("step") == state.global_step:
            state.log_history[-1].update(found)

    def on_train_end(
        self, args: TrainingArguments, state: TrainerState, control: TrainerControl, **kwargs: Any
    ) -> None:
        if not self._is_held:
            self._metrics.end()


@contextmanager
def watch(trainer: Trainer, **options: Any) -> Iterator[RecompileCallback]:
    """Record what a Trainer does in a block, with the options of a :class:`RecompileCallback`."""
    callback = RecompileCallback(**options)
    trainer.add_callback(callback)
    _come_first(callback, trainer.callback_handler)
    try:
        with callback:
            yield callback
    finally:
        trainer.remove_callback(callback)


def _handler() -> CallbackHandler | None:
    """Who calls a callback's method: a Trainer does not pass it."""
    frame = sys._getframe(2)
    for _ in range(_NEAR):
        held = frame.f_locals.get("self")
        if isinstance(held, CallbackHandler):
            return held
        if frame.f_back is None:
            break
        frame = frame.f_back
    return None


def _come_first(callback: TrainerCallback, handler: CallbackHandler | None) -> None:
    """Before those that hand logs on, as to TensorBoard; after the one that decides what follows.

    A handler calls its callbacks in order, and goes on behind the place of the one that moves.
    """
    if handler is None or callback not in handler.callbacks:
        return
    handler.callbacks.remove(callback)
    flow = bool(handler.callbacks) and isinstance(handler.callbacks[0], DefaultFlowCallback)
    handler.callbacks.insert(int(flow), callback)
