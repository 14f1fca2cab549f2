"""Cases and problems: what the formats that a CI reads are made of."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from esper_audit.data.changes import ChangeKind
from esper_audit.data.clean import clean, clean_code
from esper_audit.data.diagnoses import MEANINGS, Diagnosis, Meaning
from esper_audit.data.places import Location
from esper_audit.report.ci.places import Related

OVER_BUDGET, NOT_JUDGED, DIFFERS = "over-budget", "not-judged", "differs"
_ACCEPT = "change it back, or accept it with `esper-audit gate --update-baseline`"
RULES = {
    OVER_BUDGET: Meaning(
        "a scenario costs more than its budget allows",
        "look at its causes with `esper-audit show -v`, or raise the bound that it broke",
    ),
    NOT_JUDGED: Meaning(
        "the audit could not be completed, so nothing is proven",
        "fix what the message names, and run it again",
    ),
    DIFFERS: Meaning(
        "two saved audits differ here", "look at both sides with `esper-audit compare`"
    ),
    ChangeKind.WORSE.value: Meaning("a count is worse than the baseline accepts", _ACCEPT),
    ChangeKind.NEW.value: Meaning(
        "the baseline has no entry for it", "accept it with `esper-audit gate --update-baseline`"
    ),
    ChangeKind.IMPROVED.value: Meaning("it is better than the baseline accepts", _ACCEPT),
    ChangeKind.UNMATCHED.value: Meaning(
        "no audit matches this entry of the baseline",
        "restore its scenario, or remove the entry with `esper-audit gate --update-baseline`",
    ),
    ChangeKind.NOT_COMPARABLE.value: Meaning(
        "the baseline has no entries for this environment",
        "run `esper-audit gate --update-baseline` in it once",
    ),
    ChangeKind.NOT_DETERMINISTIC.value: Meaning(
        "counts differ from run to run", "remove what depends on chance, as a seed that is not set"
    ),
}
"""Rules beside the diagnoses, and what each says."""


class Status(StrEnum):
    """What became of a case."""

    PASSED = "passed"
    FAILED = "failed"
    ERROR = "error"
    SKIPPED = "skipped"


def _clean(made: Any, *fields: str) -> None:
    """Clean the texts of what is made, so that no builder and no format can forget it."""
    for field in fields:
        object.__setattr__(made, field, _cleaned(getattr(made, field)))


def _cleaned(found: Any) -> Any:
    match found:
        case str():
            return clean(found)
        case tuple():
            return tuple(map(clean, found))
        case Location():
            return Location(clean(found.file), found.line, clean(found.function))
        case _:
            return found


@dataclass(frozen=True, slots=True)
class Replacement:
    """Lines of a file, ``start`` being the first from 0 on, and what stands in their place.

    Each has its end, but for the last one of a file that has none.
    """

    file: str
    start: int
    old: tuple[str, ...]
    new: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Script:
    """A patch: what it is called, as a diff and as what it replaces, both as they are in files."""

    name: str
    diff: str = ""
    replacements: tuple[Replacement, ...] = ()

    def __post_init__(self) -> None:
        _clean(self, "name")
        object.__setattr__(self, "diff", clean_code(self.diff))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing to look at. ``rule`` is a diagnosis or a key of RULES.

    ``location`` is the line to change: it wrote the guarded state, or made the guard; ``related``
    are the others. ``key`` names the problem without line numbers. ``brief`` is the message in
    a few words, without the rule. ``script`` is a patch that was proven against it.
    """

    rule: str
    message: str
    fails: bool
    details: tuple[str, ...] = ()
    location: Location | None = None
    key: tuple[str, ...] = ()
    related: tuple[Related, ...] = ()
    brief: str = ""
    script: Script | None = None

    def __post_init__(self) -> None:
        _clean(self, "message", "details", "location", "key", "brief")


@dataclass(frozen=True, slots=True)
class Case:
    """One audit, program or comparison."""

    name: str
    group: str
    status: Status
    reason: str = ""
    problems: tuple[Problem, ...] = ()
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _clean(self, "name", "group", "reason")


@dataclass(frozen=True, slots=True)
class Cases:
    """A whole report: its first sentence, its cases, and the command that accepts them."""

    answer: str
    cases: tuple[Case, ...]
    root: str = ""
    accept: str = ""
    seconds: float = 0.0

    def __post_init__(self) -> None:
        _clean(self, "answer", "root", "accept")

    @property
    def completed(self) -> bool:
        """Whether everything could be judged."""
        return not any(case.status is Status.ERROR for case in self.cases)

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Those of all cases, each once; what fails in one of them fails."""
        found: dict[object, Problem] = {}
        for problem in (problem for case in self.cases for problem in case.problems):
            key = (problem.rule, problem.message, problem.location)
            if key not in found or problem.fails:
                found[key] = problem
        return tuple(found.values())


def meaning_of(rule: str) -> Meaning:
    """What a rule says, and what to do about it."""
    return RULES[rule] if rule in RULES else MEANINGS[Diagnosis(rule)]
