"""The pytest plugin: what torch.compile did in a test, asserted and told. Silent unless used."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

import pytest

from esper_audit.errors import AuditError
from esper_audit.pytest_plugin.asked import (
    MARKERS,
    Wish,
    add_options,
    check_options,
    setting,
    wish_of,
)
from esper_audit.torch_text.logs import has_text

if TYPE_CHECKING:
    from esper_audit.api import LiveRecording
    from esper_audit.data.findings import Finding, FrameSummary
    from esper_audit.data.recording import Recording

_ATTRIBUTE = "esper_audit"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Each option on the command line, and in the configuration by the same name."""
    add_options(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the markers, and refuse a wrong number or kind early."""
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    check_options(config)


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Print no records of torch's trace log: they have no text, and a failure has hundreds."""
    logging_plugin = session.config.pluginmanager.get_plugin("logging-plugin")
    for name in ("report_handler", "log_cli_handler"):  # caplog and a log file keep them
        handler = getattr(logging_plugin, name, None)
        if isinstance(handler, logging.Handler):
            handler.addFilter(has_text)


_WISH = pytest.StashKey[Wish]()
_LIVE = pytest.StashKey["_Live"]()
_SAID = pytest.StashKey[dict[str, Any]]()


class _Live:
    """The recording of one test: begun at once, or when the test first imports torch._dynamo."""

    def __init__(self, provenance: bool) -> None:
        self._provenance = provenance
        self._stack = ExitStack()
        self.recording: LiveRecording | None = None
        self.trouble = ""

    def begin(self) -> None:
        from esper_audit.api import record

        self.recording = self._stack.enter_context(record(provenance=self._provenance))

    def begin_with_torch(self) -> None:
        """Importing torch for tests that never use it would cost seconds."""
        from esper_audit.program.on_import import on_import

        self._stack.callback(on_import("torch._dynamo", self._begin_quietly))

    def _begin_quietly(self) -> None:
        """The import of a test must not fail by us: it is told once the test has run."""
        try:
            self.begin()
        except AuditError as error:
            self.trouble = f"{error} {error.hint}"

    def end(self) -> None:
        self._stack.close()


@contextmanager
def _failing_in_a_line() -> Iterator[None]:
    """What is wrong with a marker, or with torch, is told without the lines of this plugin."""
    try:
        yield
    except (pytest.UsageError, AuditError) as error:
        words = f"{error} {getattr(error, 'hint', '')}".strip()
        raise pytest.fail.Exception(words, pytrace=False) from None


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """A clean Dynamo for each test that is looked at, before its fixtures warm anything up."""
    with _failing_in_a_line():
        item.stash[_WISH] = wish = wish_of(item)
    if not wish.is_idle and "torch._dynamo" in sys.modules:
        sys.modules["torch"].compiler.reset()
    if not wish.is_idle:
        # From here on: a fixture may warm up what the test calls, and have it given up.
        live = item.stash[_LIVE] = _Live(not setting(item.config, "recompiles_no_provenance"))
        if wish.is_marked:
            with _failing_in_a_line():
                live.begin()
        else:
            live.begin_with_torch()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None, object, object]:
    """Record the test where anything is asked of it, and fail it where that does not hold."""
    wish = item.stash.get(_WISH, Wish())
    if wish.is_idle:
        return (yield)
    live = item.stash[_LIVE]
    before = live.recording.result if live.recording is not None else None
    try:
        result = yield
    finally:
        live.end()
        if live.recording is not None:
            item.stash[_SAID] = _said(live.recording)
    if live.trouble:
        pytest.fail(live.trouble, pytrace=False)
    if live.recording is not None:
        complaint = _complaint(before, live.recording.result, wish)
        if complaint:
            pytest.fail(complaint, pytrace=False)
    return result


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """Record no longer where the test itself never ran."""
    if _LIVE in item.stash:
        item.stash[_LIVE].end()


def _complaint(before: Recording | None, recording: Recording, wish: Wish) -> str:
    from esper_audit.api import folder
    from esper_audit.diagnosis.phases import window
    from esper_audit.report.complaints import at_most, at_most_breaks, fail_on, no_eager_fallback

    own = window(before, recording) if before is not None else recording
    used = bool(recording.compiles or recording.skips or recording.lookups.hits)
    found = []
    if wish.allowed is not None and (used or wish.strict_allowed):
        found.append(at_most(own, wish.allowed, wish.warm_up, folder()))
    if wish.breaks is not None and (used or wish.strict_breaks):
        found.append(at_most_breaks(own, wish.breaks, folder()))
    if wish.no_eager and (used or wish.strict_eager):
        found.append(no_eager_fallback(recording, folder()))
    if wish.kinds and (used or wish.strict_kinds):
        found.append(fail_on(own, recording, wish.kinds, folder()))
    return "\n\n".join(dict.fromkeys(filter(None, found)))


