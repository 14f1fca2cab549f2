"""A line for each problem: for grep, editors and problem matchers."""

from __future__ import annotations

from collections.abc import Iterator

from esper_audit.report.ci.problems import Cases, Problem
from esper_audit.report.words.paths import reachable


def concise(whole: Cases) -> str:
    """``file:line: identifier: what changed (cost)``, then the first sentence of the report.

    What is in no file begins with the name of the tool.
    """
    lines = [*(_line(problem, whole.root) for problem in whole.problems), *_last(whole)]
    return "".join(f"{text}\n" for text in lines)


def _line(problem: Problem, root: str) -> str:
    place = problem.location
    where = f"{reachable(place.file, root)}:{max(place.line, 1)}" if place else "esper-audit"
    return f"{where}: {problem.rule}: {problem.brief or problem.message}"


def _last(whole: Cases) -> Iterator[str]:
    yield whole.answer
    if whole.accept:
        yield whole.accept
