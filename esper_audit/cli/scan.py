"""``esper-audit scan``: patterns in source, found without running or importing anything."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from esper_audit.cli.command import command
from esper_audit.cli.options import Words, save_option

if TYPE_CHECKING:
    from collections.abc import Iterator

    from esper_audit.data.config import Config
    from esper_audit.source.project import Project


def scan(
    *,
    paths: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="PATH",
            help="Python files or folders. Without any: the folder of the project.",
            show_default=False,
        ),
    ] = None,
    save: Annotated[Path | None, save_option("the scan", "show")] = None,
    words: Words,
) -> None:
    """Find lines that may recompile or run eagerly, without running or importing any code.

    It needs no torch. A comment `# esper-audit: ignore[ID]` suppresses what is on its line.
    """
    from esper_audit.cli.output import finish
    from esper_audit.cli.places import check_places
    from esper_audit.data.config import config_for
    from esper_audit.report.formats import parse_outputs, saved
    from esper_audit.source.scan import scan as scan_files
    from esper_audit.source.scan.settings import Chosen

    started = time.monotonic()
    config = config_for(paths or ())
    outputs = [*parse_outputs(words.output or ()), *saved(save)]
    check_places(outputs, [Path(path) for path in paths or ()])
    files = dict.fromkeys(_files(tuple(paths or (config.root,))))
    chosen = Chosen(config.root, config.scan.exclude, config.scan.rules)
    wanted = [file for file in files if not chosen.leaves_out(file)]
    report = scan_files(_project(config, wanted), wanted, chosen.ignores)
    seconds = time.monotonic() - started
    left_out = len(files) - len(wanted)
    finish(replace(report, left_out=left_out, wall_seconds=seconds), words, outputs)


def _files(paths: tuple[str, ...]) -> Iterator[str]:
    from esper_audit.data.files import is_file, is_folder
    from esper_audit.errors import UsageError
    from esper_audit.source.project import python_files

    for path in paths:
        found = list(python_files(path))
        if is_folder(path) and not found:
            raise UsageError(f"The folder {path} holds no Python file.", "Give another.")
        if not found or (is_file(path) and not path.endswith((".py", ".pyi", ".pyw"))):
            raise UsageError(
                f"There is nothing to scan at {path}: no such folder or Python file.",
                "Give a folder or a .py file.",
            )
        yield from found


def _project(config: Config, wanted: list[str]) -> Project:
    """The whole project where one is configured: who writes an attribute may lie anywhere in it."""
    from esper_audit.data.config import find_pyproject
    from esper_audit.source.project import Project, python_files

    configured = find_pyproject(Path(config.root)) is not None
    around = python_files(config.root) if configured else ()
    return Project(config.root, [*wanted, *around])


COMMAND = command(scan, Words)
