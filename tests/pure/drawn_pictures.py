"""The figures of a document, as a page draws them."""

from __future__ import annotations

from builders import audit
from report_builders import BUFFER, failing, report, stale

from esper_audit.report.build import page
from esper_audit.report.figures import Timeline
from esper_audit.report.pictures import with_figures

RUN = report(failing(), stale(), audit(parameters=BUFFER, scenario="rollout"))


def drawn(document, verbosity=1):
    return with_figures(document, page(document, verbosity), verbosity)


def figures(document, kind):
    found = [figure for section in drawn(document).sections for figure in section.figures]
    return [figure for figure in found if isinstance(figure, kind)]


def lanes(document, place=0):
    found = figures(document, Timeline)[place].lanes
    return {lane.name: [span.line.text for span in lane.spans] for lane in found}


def spans(document, name, place=0):
    [lane] = [lane for lane in figures(document, Timeline)[place].lanes if lane.name == name]
    return [(span.began, span.ended) for span in lane.spans]
