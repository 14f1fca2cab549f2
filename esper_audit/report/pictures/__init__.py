"""From judged documents to pictures: what a page that can draw shows beside its words."""

from __future__ import annotations

from esper_audit.data.audits import ProgramReport, Report
from esper_audit.data.changes import ComparisonReport, GateReport
from esper_audit.data.remedies import FixReport
from esper_audit.data.storage import Document
from esper_audit.report.pictures.of_changes import comparison_pictures, gate_pictures
from esper_audit.report.pictures.of_fix import fix_pictures
from esper_audit.report.pictures.of_program import program_pictures
from esper_audit.report.pictures.of_run import run_pictures
from esper_audit.report.sections import Page


def with_figures(document: Document, page: Page, verbosity: int = 0) -> Page:
    """The page of a document, with its figures and the sections that only a drawn page has.

    ``verbosity`` -1 leaves the answer alone.
    """
    if verbosity < 0:
        return page
    match document:
        case Report():
            return run_pictures(document, page)
        case ProgramReport():
            return program_pictures(document, page)
        case ComparisonReport():
            return comparison_pictures(document, page)
        case GateReport():
            return gate_pictures(document, page)
        case FixReport():
            return fix_pictures(document, page)
        case _:
            return page
