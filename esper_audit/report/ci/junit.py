"""JUnit XML, for what shows test results: GitLab, Jenkins, Azure, CircleCI."""

from __future__ import annotations

import junitparser

from esper_audit.report.ci.problems import Case, Cases, Problem, Status
from esper_audit.report.words.commands import explained
from esper_audit.report.words.paths import place, relative


def junit(whole: Cases) -> str:
    """A suite with one case for each audit; a failure holds the causes and the lines."""
    suite = junitparser.TestSuite("esper-audit")
    for case in whole.cases:
        suite.add_testcase(_case(case, whole.root))
    suite.add_property("answer", whole.answer)
    if whole.accept:
        suite.add_property("accept", whole.accept)
    suite.update_statistics()
    suite.time = whole.seconds or suite.time
    document = junitparser.JUnitXml("esper-audit")
    document.add_testsuite(suite)
    document.update_statistics()
    text: bytes = document.tostring()
    return text.decode() + "\n"


def _case(case: Case, root: str) -> junitparser.TestCase:
    made = junitparser.TestCase(case.name, case.group, case.seconds)
    where = next(
        (problem.location for problem in case.problems if problem.location is not None), None
    )
    results = {
        Status.FAILED: junitparser.Failure,
        Status.ERROR: junitparser.Error,
        Status.SKIPPED: junitparser.Skipped,
    }
    if case.status in results:
        rules = dict.fromkeys(problem.rule for problem in case.problems)
        result = results[case.status](case.reason, ", ".join(rules) or None)
        result.text = "\n\n".join(_text(problem, root) for problem in case.problems)
        made.result = [result]
        if where is not None:
            made._elem.set("file", relative(where.file, root))
            made._elem.set("line", str(where.line))
    return made


def _text(problem: Problem, root: str) -> str:
    where = [f"  at {place(problem.location, root)}"] if problem.location is not None else []
    details = (f"  {detail}" for detail in (*problem.details, f"more: {explained(problem.rule)}"))
    diff = ["", problem.script.diff] if problem.script is not None and problem.script.diff else []
    return "\n".join([problem.message, *where, *details, *diff])
