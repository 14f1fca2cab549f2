"""What a scan of source found, before anything ran. Plain frozen data, saved as JSON.

Worked example: ``torch.lerp(x, y, self.alpha)`` in a forward, where ``model.alpha = v`` stands in a
training loop, is a ScanFinding of id ``float-specialized`` and pattern ``float-in-operation``, with
the loop's line among its writers.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.numbers import Count, Seconds, Whole
from esper_audit.data.places import Location
from esper_audit.data.verdicts import AuditVerdict


class Pattern(StrEnum):
    """What the source shows. Each never changes its meaning."""

    CACHE_IN_FORWARD = "cache-in-forward"
    TENSOR_FROM_NUMBER = "tensor-from-number"
    FLOAT_IN_OPERATION = "float-in-operation"
    NUMBER_OF_LIBRARY_MODULE = "number-of-library-module"
    INT_IN_FORWARD = "int-in-forward"
    INT_SET_OUTSIDE = "int-set-outside"
    WRITE_IN_FORWARD = "write-in-forward"
    EARLY_RETURN = "early-return"
    LEARNING_RATE = "learning-rate"
    COMPILE_IN_LOOP = "compile-in-loop"
    COMPILE_PER_CALL = "compile-per-call"
    COMPILE_PER_OBJECT = "compile-per-object"
    BACKEND_PER_CALL = "backend-per-call"
    LAST_BATCH = "last-batch"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanWriter:
    """A line that writes what a finding is about. ``in_forward``: compiled code may run it."""

    location: Location
    in_forward: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanFinding:
    """A pattern at one line. It is read in the source, and proves nothing until code runs.

    ``column`` counts from 0, in characters. ``subject`` is the attribute or variable, as the line
    writes it; ``owner`` the class that it belongs to; ``operation`` the call that it goes into.
    ``way``: calls that lead to the line, from a forward or a compiled function on.
    ``writers``: every line known to write the attribute after construction.
    """

    id: Diagnosis
    pattern: Pattern
    location: Location
    column: Whole = 0
    subject: str = ""
    owner: str = ""
    operation: str = ""
    way: tuple[Location, ...] = ()
    writers: tuple[ScanWriter, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UnreadFile:
    """A file that could not be read or parsed: what Python says, and where."""

    location: Location
    said: str


class SuppressionTrouble(StrEnum):
    """What is wrong with a comment ``# esper-audit: ignore[ID]``."""

    UNUSED = "unused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class SuppressionNote:
    """A comment that suppresses nothing, or names no diagnosis."""

    location: Location
    text: str
    trouble: SuppressionTrouble


@dataclass(frozen=True, slots=True, kw_only=True)
class ScanReport:
    """A whole scan. ``files`` and ``lines`` were read; ``suppressed`` findings aren't among these.

    ``root`` is the project's folder. ``left_out``: files that the configuration excludes.
    """

    root: str = ""
    findings: tuple[ScanFinding, ...] = ()
    unread: tuple[UnreadFile, ...] = ()
    notes: tuple[SuppressionNote, ...] = ()
    suppressed: Count = 0
    left_out: Count = 0
    files: Count = 0
    lines: Count = 0
    wall_seconds: Seconds = 0.0

    @property
    def verdict(self) -> AuditVerdict:
        """Failed where a pattern was found; error where no file could be read.

        Where the configuration leaves out all files, nothing is wrong: so a hook passes on them.
        """
        if self.findings:
            return AuditVerdict.FAILED
        is_left_out = self.left_out and not self.unread
        return AuditVerdict.PASSED if self.files or is_left_out else AuditVerdict.ERROR
