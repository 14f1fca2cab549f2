"""The page of each diagnosis: from the wheel, or from the documents beside a checkout."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.project import document_url
from esper_audit.errors import IncompleteError

_FOLDERS = (
    Path(__file__).with_name("diagnosis_pages"),
    Path(__file__).parents[2] / "docs" / "reference" / "diagnoses",
)
_FENCED = re.compile(r"(^```.*?^```$)", re.DOTALL | re.MULTILINE)
_LINK = re.compile(r"\[([^\]]*)\]\(([^)\s]+)\)")
_HOME = "reference/diagnoses"


def page_of(diagnosis: Diagnosis) -> str:
    """The page as Markdown, its links as they are among the documents.

    Raises IncompleteError where the installation lacks it.
    """
    for folder in _FOLDERS:
        try:
            return (folder / f"{diagnosis}.md").read_text(encoding="utf-8")
        except OSError:
            continue
    raise IncompleteError(
        f"The page of {diagnosis} is not in this installation.",
        f"Read it at {page_url(diagnosis)}." if page_url(diagnosis) else "Install it again.",
    )


def page_url(diagnosis: Diagnosis) -> str:
    """Where the page is found on the web; empty where that is unknown."""
    return document_url(f"{_HOME}/{diagnosis}.md")


def standalone(page: str) -> str:
    """The page for readers who can't follow a link: that to a diagnosis says which in words."""
    return _outside_code(page, _told)


def with_addresses(page: str) -> str:
    """The page for the web: its links lead to the documents there, or nowhere if unknown."""
    return _outside_code(page, _addressed)


def summary_of(page: str) -> str:
    """The first paragraph of a page, as plain text."""
    paragraph = standalone(page).split("\n\n")[1]
    return " ".join(paragraph.replace("`", "").split())


def _outside_code(page: str, said: Callable[[re.Match[str]], str]) -> str:
    parts = _FENCED.split(page)
    return "".join(part if part.startswith("```") else _LINK.sub(said, part) for part in parts)


def links(page: str) -> tuple[list[Diagnosis], list[str]]:
    """The diagnoses and the addresses that a page leads to, each once."""
    text = "".join(part for part in _FENCED.split(page) if not part.startswith("```"))
    targets = list(dict.fromkeys(target for _, target in _LINK.findall(text)))
    names = [_name(target) for target in targets]
    others = (_address(target) for target in targets if not _name(target))
    diagnoses = dict.fromkeys(Diagnosis(name) for name in names if name)
    return list(diagnoses), [address for address in others if address]


def _told(link: re.Match[str]) -> str:
    text, target = link.groups()
    name = _name(target)
    return f"{text} (`{name}`)" if name and text != f"`{name}`" else text


def _addressed(link: re.Match[str]) -> str:
    text, target = link.groups()
    address = _address(target)
    return f"[{text}]({address})" if address else text


def _address(target: str) -> str:
    return target if "://" in target else document_url(_joined(target))


def _name(target: str) -> str:
    """The diagnosis whose page this is; empty for every other page."""
    file = target.partition("#")[0]
    name = file.removesuffix(".md")
    return name if file.endswith(".md") and name in list(Diagnosis) else ""


def _joined(target: str) -> str:
    """A path among the documents, of one from the pages' folder on."""
    parts = _HOME.split("/")
    for part in target.split("/"):
        if part == "..":
            parts.pop()
        else:
            parts.append(part)
    return "/".join(parts)
