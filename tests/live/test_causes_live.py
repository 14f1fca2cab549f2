"""Programs whose causes were once told wrong, each with what is true of it."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
from support import esper_audit

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import Finding

PROGRAMS = Path(__file__).parent / "causes"


def audit_of(program: str, folder: Path, *options: str) -> ProgramAudit:
    """The audit of a program beside this file."""
    saved = folder / "report.json"
    done = esper_audit("exec", "--output", str(saved), *options, str(PROGRAMS / program))
    assert saved.exists(), done.stderr
    return msgspec.convert(json.loads(saved.read_text()), ProgramReport).audits[0]


def causes_of(audit: ProgramAudit) -> dict[str, Finding]:
    """The causes of recompiles by guard source."""
    return {finding.source: finding for finding in audit.findings if finding.pattern is not None}


def test_a_higher_limit_shows_what_the_limit_hides(tmp_path: Path) -> None:
    at_limit = audit_of("many_values.py", tmp_path)
    assert set(causes_of(at_limit)) == {"alpha"}
    beyond = causes_of(audit_of("many_values.py", tmp_path, "--recompile-limit", "64"))
    assert beyond["mode"].values == ("'late'",)
    assert beyond["alpha"].compiles == 8
