"""The page of a report of any kind; the pages of other kinds are not imported."""

from __future__ import annotations

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.remedies import FixReport
from esper_audit.data.scans import ScanReport
from esper_audit.data.storage import Document
from esper_audit.report.sections import Page
from esper_audit.report.words.commands import NOTHING_TYPED, Typed


def page(document: Document, verbosity: int = 0, typed: Typed = NOTHING_TYPED) -> Page:
    """What a report says; ``verbosity`` -1 leaves the answer, 1 adds all evidence.

    ``typed`` is the command line that it comes from: the next one is made of it.
    """
    match document:
        case Report():
            from esper_audit.report.run import run_page

            return run_page(document, verbosity, typed)
        case ProgramReport():
            from esper_audit.report.program import program_page

            return program_page(document, verbosity, typed)
        case GateReport():
            from esper_audit.report.gate import gate_page

            return gate_page(document, verbosity)
        case ComparisonReport():
            from esper_audit.report.comparison import comparison_page

            return comparison_page(document, verbosity)
        case ScanReport():
            from esper_audit.report.scan import scan_page

            return scan_page(document, verbosity)
        case FixReport():
            from esper_audit.report.fix import fix_page

            return fix_page(document, verbosity, typed)
        case _:
            raise TypeError(f"{type(document).__name__} is no report")
