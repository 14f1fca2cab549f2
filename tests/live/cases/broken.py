"""Scenarios that can't be imported."""

raise RuntimeError("can't be imported")