def _said(live: LiveRecording) -> dict[str, Any]:
    """What the summary shows of a test, as plain data: a worker sends it to its controller."""
    from esper_audit.diagnosis import EAGER

    audit = live.audit
    eager = [finding for finding in audit.findings if finding.id in EAGER]
    return {
        "compiles": live.compiles,
        "recompiles": live.recompiles,
        "reused": audit.recording.lookups.hits,
        "seconds": sum(frame.seconds for frame in audit.frames),
        "eager": len(eager),
        "text": live.report(),
    }


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let the report carry what was recorded, also from a worker of pytest-xdist."""
    report = yield
    if call.when == "call" and item.stash.get(_WISH, Wish()).summary and _SAID in item.stash:
        setattr(report, _ATTRIBUTE, item.stash[_SAID])
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """On demand: each test in which torch.compile compiled, those that cost most first."""
    if not setting(config, "recompiles"):
        return
    from esper_audit.data.clean import clean

    reports = [report for group in terminalreporter.stats.values() for report in group]
    said = {r.nodeid: getattr(r, _ATTRIBUTE) for r in reports if hasattr(r, _ATTRIBUTE)}
    told = {name: facts for name, facts in said.items() if facts["compiles"] or facts["eager"]}
    terminalreporter.section("torch.compile")
    if not told:
        terminalreporter.line("Nothing was compiled.")
    for name, facts in sorted(told.items(), key=lambda pair: -pair[1]["seconds"]):
        terminalreporter.line(f"{clean(name)}: {_line(facts)}")
        for text in facts["text"].splitlines():
            terminalreporter.line(f"    {text}")


def _line(said: dict[str, Any]) -> str:
    from esper_audit.report.words.numbers import several

    return (
        f"{several(said['compiles'], 'compile')} ({several(said['recompiles'], 'recompile')}),"
        f" {several(said['reused'], 'lookup')} matched a cache entry, {said['eager']} eager,"
        f" {said['seconds']:.1f} s"
    )


class AtMost:
    """A block of a test that may recompile so often."""

    def __init__(self, recompiles: Recompiles, allowed: int) -> None:
        self._recompiles = recompiles
        self._allowed = allowed
        self._before: Recording | None = None

    def __enter__(self) -> None:
        self._before = self._recompiles.recording

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        __tracebackhide__ = True
        from esper_audit.api import check, folder
        from esper_audit.diagnosis.phases import window
        from esper_audit.report.complaints import at_most

        if error is None and self._before is not None:
            block = window(self._before, self._recompiles.recording)
            check(at_most(block, self._allowed, root=folder()))


class Recompiles:
    """The fixture ``recompiles``: what torch.compile does in this test."""

    def __init__(self, live: Callable[[], LiveRecording]) -> None:
        self._live = live

    def at_most(self, n: int) -> AtMost:
        """Fail where the block recompiles more than ``n`` times, or runs no compiled code."""
        return AtMost(self, n)

    @property
    def recording(self) -> Recording:
        """What was recorded in this test up to now."""
        return self._live().result

    @property
    def findings(self) -> tuple[Finding, ...]:
        """Its causes of recompiles, eager execution and graph breaks."""
        return self._live().findings

    @property
    def frames(self) -> tuple[FrameSummary, ...]:
        """What became of each frame in it."""
        return self._live().frames

    @property
    def count(self) -> int:
        """Its recompiles up to now."""
        return self._live().recompiles


@pytest.fixture
def recompiles(request: pytest.FixtureRequest) -> Recompiles:
    """What torch.compile does in this test: ``recompiles.at_most(0)``, ``recompiles.recording``."""

    def live() -> LiveRecording:
        found = request.node.stash.get(_LIVE, None)
        if found is None or found.recording is None:
            raise RuntimeError("recompiles records the test itself, not its fixtures")
        recording: LiveRecording = found.recording
        return recording

    return Recompiles(live)
