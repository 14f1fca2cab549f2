"""What ``esper-audit exec`` costs a program: ratios, measured side by side in one run.

    python benchmarks/exec_overhead.py                  # by the clock, about 12 minutes
    python benchmarks/exec_overhead.py --instructions   # under valgrind, about 15 minutes

Not a test: machines are noisy, by the clock. Quote medians and ratios, and beside them the ratio
of plain python to itself. Instructions repeat within 0.3 %, also on a busy machine.
"""

from __future__ import annotations

import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).parents[1]
ROUNDS = 15
START_UP = "once"

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

# The tool's fixed costs: a program that compiles something, as small as can be. One that compiles
# nothing is no measure: torch imports more with the first compile, and a collection of all
# objects falls into the one program or the other.
ONCE = """
import torch

torch.set_num_threads(1)
torch.compile(torch.sin, backend="aot_eager")(torch.ones(3))
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
    by_clock = "--instructions" not in sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        (place / "once.py").write_text(ONCE)
        (place / "program.py").write_text(PROGRAM)
        (place / "steady.py").write_text(STEADY)
        compare(measured_by_clock(place) if by_clock else measured_by_instructions(place))
        if by_clock:
            steady = [str(place / "steady.py"), str(place)]
            subprocess.run([*ours(place / "r.json"), *steady], check=True, cwd=ROOT)


def ours(saved: Path) -> list[str]:
    command = Path(sys.executable).with_name("esper-audit")
    return [str(command), "exec", "-q", "--save", str(saved)]


Way = tuple[list[str], dict[str, str]]


def ways(place: Path) -> dict[str, Way]:
    """Commands and environments. Plain python twice: what a ratio of 1 looks like here."""
    once, program = str(place / "once.py"), str(place / "program.py")
    plain, own = [sys.executable], [sys.executable, *ours(place / "r.json")]
    return {
        START_UP: ([*plain, once], {}),
        f"{START_UP}, exec": ([*own, once], {}),
        "plain": ([*plain, program], {}),
        "plain again": ([*plain, program], {}),
        "exec": ([*own, program], {}),
        "TORCH_LOGS": ([*plain, program], {"TORCH_LOGS": "recompiles"}),
        "TORCH_TRACE": ([*plain, program], {"TORCH_TRACE": str(place / "trace")}),
    }


def measured_by_clock(place: Path) -> dict[str, list[float]]:
    """Seconds. Every way once a round, in an order by chance: a drift hits all alike."""
    all_ways = ways(place)
    times: dict[str, list[float]] = {name: [] for name in all_ways}
    for _ in range(ROUNDS):
        for name in random.sample(list(all_ways), len(all_ways)):
            started = time.perf_counter()
            run(all_ways[name])
            times[name].append(time.perf_counter() - started)
    return times


def measured_by_instructions(place: Path) -> dict[str, list[float]]:
    """Thousand millions of instructions, once each, as many at a time as there are processors."""
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    steady = {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}

    def count(way: Way) -> list[float]:
        command, variables = way
        said = run(([*counter, *command], variables | steady))
        return [int(said.rpartition("refs:")[2].split()[0].replace(",", "")) / 1e9]

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        all_ways = ways(place)
        return dict(zip(all_ways, pool.map(count, all_ways.values()), strict=True))


def compare(all_measured: dict[str, list[float]]) -> None:
    for name, values in all_measured.items():
        print(f"{name}: {statistics.median(values):.2f}")
    pairs = zip(all_measured[f"{START_UP}, exec"], all_measured[START_UP], strict=True)
    start_up = statistics.median(one - other for one, other in pairs)
    print(f"start-up of the tool: {start_up:.2f}; by the clock at most 0.5 s")
    own = [figure - start_up for figure in all_measured["exec"]]
    tell("exec without its start-up / plain", own, all_measured["plain"], "at most 1.05")
    for name in ("TORCH_LOGS", "TORCH_TRACE"):
        tell(f"exec without its start-up / {name}", own, all_measured[name], "at most 1")
    again = all_measured["plain again"]
    tell("plain again / plain", again, all_measured["plain"], "1 but for noise")


def tell(what: str, ones: list[float], others: list[float], wanted: str) -> None:
    ratios = sorted(one / other for one, other in zip(ones, others, strict=True))
    low, high = ratios[len(ratios) // 4], ratios[-1 - len(ratios) // 4]
    print(
        f"{what}: {statistics.median(ratios):.3f} (middle half {low:.3f} to {high:.3f},"
        f" {len(ratios)} pairs), {wanted}"
    )


def run(way: Way) -> str:
    """Its stderr."""
    command, variables = way
    return subprocess.run(
        command, check=True, capture_output=True, text=True, cwd=ROOT, env=os.environ | variables
    ).stderr


if __name__ == "__main__":
    main()
