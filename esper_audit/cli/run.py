"""``esper-audit run``."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from esper_audit.auditing import Request, run_audit
from esper_audit.cli.options import Replaying, Words
from esper_audit.cli.output import check_places, leave, stderr, write_files, write_report
from esper_audit.cli.progress import LiveProgress
from esper_audit.data.config import Config, load_config
from esper_audit.data.jobs import CompileOptions
from esper_audit.errors import UsageError
from esper_audit.replay.plan import Options, parse_params
from esper_audit.replay.pool import Pool, open_pool
from esper_audit.report.formats import parse_outputs


def run_command(paths: Sequence[str], replaying: Replaying, words: Words) -> None:
    """Replay, report, save, and leave with the exit code of the verdict."""
    config = load_config(Path.cwd())
    outputs = parse_outputs(words.output or ())
    request = request_of(chosen_paths(paths, config), replaying, config)
    check_places(outputs, [Path(path) for path in paths])
    with opened_pool(replaying) as pool, LiveProgress(stderr()) as progress:
        report = run_audit(request, pool, progress)
    try:
        write_report(report, words.format, words.verbosity, outputs)
    finally:
        write_files(report, outputs, words.verbosity)
    leave(report)


def request_of(paths: tuple[str, ...], replaying: Replaying, config: Config) -> Request:
    """What to audit, from the command line and the configuration."""
    return Request(
        paths=paths,
        options=_options(config, replaying),
        config=config,
        start=replaying.start.value,
        provenance=replaying.provenance,
    )


def opened_pool(replaying: Replaying) -> AbstractContextManager[Pool]:
    """The processes that replay."""
    return open_pool(replaying.jobs or usable_cores(), replaying.start.value)


def usable_cores() -> int:
    """The cores that this process may use, which can be fewer than there are."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def chosen_paths(paths: Sequence[str], config: Config) -> tuple[str, ...]:
    """The paths given, else the configured ones; raises UsageError where there are neither."""
    chosen = tuple(paths) or tuple(config.paths)
    if not chosen:
        raise UsageError(
            "There is nothing to run: no paths given, and none configured.",
            "Give a scenario file, or set `paths` in [tool.esper-audit] of pyproject.toml.",
        )
    return chosen


def _options(config: Config, chosen: Replaying) -> Options:
    return Options(
        keyword=chosen.keyword,
        params=parse_params(chosen.param or ()),
        default_params=config.params,
        backends=tuple(dict.fromkeys(chosen.backend or config.backends)),
        compile=CompileOptions(
            dynamic=chosen.dynamic.value_for_torch,
            fullgraph=chosen.fullgraph,
            mode=chosen.mode,
            recompile_limit=chosen.recompile_limit,
        ),
        compare=chosen.compare,
        tolerances=config.tolerances,
        time_limit=chosen.time_limit or config.time_limit,
        pythonpath=tuple(config.pythonpath),
        budget=chosen.budget,
        default_budget=config.budget.bounds,
        root=config.root,
    )
