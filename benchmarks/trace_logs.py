"""``esper-audit import`` beside tlparse, on the same trace logs, in one run.

    python benchmarks/trace_logs.py                     # logs that it makes itself
    python benchmarks/trace_logs.py LOG ... --megabytes 200 --rounds 3 --tlparse PATH

Each log is repeated to 200 MB, and the first to 1 GB for the memory. Both commands read it from
start to end, each as its own process; ours on one core (``--jobs 1``), with guard trees, judging
and report, from bytecode, as of an installed package. Quote the ratio of the medians of CPU
seconds: machines are noisy. tlparse is the command of the package on PyPI; without it only ours is
measured.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

MEGABYTE = 1_000_000
FOR_MEMORY = 1000
OURS = [sys.executable, "-m", "esper_audit", "import", "--jobs", "1"]

PROGRAM = """
import sys
import torch

class Slot(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(*(torch.nn.Linear(8, 8) for _ in range(4)))
        self.alpha = 0.5

    def forward(self, x, n):
        y = self.layers(x) * self.alpha * n
        print("a graph break")
        return y.relu()

slot = Slot()
step = torch.compile(slot, backend=sys.argv[1])
for number in range(12):
    slot.alpha = number / 10
    step(torch.ones(2 + number % 3, 8), number).sum().backward()
"""


def made_log(folder: Path, backend: str) -> Path:
    """The trace log that torch writes of a small program."""
    program = folder / "program.py"
    program.write_text(PROGRAM)
    traces = folder / f"traces-{backend}"
    env = {**os.environ, "TORCH_TRACE": str(traces)}
    subprocess.run(
        [sys.executable, str(program), backend], env=env, check=True, stdout=subprocess.DEVNULL
    )
    return max(traces.iterdir(), key=lambda path: path.stat().st_size)


def repeated(log: Path, megabytes: int, folder: Path) -> Path:
    """A log of so many megabytes, by repetition."""
    data = log.read_bytes()
    path = folder / f"{log.stem}-{megabytes}.log"
    with path.open("wb") as file:
        while file.tell() < megabytes * MEGABYTE:
            file.write(data)
    return path


def with_bytecode(folder: Path) -> None:
    """Let all processes from here on find bytecode, as of an installed package."""
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    os.environ["PYTHONPYCACHEPREFIX"] = str(folder / "bytecode")


def cost_of(command: Sequence[str]) -> tuple[float, float]:
    """CPU seconds, and the most resident MB, of one process."""
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        _, _, used = os.wait4(run.pid, 0)
        run.returncode = 0
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024


def compare(log: Path, rounds: int, tlparse: str | None, folder: Path) -> None:
    """One line of figures, of alternating runs."""
    size = log.stat().st_size / MEGABYTE
    ours, theirs = [], []
    for _ in range(rounds):
        ours.append(cost_of([*OURS, str(log)]))
        if tlparse:
            out = folder / "tl_out"
            theirs.append(cost_of([tlparse, str(log), "--no-browser", "-o", str(out)]))
            shutil.rmtree(out, ignore_errors=True)
    mine = _told("esper-audit", size, ours)
    if theirs:
        other = _told("tlparse", size, theirs)
        print(f"  tlparse / esper-audit, CPU seconds: {other / mine:.1f}", flush=True)


def _told(name: str, size: float, runs: Sequence[tuple[float, float]]) -> float:
    seconds = statistics.median(cpu for cpu, _ in runs)
    memory = max(held for _, held in runs)
    print(f"  {name:12} {seconds:7.2f} s  {size / seconds:6.0f} MB/s  {memory:5.0f} MB", flush=True)
    return seconds


def main() -> None:
    """Measure, and print."""
    asked = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    asked.add_argument("logs", nargs="*", type=Path)
    asked.add_argument("--megabytes", type=int, default=200)
    asked.add_argument("--rounds", type=int, default=3)
    asked.add_argument("--tlparse", default=shutil.which("tlparse"))
    asked.add_argument("--memory", type=int, default=FOR_MEMORY, help="megabytes; 0 leaves it out")
    options = asked.parse_args()
    given = [log.resolve() for log in options.logs]
    if not options.tlparse:
        print("There is no tlparse on PATH (pip install tlparse): only ours is measured.")
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made)
        os.chdir(folder)  # the last audit of a project is kept in it
        logs = given or [made_log(folder, name) for name in ("inductor", "eager")]
        with_bytecode(folder)
        started = [cost_of([*OURS, str(logs[0])]) for _ in range(4)][1:]
        _told("the start", logs[0].stat().st_size / MEGABYTE, started)
        for log in logs:
            big = repeated(log, options.megabytes, folder)
            print(f"{log.name}: {log.stat().st_size / MEGABYTE:.1f} MB, repeated to", end=" ")
            print(f"{big.stat().st_size / MEGABYTE:.0f} MB", flush=True)
            compare(big, options.rounds, options.tlparse, folder)
            big.unlink()
        if options.memory:
            big = repeated(logs[0], options.memory, folder)
            print(f"{logs[0].name}: repeated to {options.memory} MB", flush=True)
            _told("esper-audit", options.memory, [cost_of([*OURS, str(big)])])


if __name__ == "__main__":
    main()
