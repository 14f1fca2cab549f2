"""What was saved, as a report: a saved report, or one made of the recordings of a program."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

from esper_audit.data.audits import ProgramAudit
from esper_audit.data.file_kinds import command_for
from esper_audit.data.files import is_file, is_folder, is_there
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.data.storage import Document, load, load_any, read
from esper_audit.data.text import encodable
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import believed, judge_program
from esper_audit.diagnosis.ranks import merge
from esper_audit.errors import UsageError
from esper_audit.recording.journal import SUFFIX, read_journal

_TRACE_LOG = "dedicated_log_torch_trace_"
"""How torch names a trace log."""

_RANK = re.compile(r"rank-(\d{1,9})\b")


def load_report(path: Path) -> Document:
    """A saved report, or that of a saved recording, or of a folder with one for each rank.

    Raises UsageError where there is none.
    """
    if is_folder(path):
        return merge(_of_ranks(_recordings(path)), _here())
    if path.suffix == SUFFIX:
        return merge([_audit(path)], _here())
    if path.name.startswith(_TRACE_LOG):
        raise UsageError(f"{path} is a trace log, not a saved file.", _importing(path))
    if path.suffix == ".py" and is_file(path):
        raise UsageError(f"{path} is Python code, not a saved file.", f"Type: {command_for(path)}")
    document = load_any(path)
    if isinstance(document, Recording):
        return merge([judge_program(document)], _here())
    return believed(document)  # type: ignore[type-var]  # any of them


def _importing(path: Path) -> str:
    return f"Type: esper-audit import {shlex.quote(str(path))}"


def _here() -> str:
    """From where the report shortens paths."""
    return encodable(str(Path.cwd()))


def is_saved(path: Path) -> bool:
    """Whether a path names what was saved: a folder of scenarios holds Python files instead."""
    if path.suffix in (".json", SUFFIX):
        return True
    if not is_folder(path):
        return False
    saved = any(path.glob("*.json")) or any(path.glob(f"*.json{SUFFIX}"))
    return saved and not any(path.rglob("*.py"))


def _recordings(folder: Path) -> list[Path]:
    """Finished recordings, and what unfinished ones left."""
    found = sorted(folder.glob("*.json"))
    for partial in sorted(folder.glob(f"*.json{SUFFIX}")):
        finished = partial.with_suffix("")
        if finished not in found:
            found.append(partial)
        elif _written_at(partial) > _written_at(finished):  # a later run has crashed
            found[found.index(finished)] = partial
    if not found:
        inside = next((path.parent for path in folder.rglob(f"*.json{SUFFIX}")), None)
        inside = next((path.parent for path in folder.rglob("*.json")), inside)
        if inside is None and next(folder.rglob(f"{_TRACE_LOG}*"), None) is not None:
            raise UsageError(
                f"The folder {folder} holds trace logs, no recordings.", _importing(folder)
            )
        raise UsageError(
            f"The folder {folder} holds no recording.",
            f"There are files in {inside}: give that folder."
            if inside is not None
            else "Save them with `esper-audit exec --save FOLDER/`.",
        )
    return found


def _written_at(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:  # a link to nowhere
        return 0.0


def _of_ranks(paths: Sequence[Path]) -> list[ProgramAudit]:
    """The audit of each file; a damaged one costs itself. Raises UsageError where all are."""
    audits: list[ProgramAudit] = []
    errors: list[UsageError] = []
    for path in paths:
        try:
            _check_has_an_end(path)
            audits.append(_audit(path))
        except UsageError as error:
            errors.append(error)
            audits.append(_unreadable(path, error))
    if len(errors) == len(paths):
        raise errors[0]
    return audits


def _check_has_an_end(path: Path) -> None:
    """Nobody named it: a pipe that lies in a folder may have no writer, ever."""
    if is_there(path) and not is_file(path) and not is_folder(path):
        raise UsageError(f"{path} can't be read: it is no regular file.")


def _unreadable(path: Path, error: UsageError) -> ProgramAudit:
    """What stands for a file that can't be read: an error, under the rank that its name tells."""
    rank = _RANK.match(path.name)
    program = Program(argv=(encodable(path.name),), rank=int(rank[1]) if rank else None)
    why = Reason(why=Why.FILE_UNREADABLE, text=encodable(str(error).rstrip(".")))
    return ProgramAudit(
        recording=Recording(environment=UNKNOWN, program=program),
        verdict=AuditVerdict.ERROR,
        reasons=(why,),
    )


def _audit(path: Path) -> ProgramAudit:
    if path.suffix == SUFFIX:
        return judge_program(read_journal(read(path), str(path)))
    return judge_program(load(path, Recording))
