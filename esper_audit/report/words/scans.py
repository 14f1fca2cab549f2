"""What a scan found, in words."""

from __future__ import annotations

from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.scans import Pattern, ScanFinding, SuppressionNote, SuppressionTrouble
from esper_audit.report.words.paths import place, source_line

_WHAT = {
    Pattern.CACHE_IN_FORWARD: (
        "forward fills {subject} where it finds none: calls before and after it compile separately"
    ),
    Pattern.TENSOR_FROM_NUMBER: (
        "{operation} makes a tensor of the Python number {subject}: each value compiles again"
    ),
    Pattern.FLOAT_IN_OPERATION: (
        "the float {subject} goes into {operation}, which bakes it in: each value compiles again"
    ),
    Pattern.NUMBER_OF_LIBRARY_MODULE: (
        "{subject} is a float that a module of torch reads in forward: each value compiles again"
    ),
    Pattern.INT_IN_FORWARD: (
        "forward reads and changes the int {subject} of a module: each value compiles again"
    ),
    Pattern.INT_SET_OUTSIDE: (
        "forward reads the int {subject}, which a loop changes: each value compiles again"
    ),
    Pattern.WRITE_IN_FORWARD: (
        "forward writes {subject}, which the next call reads: that call compiles again"
    ),
    Pattern.EARLY_RETURN: (
        "forward returns before any tensor operation, as {subject} decides: compiled on its own, it"
        " runs eagerly from then on"
    ),
    Pattern.LEARNING_RATE: (
        "{subject} is a float beside a compiled optimizer step: each value compiles again"
    ),
    Pattern.COMPILE_IN_LOOP: (
        "torch.compile of {subject} runs in a loop: each turn wraps it again, and all share one"
        " cache and its limit"
    ),
    Pattern.COMPILE_PER_CALL: (
        "torch.compile of {subject} runs at each call: each wraps it again, and all share one cache"
        " and its limit"
    ),
    Pattern.COMPILE_PER_OBJECT: (
        "{subject} differs between objects that are compiled one by one: each compiles again, and"
        " all share one limit"
    ),
    Pattern.BACKEND_PER_CALL: (
        "the backend {subject} is a new object each time: no cache entry of another one matches"
    ),
    Pattern.LAST_BATCH: (
        "the last batch of {subject} may be smaller: its size compiles again, with dynamic sizes"
    ),
}


def what_of(finding: ScanFinding) -> str:
    """What the line does, and what that costs."""
    return _WHAT[finding.pattern].format(
        subject=finding.subject or "a value", operation=finding.operation or "an operation"
    )


def head_of(finding: ScanFinding, root: str) -> str:
    """``float-specialized: self.alpha at slot/slot.py:12 in Slot.forward``."""
    subject = f"{finding.subject} " if finding.subject else ""
    return f"{finding.id}: {subject}at {place(finding.location, root)}"


def details_of(finding: ScanFinding, root: str) -> list[str]:
    """The lines under a finding: what it is, how forward gets there, who writes it, the advice."""
    lines = [what_of(finding)]
    if finding.way:
        called = ", ".join(place(where, root) for where in finding.way)
        lines.append(f"reached from {called}")
    lines += writers_of(finding, root)
    lines.append(f"advice: {MEANINGS[Diagnosis(finding.id)].remedy}")
    return lines


_MOST_WRITERS = 6


def writers_of(finding: ScanFinding, root: str) -> list[str]:
    """The lines that write what the finding is about."""
    lines = [
        f"written at {place(writer.location, root)}"
        f"{', which forward reaches' if writer.in_forward else ''}"
        for writer in finding.writers[:_MOST_WRITERS]
    ]
    more = len(finding.writers) - len(lines)
    return [*lines, *([f"and written at {more} more places"] if more > 0 else [])]


def note_words(note: SuppressionNote, root: str) -> str:
    """A suppression that is of no use."""
    where = source_line(note.location, root)
    if not note.text:
        return f"{where}: this comment names no diagnosis; write `# esper-audit: ignore[ID]`"
    if note.trouble is SuppressionTrouble.UNKNOWN:
        return f"{where}: ignore[{note.text}] names no diagnosis"
    return f"{where}: ignore[{note.text}] suppresses nothing on this line"
