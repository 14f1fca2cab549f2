"""The replay that a scenario is given: it compiles, marks phases, runs steps, keeps evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NoReturn

import torch

from esper_audit import _dynamo
from esper_audit.data.comparisons import Comparison
from esper_audit.data.expectations import Claim
from esper_audit.data.jobs import Job
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.steps import Lookups, Observation, Phase, Step
from esper_audit.recording.recorder import Recorder
from esper_audit.replay.calls import Calls
from esper_audit.replay.compare import DEFAULT_TOLERANCES, StepResult
from esper_audit.replay.home import leave_unless_home
from esper_audit.replay.scenario_api import skip
from esper_audit.replay.snapshot import modules_of
from esper_audit.replay.state import gradients, state_of
from esper_audit.replay.twin import Call, Twins, comparisons_of
from esper_audit.replay.values import checksum

Target = Callable[..., Any]
Loss = Callable[[Any], torch.Tensor]


class Enough(BaseException):
    """All that was asked of this replay is known. No ``except Exception`` may swallow it."""


class ReplaySession:
    """Given to each scenario as its first argument.

    A step is one call of what :meth:`compile` returned. Steps inside ``with replay.warm_up():``
    may compile; every later one must reuse.
    """

    def __init__(self, job: Job, recorder: Recorder | None) -> None:
        self._job = job
        self._recorder = recorder
        self._phase = Phase.STEADY
        self._events: list[str] = []
        self.callables = 0
        self.steps: list[Step] = []
        self.observations: list[Observation] = []
        self.notes: list[Reason] = []
        self._tolerances = DEFAULT_TOLERANCES | job.tolerances
        self._calls = Calls(job.variant.levers, self._aside)

    def compile(
        self,
        target: Target,
        *,
        reference: Target | None = None,
        backend: str | Target | None = None,
        **options: Any,
    ) -> CompiledStep:
        """Compile a module or function with ``torch.compile`` and the options of this run.

        Args:
            target: an ``nn.Module`` or a function.
            reference: computes the right result plainly. It is called as
                ``reference(target, *arguments)``, where it can change nothing of yours.
            backend: a name or a function, instead of the run's.
            options: more arguments of ``torch.compile``, instead of the run's.
        """
        asked = self._job.options
        chosen: dict[str, Any] = {"fullgraph": asked.fullgraph, "dynamic": asked.dynamic}
        if asked.mode is not None:
            chosen["mode"] = asked.mode
        chosen |= {"backend": backend or self._job.options.backend} | options
        self.callables += 1
        compiled = torch.compile(target, **chosen)
        return CompiledStep(self, self.callables - 1, target, compiled, reference)

    @contextmanager
    def warm_up(self) -> Iterator[None]:
        """Steps inside may compile. May be entered again, after a change that must compile."""
        before, self._phase = self._phase, Phase.WARM_UP
        try:
            yield
        finally:
            self._phase = before

    @contextmanager
    def event(self, label: str) -> Iterator[None]:
        """Name what happens between two steps; the next step carries the label."""
        self._events.append(str(label))
        yield

    def observe(self, claim: Claim, holds: bool, because: str) -> None:
        """State directly that this replay confirms or refutes a claim.

        A claim that is observed in a replay is decided by the observations, not by its verdict.
        """
        if not self._calls.rehearsing:
            self.observations.append(Observation(claim.id, bool(holds), because))

    def note(self, text: str) -> None:
        """Add a remark to the report."""
        self._note(Reason(why=Why.REMARK, text=str(text)))

    def _note(self, note: Reason) -> None:
        if note not in self.notes:
            self.notes.append(note)

    def say_overridden(self, names: Iterable[str]) -> None:
        """Note what the scenario sets itself, in place of a lever of this replay."""
        for name in names:
            self._note(Reason(why=Why.LEVER_OVERRIDDEN, text=name))

    def skip(self, reason: str) -> NoReturn:
        """End this replay as skipped, because ``reason``."""
        skip(reason)

    @property
    def device(self) -> torch.device:
        """The accelerator where there is one, else the CPU."""
        return torch.device(_dynamo.accelerator() or "cpu")

    def second_device(self) -> torch.device:
        """A device other than the CPU: the accelerator, else a stand-in made in pure Python.

        The stand-in runs forward passes under ``eager`` and ``aot_eager`` alone; on any other
        backend this skips the replay. The report says which was used.
        """
        if _dynamo.accelerator():
            self._note(Reason(why=Why.REAL_DEVICE, text=_dynamo.accelerator()))
            return self.device
        backend = self._job.options.backend
        if backend not in ("eager", "aot_eager"):
            skip(
                f"no accelerator here, and the stand-in device can't run {backend}:"
                " it has no code generator"
            )
        try:
            device = _dynamo.stand_in_device()
        except RuntimeError as error:
            skip(f"no accelerator here, and no stand-in for one: {error}")
        self._note(Reason(why=Why.STAND_IN_DEVICE))
        return device

    def run_scenario(self, function: Callable[[ReplaySession], None]) -> None:
        """Run it, twice where a lever asks for that: then all of the first run is warm-up."""
        if self._calls.need_rehearsal:
            with self._calls.rehearsal():
                function(self)
            self._events.clear()
            self.callables = 0  # those of the second run are the same ones
        function(self)

    # --- one step ---

    def run_step(self, step: CompiledStep, loss: Loss | None, args: Any, kwargs: Any) -> Any:
        """Run, record and compare one call; used by :class:`CompiledStep`."""
        self._calls.prepare(step.number, step.target, step.compiled, args, kwargs)
        with self._twins(step, loss, args, kwargs) as twins:
            result = self._run(step, loss, args, kwargs, twins)
        enough, recorder = self._job.variant.enough, self._recorder
        if enough is not None and recorder is not None and recorder.attempts >= enough:
            raise Enough
        return result

    def _run(
        self, step: CompiledStep, loss: Loss | None, args: Any, kwargs: Any, twins: Twins
    ) -> Any:
        modules = modules_of(step.target, args, kwargs, loss)
        index, label = len(self.steps), ", ".join(self._events)
        phase = Phase.WARM_UP if self._calls.rehearsing else self._phase
        self._events.clear()
        call = _Call(self._lookups)
        at = round(self._recorder.seconds, 6) if self._recorder is not None else None
        started = time.perf_counter()
        try:
            with self._recorded(index, phase), leave_unless_home():
                call.run(step.compiled, loss, args, kwargs)
        except BaseException as raised:
            call.error = f"{type(raised).__name__}: {raised}"
            raise
        finally:
            seconds = time.perf_counter() - started
            kept = twins.shares or self._job.variant.checksums
            state = state_of(modules, args, kwargs) if self._job.compare or kept else {}
            found = StepResult(call.output_and_loss, gradients(state), state)
            comparisons = () if call.error else self._compare(found, step, twins)
            told = (found.output, found.gradients)
            self.steps.append(
                Step(
                    index=index,
                    phase=phase,
                    label=label,
                    callable_index=step.number,
                    lookups=call.lookups,
                    seconds=seconds,
                    comparisons=comparisons,
                    operations=tuple(twins.operations),
                    error=call.error,
                    shares=twins.shares,
                    checksum=checksum(told) if kept and not call.error else (),
                    at=at,
                )
            )
        return call.output if loss is None else call.loss

    def _lookups(self) -> Lookups:
        return self._recorder.lookups if self._recorder is not None else Lookups()

    @contextmanager
    def _recorded(self, index: int, phase: Phase) -> Iterator[None]:
        if self._recorder is None:
            yield
            return
        with self._recorder.step(index, phase):
            yield

    def _aside(self) -> AbstractContextManager[None]:
        return self._recorder.aside() if self._recorder is not None else nullcontext()

    @contextmanager
    def _twins(
        self, step: CompiledStep, loss: Loss | None, args: Any, kwargs: Any
    ) -> Iterator[Twins]:
        """What the step should give, being computed while it runs."""
        twins = Twins()
        try:
            with self._aside():
                locate = self._recorder is not None and self._recorder.gave_up
                twins.begin(
                    {
                        against: Call(step.target, reference, loss, args, kwargs, locate)
                        for against, reference in self._runners(step).items()
                    }
                )
            yield twins
        finally:
            twins.end()

    def _runners(self, step: CompiledStep) -> dict[str, Target | None]:
        if not self._job.compare:
            return {}
        return {"eager": None} | ({"reference": step.reference} if step.reference else {})

    def _compare(
        self, found: StepResult, step: CompiledStep, twins: Twins
    ) -> tuple[Comparison, ...]:
        return tuple(
            comparison
            for against, twin in twins.wait(self._runners(step)).items()
            for comparison in comparisons_of(found, against, twin, self._tolerances)
        )

    def __deepcopy__(self, memo: dict[int, Any]) -> ReplaySession:
        """A step's copy shares the session: what it copies is the user's state."""
        return self


class CompiledStep:
    """A compiled callable of a replay; each call is one step."""

    def __init__(
        self,
        session: ReplaySession,
        number: int,
        target: Target,
        compiled: Target,
        reference: Target | None,
    ) -> None:
        self._session = session
        self.number = number
        self.target = target
        self.compiled = compiled
        self.reference = reference

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """One step, forward only; returns what the compiled code returned."""
        return self._session.run_step(self, None, args, kwargs)

    def train(self, loss: Loss, *args: Any, **kwargs: Any) -> torch.Tensor:
        """One step with a backward: ``loss(output)`` is a scalar, its gradients are compared too.

        Gradients add up as in any training loop: zero them between steps. Returns the loss.
        """
        result: torch.Tensor = self._session.run_step(self, loss, args, kwargs)
        return result

    def __deepcopy__(self, memo: dict[int, Any]) -> CompiledStep:
        """Compiled code is no state of a step."""
        return self


class _Call:
    """One call of the compiled code, and the lookups in it: those of a loss are not its own."""

    def __init__(self, lookups: Callable[[], Lookups]) -> None:
        self._lookups = lookups
        self.lookups = Lookups()
        self.output: Any = None
        self.loss: torch.Tensor | None = None
        self.error = ""

    @property
    def output_and_loss(self) -> Any:
        return self.output if self.loss is None else (self.output, self.loss)

    def run(self, target: Target, loss: Loss | None, args: Any, kwargs: Any) -> None:
        before = self._lookups()
        try:
            self.output = target(*args, **kwargs)
        finally:
            after = self._lookups()
            self.lookups = Lookups(after.hits - before.hits, after.misses - before.misses)
        if loss is not None:
            value = loss(self.output)
            value.backward()
            self.loss = value.detach()
