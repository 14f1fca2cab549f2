"""What `fix` makes of the example on each diagnosis' page, and the line of the page that says it."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

from esper_audit.data.diagnoses import Diagnosis

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs/reference/diagnoses"
_TABLE = ROOT / "tests/data/mended.toml"
MENDED: dict[str, dict[str, str]] = tomllib.loads(_TABLE.read_text())


def patches() -> dict[Diagnosis, str]:
    """The kind of edit, of each diagnosis that has one."""
    return {Diagnosis(name): entry["patch"] for name, entry in MENDED.items() if "patch" in entry}


def levers() -> dict[Diagnosis, str]:
    """The lever, of each diagnosis that no edit is known for."""
    return {Diagnosis(name): entry["lever"] for name, entry in MENDED.items() if "lever" in entry}


def is_page(diagnosis: Diagnosis) -> bool:
    """Whether the edit's text is the fixed example of the page."""
    return "patch" in MENDED[diagnosis] and not MENDED[diagnosis].get("other")


def line_of(diagnosis: Diagnosis) -> str:
    """What the page says."""
    match MENDED[diagnosis]:
        case {"patch": patch, "other": _}:
            return f"`esper-audit fix --exec example.py` tries another change: `{patch}`."
        case {"patch": patch}:
            return (
                f"`esper-audit fix --exec example.py` tries the second example's change: `{patch}`."
            )
        case {"lever": "warm-up"}:
            return (
                "`esper-audit fix` has no edit for it. In a scenario, it tries `warm-up`, which visits"
                "\neach variant once in warm-up."
            )
        case {"lever": lever}:
            return f"`esper-audit fix` has no edit for it. It tries a setting of torch: `{lever}`."
        case {"none": why}:
            return f"`esper-audit fix` has no remedy for such an example: {why}."
    raise AssertionError(diagnosis)


def unmarked(code: str) -> str:
    """Without the comments that mark what a finding names."""
    return re.sub(r"  # <- \w+$", "", code, flags=re.MULTILINE)
