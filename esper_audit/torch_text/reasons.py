"""Torch's reasons for not compiling a frame, or for giving it up."""

from __future__ import annotations

from esper_audit.data.diagnoses import Diagnosis

EACH, ACCUMULATED = "recompile_limit", "accumulated_recompile_limit"
"""Torch's names of its two limits (torch/_dynamo/config.py)."""


def limit_in(failure: str) -> str:
    """The limit that a failure names, as torch does now; empty for none.

    The names before 2.6 (``cache_size_limit``) are in a long text of 2.13, too.
    """
    for name in (ACCUMULATED, EACH):
        if name in failure or name.replace("recompile", "cache_size") in failure:
            return name
    return ""


def gist(reason: str) -> str:
    """The first sentence of torch's page-long reasons."""
    return reason.split("\n")[0].split(". ")[0].rstrip(".")


_WORDS = (
    ("no ops traced", Diagnosis.EAGER_EMPTY_GRAPH),
    ("no tensor operation", Diagnosis.EAGER_EMPTY_GRAPH),
    ("dispatch mode", Diagnosis.EAGER_DISPATCH_MODE),
    ("disabled", Diagnosis.EAGER_DISABLED),
)


def is_listed(reason: str) -> bool:
    """Whether a frame is skipped because torch lists its file as one to skip."""
    return "skipfiles" in reason


def why_eager(reason: str) -> Diagnosis:
    """Which diagnosis torch's reason for giving a frame up is."""
    known = (found for words, found in _WORDS if words in reason.lower())
    return next(known, Diagnosis.EAGER_UNSUPPORTED)
