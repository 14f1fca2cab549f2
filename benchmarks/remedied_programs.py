"""Ten programs that recompile, and what `esper-audit fix --exec` proves for each: a table.

    .venv/bin/python benchmarks/remedied_programs.py [NAME...]

The programs lie in tests/live/programs/remedies/. Each is run as it is, without torch.compile, and
with remedies: the whole takes some minutes on two quiet cores.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from esper_audit.data.remedies import Fix
from esper_audit.program.fix import run_program_fix
from esper_audit.program.launch import Target

PROGRAMS = Path(__file__).parents[1] / "tests" / "live" / "programs" / "remedies"


def main(names: list[str]) -> None:
    """Print a row for each program as soon as it is known."""
    os.chdir(PROGRAMS)
    print("| program | recompiles before | best remedy | state | after | seconds | of one run |")
    print("|---|---|---|---|---|---|---|", flush=True)
    for name in names or sorted(path.stem for path in PROGRAMS.glob("*.py")):
        started = time.monotonic()
        report = run_program_fix(Target(f"{name}.py"))
        seconds = time.monotonic() - started
        for fix in report.fixes:
            print(row(name, fix, seconds), flush=True)


def row(name: str, fix: Fix, seconds: float) -> str:
    """The best remedy; where none is proven, the one that left the fewest compiles."""
    tried = [trial for trial in fix.trials if trial.compiles is not None]
    best = fix.trials[fix.best] if fix.best is not None else None
    shown = best or min(tried, key=lambda trial: trial.compiles or 0, default=None)
    told = (shown.id, shown.state, shown.compiles) if shown is not None else ("none", "", "")
    cells = (name, fix.compiles, *told, f"{seconds:.0f}", f"{fix.replay_seconds:.0f}")
    return f"| {' | '.join(map(str, cells))} |"


if __name__ == "__main__":
    main(sys.argv[1:])
