"""Shared fixtures. Tests in ``pure`` need no torch; those in ``live`` compile for real."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator

import pytest
from desk import Desk


@pytest.fixture(autouse=True, scope="session")
def no_audit_is_kept_at_home(tmp_path_factory) -> Iterator[None]:
    """Nor by what tests start: the folder of this session takes the place of the user's."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ESPER_AUDIT_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        yield


def _state() -> tuple[object, ...]:
    """Every place in torch where the recorder puts a hook, as it is now."""
    interrupt = (signal.signal, signal.getsignal, signal.getsignal(signal.SIGINT))
    if "torch._dynamo" not in sys.modules:
        return interrupt
    from esper_audit._dynamo import TraceLog
    from esper_audit._dynamo.hooks import PATCHES
    from esper_audit._dynamo.names import find, owner_of

    places = [owner_of(key) for key in PATCHES]
    values = tuple(vars(place[0])[place[1]] for place in places if place is not None)
    set_hook = find("lookup")
    lookup = set_hook(None) if set_hook is not None else None
    if lookup is not None:
        set_hook(lookup)
    listening = any(isinstance(handler, TraceLog) for handler in find("trace_logger").handlers)
    from esper_audit.recording import marks

    heard = len(marks._listeners)
    # Of those that others put there, some come with the first import of a framework.
    finders = [finder for finder in sys.meta_path if _is_ours(finder)]
    return (*interrupt, *values, lookup, listening, heard, finders, sys.gettrace())


def _is_ours(value: object) -> bool:
    return str(getattr(value, "__module__", "")).startswith("esper_audit")


@pytest.fixture(autouse=True)
def no_hook_stays_installed() -> Iterator[None]:
    """No test may leave a hook in torch, however it ends."""
    before = _state()
    yield
    after = _state()
    if len(before) == len(after):
        assert after == before, "a hook was left installed in torch"
    else:  # the test has imported torch, which was as torch made it
        ours = [value for value in after if _is_ours(value)]
        assert ours == [], "a hook was left installed in torch"
        assert after[: len(before)] == before


@pytest.fixture
def desk(tmp_path, monkeypatch, capsys):
    return Desk(tmp_path, monkeypatch, capsys)
