"""What the recorder and the run cost: ratios, measured side by side in one run.

    python benchmarks/overhead.py                  # by the clock, about 10 minutes
    python benchmarks/overhead.py --instructions   # of recompiles alone, under valgrind

Not a test: machines are noisy. Quote medians and ratios; instructions repeat.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path

import torch
from torch import Tensor

from esper_audit import Recorder
from slot import ConvHost, grown

ROOT = Path(__file__).parents[1]
CALLS, ROUNDS = 400, 40


def main() -> None:
    torch.set_num_threads(1)
    for backend in ("aot_eager", "inductor"):
        report(f"warm call, {backend}", warm_calls(backend), wanted=1.03)
    report("recompile, aot_eager", recompiles(), wanted=1.10)
    report("esper-audit --help / python -c 'import typer, rich'", help_command(), wanted=1.5)
    default_run()


def report(name: str, ratios: list[float], wanted: float) -> None:
    middle = statistics.median(ratios)
    low, high = min(ratios), max(ratios)
    spread = f"from {low:.3f} to {high:.3f}, {len(ratios)} pairs"
    print(f"{name}: {middle:.3f} ({spread}), at most {wanted}")


def host() -> tuple[ConvHost, Tensor]:
    torch.manual_seed(0)
    module = ConvHost(alpha="buffer")
    grown(module.slot, "depthwise", 0.5)
    return module, torch.randn(4, 3, 8, 8)


def seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def paired(first: Callable[[], float], second: Callable[[], float], rounds: int) -> list[float]:
    """Ratios second / first, the order changed each round so that a drift hits both."""
    ratios = []
    for number in range(rounds):
        if number % 2:
            one, two = first(), second()
        else:
            two, one = second(), first()
        ratios.append(two / one)
    return ratios


def warm_calls(backend: str) -> list[float]:
    torch.compiler.reset()
    module, images = host()
    compiled = torch.compile(module, backend=backend)

    def calls() -> None:
        with torch.no_grad():
            for _ in range(CALLS):
                compiled(images)

    def recorded() -> float:
        with Recorder():
            return seconds(calls)

    calls()
    return paired(lambda: seconds(calls), recorded, ROUNDS)


def storm() -> float:
    """Seven recompiles of one frame, from an empty cache each time; their seconds."""
    torch.compiler.reset()
    torch.manual_seed(0)
    module = ConvHost(alpha="lazy_cache")
    grown(module.slot, "depthwise", 0.5)
    compiled, images = torch.compile(module, backend="aot_eager"), torch.randn(4, 3, 8, 8)
    compiled(images)
    values = [0.05 + index / 10 for index in range(7)]

    def work() -> None:
        for value in values:
            module.slot.set_alpha(value)
            compiled(images)

    return seconds(work)


def recompiles() -> list[float]:
    def recorded() -> float:
        with Recorder():
            return storm()

    storm()
    return paired(storm, recorded, 15)


def recompiles_by_instructions() -> None:
    """Four storms less one, recorded and not: what the program needs to start falls out."""
    counter = ["valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null"]
    steady = os.environ | {"PYTHONHASHSEED": "0", "OMP_NUM_THREADS": "1"}

    def instructions(way: tuple[str, int]) -> int:
        command = [*counter, sys.executable, __file__, "--storms", way[0], str(way[1])]
        done = subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=ROOT, env=steady
        )
        return int(done.stderr.rpartition("refs:")[2].split()[0].replace(",", ""))

    ways = [("plain", 1), ("plain", 4), ("recorded", 1), ("recorded", 4)]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        found = dict(zip(ways, pool.map(instructions, ways), strict=True))
    plain, recorded = ((found[way, 4] - found[way, 1]) / 21 / 1e6 for way in ("plain", "recorded"))
    print(f"a recompile: {plain:.0f} million instructions plain, {recorded:.0f} recorded:", end=" ")
    print(f"{recorded / plain:.3f}, at most 1.10")


def storms(way: str, times: int) -> None:
    torch.set_num_threads(1)
    with Recorder() if way == "recorded" else nullcontext():
        for _ in range(times):
            storm()


def help_command() -> list[float]:
    tool = [sys.executable, "-m", "esper_audit", "--help"]
    plain = [sys.executable, "-c", "import typer, rich"]
    return paired(lambda: run(plain), lambda: run(tool), 11)


def run(command: list[str]) -> float:
    return seconds(lambda: subprocess.run(command, cwd=ROOT, capture_output=True))


def default_run() -> None:
    """The whole default run against the compile and call seconds in it, and against the
    simplest way to run a scenario: a fresh Python with inductor, of which three are timed."""
    with tempfile.TemporaryDirectory() as folder:
        saved = Path(folder) / "audit.json"
        command = [
            sys.executable,
            "-m",
            "esper_audit",
            "run",
            "-q",
            "-j",
            "1",
            "--output",
            str(saved),
        ]
        wall = run(command)
        audits = json.loads(saved.read_text())["audits"]
    work = sum(step["step"]["seconds"] for audit in audits for step in audit["steps"])
    print(f"default run: {wall:.0f} s wall, {work:.0f} s in steps (compiles and calls):", end=" ")
    print(f"{wall / work:.2f}, at most 1.3 (one replay at a time)")
    times = [run([sys.executable, __file__, "--one", name]) for name in SAMPLE]
    alone = statistics.mean(times) * len(audits)
    print(
        f"each of {len(audits)} replays in a fresh Python with inductor:"
        f" {statistics.mean(times):.1f} s a replay over {len(SAMPLE)} timed, {alone:.0f} s in all:"
        f" {alone / wall:.1f} times the default run, at least 4"
    )


SAMPLE = ("steady_state:buffer", "set_alpha_mid_rollout:lazy_cache", "batch_size_change:buffer")


def one(name: str) -> None:
    """What a user without this tool does: one scenario, this process, inductor."""
    from esper_audit.data.jobs import CompileOptions, Job, Variant
    from esper_audit.replay.collect import collect
    from esper_audit.replay.worker import replay

    scenario_name, alpha = name.split(":")
    collection = collect([str(ROOT / "scenarios")], [str(ROOT)])
    scenario = next(scenario for scenario in collection.scenarios if scenario.name == scenario_name)
    parameters = {key: values[0] for key, values in scenario.params.items()} | {"alpha": alpha}
    choices = {key: scenario.params[key].index(value) for key, value in parameters.items()}
    replay(
        Job(
            scenario=scenario_name,
            file=scenario.file,
            parameters=parameters,
            choices=choices,
            options=CompileOptions(backend="inductor"),
            compare=False,
            variant=Variant(record=False),
            pythonpath=(str(ROOT),),
        )
    )


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(sys.argv[2])
    elif sys.argv[1:2] == ["--storms"]:
        storms(sys.argv[2], int(sys.argv[3]))
    elif sys.argv[1:2] == ["--instructions"]:
        recompiles_by_instructions()
    else:
        main()
