"""Replay: find scenarios, run each in a process of its own under the recorder, compare steps."""
