"""JSON: the report itself, with all evidence, as ``esper-audit show`` reads it again."""

from __future__ import annotations

from esper_audit.data.storage import Document, dumps


def saved(document: Document) -> str:
    """The document as text."""
    return dumps(document).decode()
