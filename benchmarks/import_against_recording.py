"""Whether a trace log gives the causes that a recording of the same program gives.

    python benchmarks/import_against_recording.py PROGRAM…
    python benchmarks/import_against_recording.py --python OTHER PROGRAM…

Runs each program twice: under plain Python with TORCH_TRACE, and under ``esper-audit exec``. Prints
each cause that only one of them has. OTHER is an interpreter with another torch and with what
esper-audit needs; it imports esper-audit from this checkout.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from esper_audit.data.recording import Recording
from esper_audit.data.storage import load
from esper_audit.diagnosis import judge_program
from esper_audit.report.words.changes import change
from esper_audit.traces.reading import read_log
from esper_audit.traces.recordings import recording_of

ROOT = Path(__file__).parents[1]
Row = tuple[str, ...]


def main() -> int:
    """Prints the differences; 1 where there are any."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("programs", nargs="+", type=Path)
    asked = parser.parse_args()
    differing = [name for name in asked.programs if not _compare(asked.python, name.resolve())]
    same = len(asked.programs) - len(differing)
    print(f"{same} of {len(asked.programs)} programs: the same causes, limits, failures and breaks")
    return 1 if differing else 0


def _compare(python: str, program: Path) -> bool:
    with tempfile.TemporaryDirectory() as folder:
        logged = _logged(python, program, Path(folder) / "logs")
        recorded = _recorded(python, program, Path(folder) / "recording.json")
    print(f"== {program.name}: {len(recorded.compiles)} compiles")
    first, second = _causes(recorded), _causes(logged)
    for name, rows in (("recorded alone", first - second), ("logged alone  ", second - first)):
        for row in sorted(rows):
            print(f"   {name}: {' | '.join(row)}")
    return first == second


def _logged(python: str, program: Path, folder: Path) -> Recording:
    """Of the process that compiled most."""
    environment = {**os.environ, "TORCH_TRACE": str(folder)}
    folder.mkdir()
    subprocess.run([python, program], env=environment, cwd=ROOT, capture_output=True, check=False)
    logs = [log for place in folder.iterdir() for log in read_log(str(place))]
    made = [recording_of(log, str(ROOT)) for log in logs]
    return max(made, key=lambda found: len(found.compiles))


def _recorded(python: str, program: Path, file: Path) -> Recording:
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [python, "-m", "esper_audit", "exec", "--save", str(file), str(program)]
    subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, check=False)
    return load(file, Recording)


def _causes(recording: Recording) -> set[Row]:
    return set(_rows(recording))


def _rows(recording: Recording) -> Iterator[Row]:
    """What a log can tell: neither patterns nor lines that wrote, which it leaves unknown."""
    for found in judge_program(recording).findings:
        told = change(found) if found.pattern is not None else ""
        yield found.frame.key, found.id.value, ", ".join(sorted(found.sources)), told


if __name__ == "__main__":
    sys.exit(main())
