"""Where the project is found: what the metadata of the installed package says."""

from __future__ import annotations

from functools import cache


@cache
def project_url(label: str = "Homepage") -> str:
    """The address of ``[project.urls]`` with this label; empty where the tool is not installed."""
    from importlib.metadata import PackageNotFoundError, metadata

    try:
        stated = metadata("esper-audit").get_all("Project-URL") or []
    except PackageNotFoundError:
        return ""
    known: dict[str, str] = dict(text.split(", ", 1) for text in stated if ", " in text)
    return known.get(label, "")


def document_url(path: str) -> str:
    """The address of a page of the documents, as ``reference/cli.md``; empty where unknown."""
    documents = project_url("Documentation").replace("/tree/", "/blob/")
    return f"{documents}/{path}" if documents else ""
