"""The words of a watch: what still runs, what ended, what a compile was."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from esper_audit.data.compiles import Compile, Outcome, RunsAfter
from esper_audit.program.heard import Happened, Life, ProcessState
from esper_audit.program.watching import Kind, WatchState
from esper_audit.report.words.changes import short
from esper_audit.report.words.findings import limit_words
from esper_audit.report.words.programs import first_line, program_name
from esper_audit.report.words.ranks import rank_names
from esper_audit.torch_text.reasons import gist

_OUTCOMES = {
    Outcome.COMPILED: "compile",
    Outcome.RECOMPILED: "recompile",
    Outcome.SKIPPED: "no compile",
    Outcome.FAILED: "failed compile",
    Outcome.LIMIT: "limit hit",
    Outcome.REFUSED: "refused",
}


def waiting_words(state: WatchState) -> str:
    """What is missing yet."""
    if state.kind is Kind.PROCESS:
        if not state.alive:
            return f"process {state.name} has ended; it wrote no recording"
        return (
            f"process {state.name} writes no recording yet: waiting until it imports torch._dynamo"
        )
    if state.kind is Kind.FOLDER:
        return f"waiting for recordings in {state.name}"
    other = ", which is no recording of a program now" if state.is_there else ""
    return f"waiting for {state.name}{other}"


def life_words(process: ProcessState) -> str:
    """Whether it still runs, and how it ended."""
    match process.life:
        case Life.WAITING:
            return "waiting"
        case Life.RUNNING:
            return (
                "running" if not process.ended else f"{_ended(process)}; its report is being made"
            )
        case Life.SILENT:
            over = "died" if process.audit.recording.trace_log is None else "is over"
            return f"no process here writes it: it {over}, or runs on another machine"
        case Life.UNSEEN:
            return "running, but its file was removed: what it compiles now can't be seen"
        case Life.DIED:
            return "died before it could save (crash or kill)"
        case _:
            return _ended(process)


def news_words(process: ProcessState) -> str:
    """What a line says of a process that began, ended, or began again in the same place."""
    if process.life is Life.RUNNING and not process.ended:
        again = "a new run began" if process.runs > 1 else "running"
        return f"{again}, torch {process.audit.recording.environment.torch}"
    return life_words(process)


def name_words(group: Sequence[ProcessState]) -> str:
    """``train.py``, ``train.py (ranks 0 to 7)``."""
    program = group[0].audit.recording.program
    if len(group) == 1 or program is None:
        return program_name(program)
    ranks = [process.rank for process in group if process.rank is not None]
    return f"{program_name(replace(program, rank=None))} ({rank_names(ranks)})"


def _ended(process: ProcessState) -> str:
    recording = process.audit.recording
    how = first_line(recording.program.ended) if recording.program is not None else ""
    if recording.trace_log is not None:
        return "its process is gone; a trace log does not say how it ended"
    return f"ended with {how}" if how else "ended"


def happened_words(happened: Happened) -> str:
    """``recompile 0/3 of Blend.forward: self.alpha: 0.5 -> 0.1 (float-specialized); 0.45 s``."""
    compile_, failure = happened.compile, happened.failure
    told = [f"{_OUTCOMES[compile_.outcome]} {compile_.id} of {compile_.frame.name}"]
    if failure is not None and happened.diagnosis is not None:
        old, new = short(failure.expected), short(failure.actual)
        change = f": {old} -> {new}" if old or new else ""
        told[0] += f": {failure.source}{change} ({happened.diagnosis.value})"
    return "; ".join([*told, *_why(happened), f"{compile_.seconds.total:.2f} s"])


def _why(happened: Happened) -> list[str]:
    compile_: Compile = happened.compile
    told = [limit_words(compile_.limit)] if compile_.limit_hit else []
    if not told and not compile_.succeeded and compile_.reason:
        told.append(gist(compile_.reason))
    if compile_.runs_after is RunsAfter.EAGER:
        told.append("now eager")
    return told
