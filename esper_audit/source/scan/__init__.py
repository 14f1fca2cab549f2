"""Patterns in source that replays found to hurt: found without running or importing anything."""

from esper_audit.source.scan.scanning import scan

__all__ = ["scan"]
