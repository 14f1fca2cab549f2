"""Whose code a frame runs: an object's, a function's, or that of a callable behind a wrapper."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from types import FrameType, SimpleNamespace
from typing import Any

import pytest
import torch

from esper_audit import record
from esper_audit._dynamo.called import called, with_owner
from esper_audit._dynamo.frames import user_stack, wrapped_callable
from esper_audit.data.compiles import GuardFailure
from esper_audit.replay.time_limit import TimeLimitReached, time_limit


def logged(fn: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(fn)
    def wrapper(*args: Any) -> Any:
        return sys._getframe(), fn(*args)

    return wrapper


class Net:
    def here(this) -> FrameType:  # noqa: N805
        return sys._getframe()

    @functools.wraps(here)
    def decorated(self) -> Any:
        return self.here()

    @torch.compile(backend="eager")
    def compiled(self) -> int:
        return 1

    @logged
    def step(self, _x: int) -> int:
        return 1


WRAPPER = logged(print).__code__


def of(frame: FrameType) -> Any:
    return called(frame.f_code, frame.f_locals, None)


def test_a_method_is_its_objects_whatever_the_first_argument_is_called() -> None:
    net = Net()
    found = of(net.here())
    assert (found.thing, found.sources) == (net, ("L['this']",))
    assert found.instance.startswith("Net@")


def test_a_method_that_is_decorated_with_torch_compile_is_its_objects() -> None:
    net = Net()
    code = Net.compiled.__wrapped__.__code__  # type: ignore[attr-defined]
    assert called(code, {"self": net}, None).thing is net


def test_two_objects_of_a_class_are_told_apart_and_one_is_itself() -> None:
    one, two = Net(), Net()
    assert of(one.here()).instance == of(one.here()).instance
    assert of(one.here()).instance != of(two.here()).instance


def test_behind_a_wrapper_is_the_callable() -> None:
    def plain(x: int) -> int:
        return x

    frame, _ = logged(plain)(1)
    found = of(frame)
    assert (found.thing, found.sources) == (plain, ("L['fn']",))


def test_behind_a_wrapper_of_a_method_is_the_object_among_the_arguments() -> None:
    net = Net()
    frame, _ = net.step(1)
    found = of(frame)
    assert (found.thing, found.sources) == (net, ("L['fn']", "L['args'][0]"))


def test_what_lies_under_the_called_object_is_its_own() -> None:
    net = Net()
    frame, _ = net.step(1)
    sources = (
        "L['args'][0].p",
        "L['args'][1]",
        "L['fn'].__code__",
        "G['p']",
        "L['args'][0] + L['x']",
    )
    failures = [GuardFailure("0/0", "", source, "", "", "", source) for source in sources]
    owned = [failure.own for failure in with_owner(failures, of(frame))]
    assert owned == [True, False, True, False, False]


def test_an_object_that_asks_who_reads_it_is_not_asked() -> None:
    class Proxy:
        def __getattribute__(self, name: str) -> Any:
            raise AssertionError(name)

    frame, _ = logged(lambda x: x)(Proxy())
    assert of(frame).thing is not None
    call = type("Call", (Proxy,), {"__call__": print})()
    assert wrapped_callable(WRAPPER, {"fn": call}) == "Call"


@pytest.mark.parametrize(
    ("wrapped", "name"),
    [
        (torch.sin, "sin"),
        (torch.nn.functional.gelu, "gelu"),
        (torch.nn.GELU(), "GELU"),
        (Net().here, "Net"),
        (logged, "logged"),
        (functools.partial(print), "partial"),
    ],
)
def test_what_a_wrapper_calls_is_named_by_kind(wrapped: Any, name: str) -> None:
    assert wrapped_callable(WRAPPER, {"fn": wrapped}) == name


def test_a_frame_between_lines_has_a_place_all_the_same() -> None:
    frame = SimpleNamespace(f_code=of.__code__, f_lineno=None, f_back=None)
    (place,) = user_stack(frame)  # type: ignore[arg-type]
    assert (place.line, place.function) == (0, "of")


def test_a_time_limit_that_ends_between_lines_is_told_without_one() -> None:
    frame = SimpleNamespace(f_code=of.__code__, f_lineno=None, f_back=None)
    with time_limit(60):
        stop = signal.getsignal(signal.SIGALRM)
        assert callable(stop)
        with pytest.raises(TimeLimitReached) as raised:
            stop(signal.SIGALRM, frame)  # type: ignore[arg-type]
    assert raised.value.location is None


class Slot(torch.nn.Module):
    """Without a seed, then with one, whose cached tensor comes last."""

    def __init__(self) -> None:
        super().__init__()
        self.seed: torch.nn.Module | None = None
        self.cached: torch.Tensor | None = None
        self.value = 0.1

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        if self.seed is None:
            return x * 2
        x = self.seed(x)
        return torch.lerp(x, x * 2, self.value) if self.cached is None else x + self.cached


def test_a_submodule_that_is_there_again_is_accepted_where_an_entry_read_it(
    clean_dynamo: None,
) -> None:
    slot = Slot()
    step = torch.compile(slot, backend="aot_eager")
    with record() as live:
        step(torch.ones(2))
        slot.seed = torch.nn.Identity()
        step(torch.ones(2))
        slot.cached, slot.value = torch.ones(2), 0.2
        step(torch.ones(2))
    sources = {source for cause in live.findings if cause.pattern for source in cause.sources}
    assert sources == {"self.seed", "self.cached", "self.value"}
    assert sum(cause.compiles for cause in live.findings if cause.source == "self.seed") == 1
