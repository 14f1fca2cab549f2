"""The page ``/recompiles`` of torch's debug server: what all ranks compiled, while they run.

For torch 2.13 and newer, on every rank::

    from torch.distributed.debug import start_debug_server
    from esper_audit.integrations.debug_page import with_recompiles

    with esper_audit.record():
        start_debug_server(port=25999, handlers=with_recompiles())
        train()
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.numbers import whole_number
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.recording import UNKNOWN, Program, Recording
from esper_audit.data.storage import dumps, loads
from esper_audit.data.text import encodable
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge_program
from esper_audit.diagnosis.ranks import merge
from esper_audit.errors import UsageError
from esper_audit.recording import marks
from esper_audit.report.formats import Format, render

PATH = "/recompiles"
_NAME = "esper_audit_recompiles"
_NOTHING = "nothing records in this process"

Answer = tuple[bool, str]
"""Of a rank, in their order: whether it is a recording; else the text says why it is not."""


def with_recompiles(handlers: Sequence[Any] | None = None) -> list[Any]:
    """Handlers for ``start_debug_server``: those given, and the page of recompiles.

    Call it on every rank: from then on the rank answers with what is recorded in its process, by
    ``esper_audit.record()``, an integration or ``esper-audit exec``.

    Args:
        handlers: pages of the server; torch's own without it.

    Raises:
        UsageError: this torch has no debug server, or a package that it needs is missing.
    """
    from esper_audit._dynamo.debug_server import DebugPage, answer_with, default_pages

    answer_with(_NAME, recorded)
    page = DebugPage(PATH, "Recompiles", _NAME, as_html, as_text)
    return [*(default_pages() if handlers is None else handlers), page]


def recorded() -> str | None:
    """What is recorded in this process up to now, as JSON; None where nothing is."""
    recorder = marks.latest()
    if recorder is None:
        return None
    found = replace(recorder.recording(), program=_program(), complete=False)
    return dumps(encodable(found)).decode()


def _program() -> Program:
    return Program(
        argv=tuple(map(str, sys.argv)),
        folder=str(Path.cwd()),
        rank=whole_number(os.environ.get("RANK", "")),
        world_size=whole_number(os.environ.get("WORLD_SIZE", "")),
    )


def as_html(answers: Sequence[Answer]) -> str:
    """The page of what the ranks have answered."""
    return render(report(answers), Format.HTML)


def as_text(answers: Sequence[Answer]) -> str:
    """The same for a file."""
    return render(report(answers), Format.PLAIN)


def report(answers: Sequence[Answer]) -> ProgramReport:
    """One report of all ranks; a rank that did not answer is named in it, with what is known."""
    return merge([_audit(rank, *answer) for rank, answer in enumerate(answers)])


def _audit(rank: int, is_recording: bool, text: str) -> ProgramAudit:
    if not is_recording:
        return _unreadable(rank, text.strip() or _NOTHING)
    try:
        recording = loads(text.encode(), Recording, f"the answer of rank {rank}")
    except UsageError as error:  # another version answers there
        return _unreadable(rank, str(error).rstrip("."))
    return judge_program(recording)


def _unreadable(rank: int, why: str) -> ProgramAudit:
    program = Program(argv=("rank",), rank=rank)
    return ProgramAudit(
        recording=Recording(environment=UNKNOWN, program=program),
        verdict=AuditVerdict.ERROR,
        reasons=(Reason(why=Why.FILE_UNREADABLE, text=encodable(why)),),
    )
