"""The scenario API: what a user writes to have torch.compile replayed and judged. No torch here.

A scenario is a function of a replay and its parameters::

    @scenario(params={"alpha": ("lazy_cache", "buffer")})
    def set_alpha_mid_rollout(replay, alpha):
        \"\"\"Does a new alpha between two steps recompile?\"\"\"
        host, x = build(alpha)
        step = replay.compile(host)
        with replay.warm_up():
            step(x)
        for value in ramp(0.1, 0.9, 9):
            with replay.event(f"set_alpha({value:.1f})"):
                host.slot.set_alpha(value)
            step(x)
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, NoReturn, overload

from esper_audit.data.expectations import NO_BUDGET, Budget, Claim
from esper_audit.errors import UsageError


class SkipScenario(Exception):  # noqa: N818  # not an error: it says that this replay can't be made here
    """Raised by :func:`skip`; the audit is reported as skipped, never as passed."""


def skip(reason: str) -> NoReturn:
    """End this scenario as skipped, because ``reason``."""
    raise SkipScenario(reason)


@dataclass(frozen=True)
class Scenario:
    """A function to be replayed, with what it declares. Made by :func:`scenario`."""

    function: Callable[..., None]
    name: str
    question: str
    params: Mapping[str, Sequence[Any]] = field(default_factory=dict)
    budget: Budget = NO_BUDGET
    claims: tuple[Claim, ...] = ()
    tolerances: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    time_limit: float | None = None
    spawn: bool = False

    def __call__(self, replay: Any, **parameters: Any) -> None:
        self.function(replay, **parameters)


@overload
def scenario(function: Callable[..., None]) -> Scenario: ...
@overload
def scenario(
    *,
    params: Mapping[str, Iterable[Any]] | None = ...,
    budget: Budget = ...,
    claims: Iterable[Claim] = ...,
    tolerances: Mapping[str, tuple[float, float]] | None = ...,
    time_limit: float | None = ...,
    spawn: bool = ...,
) -> Callable[[Callable[..., None]], Scenario]: ...
def scenario(
    function: Callable[..., None] | None = None,
    *,
    params: Mapping[str, Iterable[Any]] | None = None,
    budget: Budget = NO_BUDGET,
    claims: Iterable[Claim] = (),
    tolerances: Mapping[str, tuple[float, float]] | None = None,
    time_limit: float | None = None,
    spawn: bool = False,
) -> Scenario | Callable[[Callable[..., None]], Scenario]:
    """Declare a scenario.

    Args:
        params: values to replay with, by the name of the function's parameter; all combinations
            are replayed. A value is selected on the command line by its text.
        budget: what the scenario may cost after warm-up and still pass; nothing by default.
        claims: what it confirms by passing and refutes by failing.
        tolerances: (rtol, atol) by dtype name, such as ``{"float32": (1e-4, 1e-5)}``.
        time_limit: seconds after which it is stopped and reported as an error.
        spawn: give it a freshly started Python instead of a forked one.

    Raises:
        UsageError: a parameter is declared that the function doesn't take, or the reverse; or
            a limit, a bound or a tolerance is no number that it can be.
    """

    def declare(wrapped: Callable[..., None]) -> Scenario:
        declared = {name: tuple(values) for name, values in (params or {}).items()}
        _check_parameters(wrapped, declared)
        _check_limits(wrapped, time_limit, budget, tolerances or {})
        return Scenario(
            function=wrapped,
            name=wrapped.__name__,
            question=(inspect.getdoc(wrapped) or "").split("\n\n")[0].replace("\n", " "),
            params=declared,
            budget=budget,
            claims=tuple(claims),
            tolerances=dict(tolerances or {}),
            time_limit=time_limit,
            spawn=spawn,
        )

    return declare if function is None else declare(function)


def _check_parameters(function: Callable[..., None], declared: Mapping[str, Sequence[Any]]) -> None:
    taken = list(inspect.signature(function).parameters)[1:]
    if set(taken) != set(declared):
        raise UsageError(
            f"The scenario {function.__name__} takes {taken or 'no parameters'} after replay,"
            f" but declares values for {list(declared) or 'none'}.",
            "Give each parameter its values: @scenario(params={'name': (…)}).",
        )
    for name, values in declared.items():
        texts = [value_text(value) for value in values]
        twice = sorted({text for text in texts if texts.count(text) > 1})
        if twice:
            raise UsageError(
                f"The scenario {function.__name__} has two values of {name} that read the same:"
                f" {twice}.",
                "Values are selected by their text: make their texts differ.",
            )
    empty = [name for name, values in declared.items() if not values]
    if empty:
        raise UsageError(f"The scenario {function.__name__} has no values for {empty}.")


def _check_limits(
    function: Callable[..., None],
    time_limit: object,
    budget: Budget,
    tolerances: Mapping[str, object],
) -> None:
    """As of the same keys in ``[tool.esper-audit]``."""
    from esper_audit.data.config import wrong_settings

    bounds = {field.name: getattr(budget, field.name) for field in fields(budget)}
    given: dict[str, Any] = {
        "tolerances": {n: list(v) if isinstance(v, tuple) else v for n, v in tolerances.items()},
        "budget": {n.replace("_", "-"): v for n, v in bounds.items() if v is not None},
    }
    given |= {"time-limit": time_limit} if time_limit is not None else {}
    for wrong in wrong_settings(given):
        name = " ".join(wrong.place).replace("-", "_")
        raise UsageError(
            f"The scenario {function.__name__} has a wrong limit: {name} {wrong.said}."
        )


def value_text(value: Any) -> str:
    """How a parameter value is named on the command line and in reports."""
    return value if isinstance(value, str) else str(getattr(value, "__name__", value))


def ramp(start: float, stop: float, count: int) -> tuple[float, ...]:
    """``count`` evenly spaced values from ``start`` to ``stop``, both included."""
    if count < 2:
        return (start,) * count
    # Rounded, so that a report shows 0.3 and not 0.30000000000000004.
    return tuple(round(start + (stop - start) * index / (count - 1), 12) for index in range(count))
