"""``esper-audit run``."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from esper_audit.auditing import Request, run_audit
from esper_audit.cli.output import leave, stderr, write_report
from esper_audit.cli.progress import LiveProgress
from esper_audit.config import Config, load_config
from esper_audit.errors import UsageError
from esper_audit.plan import Options, parse_params
from esper_audit.replay.pool import open_pool
from esper_audit.storage import check_writable, save


def run_command(
    *,
    paths: Sequence[str],
    jobs: int,
    start: str,
    provenance: bool,
    as_json: bool,
    output: Path | None,
    verbosity: int,
    **chosen: Any,
) -> None:
    """Replay, report, save, and leave with the exit code of the verdict."""
    config = load_config(Path.cwd())
    request = Request(
        paths=chosen_paths(paths, config),
        options=_options(config, chosen),
        config=config,
        start=start,
        provenance=provenance,
    )
    if output is not None:
        check_writable(output)
    with open_pool(jobs or usable_cores(), start) as pool, LiveProgress(stderr()) as progress:
        report = run_audit(request, pool, progress)
    try:
        write_report(report, as_json, verbosity)
    finally:
        if output is not None:
            save(report, output)
    leave(report)


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


def _options(config: Config, chosen: Mapping[str, Any]) -> Options:
    return Options(
        keyword=chosen["keyword"],
        params=parse_params(chosen["params"]),
        default_params=config.params,
        backends=tuple(dict.fromkeys(chosen["backends"] or config.backends)),
        dynamic=chosen["dynamic"],
        fullgraph=chosen["fullgraph"],
        mode=chosen["mode"],
        recompile_limit=chosen["recompile_limit"],
        compare=chosen["compare"],
        tolerances=config.tolerances,
        time_limit=chosen["time_limit"] or config.time_limit,
        pythonpath=tuple(config.pythonpath),
    )
