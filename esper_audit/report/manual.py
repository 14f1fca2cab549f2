"""What is known of every rule that a report may name: the pages behind ``esper-audit explain``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from esper_audit.data.diagnoses import MEANINGS, Diagnosis
from esper_audit.data.pages import (
    links,
    page_of,
    page_url,
    standalone,
    summary_of,
    with_addresses,
)
from esper_audit.data.project import document_url
from esper_audit.diagnosis.advice import is_tried
from esper_audit.errors import IncompleteError, UsageError, did_you_mean
from esper_audit.report.ci.problems import NOT_JUDGED, OVER_BUDGET, RULES, meaning_of
from esper_audit.report.words.advice import to_try
from esper_audit.report.words.commands import explained

_ELSEWHERE = {
    OVER_BUDGET: "reference/configuration.md#budgets",
    NOT_JUDGED: "reference/exit-codes.md",
}
_FIX = "esper-audit fix"
_TRIED = f"`{_FIX}` tries it on your code."
_OF_THE_GATE = "how-to/gate-a-pull-request.md"


@dataclass(frozen=True, slots=True)
class Rule:
    """A diagnosis, or another reason for which a report points at a line."""

    id: str

    @property
    def what(self) -> str:
        """One sentence: what happened."""
        return sentence(meaning_of(self.id).what)

    @property
    def remedy(self) -> str:
        """One sentence: what to do about it."""
        return sentence(meaning_of(self.id).remedy)

    @property
    def advice(self) -> str:
        """What to do about it, as no more than it is: advice, where no replay has proven it."""
        if self.id in RULES:
            return self.remedy
        tried = f" {_TRIED}" if is_tried(Diagnosis(self.id)) else ""
        return f"{sentence(to_try(meaning_of(self.id).remedy))}{tried}"

    @property
    def url(self) -> str:
        """Where the web tells more; empty where that is unknown."""
        if self.id in RULES:
            return document_url(_ELSEWHERE.get(self.id, _OF_THE_GATE))
        return page_url(Diagnosis(self.id))

    @property
    def text(self) -> str:
        """The page as Markdown without links; raises IncompleteError where it is missing."""
        if self.id in RULES:
            return f"# `{self.id}`\n\n{self.what}\n\n{self.remedy}\n"
        return standalone(page_of(Diagnosis(self.id)))

    @property
    def also(self) -> list[str]:
        """Where to read on: commands, then addresses."""
        if self.id in RULES:
            return [self.url] if self.url else []
        diagnoses, addresses = links(page_of(Diagnosis(self.id)))
        fix = [_FIX] if is_tried(Diagnosis(self.id)) else []
        return [*fix, *(explained(name) for name in diagnoses if name != self.id), *addresses]

    @property
    def page(self) -> str:
        """All of it as Markdown."""
        also = "".join(f"- {place}\n" for place in self.also)
        return f"{self.text}\nSee also:\n\n{also}" if also else self.text

    @property
    def summary(self) -> str:
        """A few sentences of plain text."""
        return self._of_page(summary_of, f"{self.what} {self.advice}")

    @property
    def page_on_the_web(self) -> str:
        """The page with links that a browser follows; of a damaged installation the advice."""
        return self._of_page(with_addresses, f"{self.what} {self.advice}")

    def _of_page(self, read: Callable[[str], str], otherwise: str) -> str:
        if self.id in RULES:
            return otherwise
        try:
            return read(page_of(Diagnosis(self.id)))
        except IncompleteError:  # a page that is missing must not cost the report
            return otherwise

    @property
    def facts(self) -> dict[str, str]:
        """For programs."""
        facts = {"id": self.id, "what": self.what, "remedy": self.remedy}
        return facts | {"url": self.url, "page": self.page}


def index() -> list[Rule]:
    """Every diagnosis, then the rules beside them."""
    return [Rule(name) for name in (*MEANINGS, *RULES)]


def find(name: str) -> Rule:
    """The rule of this identifier; raises UsageError where there is none."""
    known = [str(rule.id) for rule in index()]
    if name.lower() not in known:
        raise UsageError(
            f"There is no diagnosis {name!r}{did_you_mean(name.lower(), known)}.",
            "List all with `esper-audit explain`.",
        )
    return Rule(name.lower())


def sentence(text: str) -> str:
    """A meaning or a remedy as a sentence."""
    end = "" if text.endswith(("…", ".")) else "."
    return f"{text[:1].upper()}{text[1:]}{end}"
