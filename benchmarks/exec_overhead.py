"""What ``esper-audit exec`` costs a program: ratios, measured side by side in one run.

    python benchmarks/exec_overhead.py

Not a test: machines are noisy. Quote medians and ratios.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 7

PROGRAM = """
import torch
from torch import nn

torch.set_num_threads(1)


class Slot(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(*(nn.Linear(32, 32) for _ in range(4)))
        self.alpha = 0.5

    def forward(self, x):
        return torch.lerp(x, self.layers(x), self.alpha)


slot = Slot()
step = torch.compile(slot, backend="aot_eager")
x = torch.ones(16, 32)
for number in range(5):
    slot.alpha = number / 10
    for _ in range(2000):
        step(x)
"""

STEADY = """
import os
import sys
from pathlib import Path

import torch

torch.set_num_threads(1)
step = torch.compile(torch.nn.Linear(8, 8), backend="aot_eager")
x = torch.ones(4, 8)


def resident():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") // 1024


def written():
    return sum(each.stat().st_size for each in Path(sys.argv[1]).glob("r.json*"))


with torch.no_grad():
    for _ in range(2000):
        step(x)
    before = resident(), written()
    for _ in range(100_000):
        step(x)
    after = resident(), written()
grown = [one - other for one, other in zip(after, before)]
print(f"100,000 steady calls: {grown[0]} KiB of memory, {grown[1]} bytes of file")
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "nothing.py").write_text("import torch._dynamo")
        (place / "program.py").write_text(PROGRAM)
        (place / "steady.py").write_text(STEADY)
        compare(place)
        subprocess.run(
            [*ours(place / "r.json"), str(place / "steady.py"), str(place)], check=True, cwd=ROOT
        )


def ours(saved: Path) -> list[str]:
    return [sys.executable, "-m", "esper_audit", "exec", "-q", "--save", str(saved)]


def compare(place: Path) -> None:
    """Every way once a round, so that a drift of the machine hits all alike."""
    plain = [sys.executable]
    audited = ours(place / "r.json")
    ways: dict[str, Callable[[], float]] = {
        "nothing": lambda: wall([*plain, str(place / "nothing.py")]),
        "nothing, exec": lambda: wall([*audited, str(place / "nothing.py")]),
        "plain": lambda: wall([*plain, str(place / "program.py")]),
        "exec": lambda: wall([*audited, str(place / "program.py")]),
        "TORCH_LOGS": lambda: wall([*plain, str(place / "program.py")], TORCH_LOGS="recompiles"),
        "TORCH_TRACE": lambda: wall(
            [*plain, str(place / "program.py")], TORCH_TRACE=str(place / "trace")
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            times[name].append(way())
    start_up = statistics.median(
        one - other for one, other in zip(times["nothing, exec"], times["nothing"], strict=True)
    )
    print(f"start-up of the tool: {start_up:.2f} s, at most 0.5 ({ROUNDS} pairs)")
    own = [each - start_up for each in times["exec"]]
    for name, wanted in (("plain", 1.05), ("TORCH_LOGS", 1.0), ("TORCH_TRACE", 1.0)):
        ratios = [one / other for one, other in zip(own, times[name], strict=True)]
        print(
            f"exec without its start-up / {name}: {statistics.median(ratios):.3f} (from"
            f" {min(ratios):.3f} to {max(ratios):.3f}, {ROUNDS} pairs), at most {wanted}"
        )


def wall(command: list[str], **variables: str) -> float:
    started = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT, env=os.environ | variables)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
