"""What a page of 1,000 compiles weighs, and how long a browser takes to open it.

    python benchmarks/html_page.py           # about 2 minutes; needs playwright and a Chromium
    python benchmarks/html_page.py --keep p  # also leaves program, audit and page in the folder p

A program of 50 compiled functions is recorded, each compiled for 20 values. The page of the
recording is opened several times, each in a new context; times are those that the browser itself
measures, from the navigation on.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

FUNCTIONS, VALUES, ROUNDS = 50, 20, 9
ONE_FUNCTION = '''
@torch.compile(backend="eager", dynamic=False)
def layer_{n}(x, scales):
    """Dynamo bakes the float into its code."""
    return torch.lerp(x, x.cos(), scales.alpha_{n}) + {n}
'''
LOOP = f"""
for value in range({VALUES}):
    for n in range({FUNCTIONS}):
        setattr(scales, f"alpha_{{n}}", value / 100)
    for layer in layers:
        for _ in range(3):
            layer(x, scales)
"""


def program() -> str:
    """The text of the program: each function has a frame of its own."""
    functions = "".join(ONE_FUNCTION.format(n=n) for n in range(FUNCTIONS))
    names = ", ".join(f"layer_{n}" for n in range(FUNCTIONS))
    return (
        "import types\n\nimport torch\n\n"
        "torch._dynamo.config.recompile_limit = 64\n"
        "torch._dynamo.config.accumulated_recompile_limit = 4096\n"
        f"scales = types.SimpleNamespace()\nx = torch.ones(4)\n{functions}\n"
        f"layers = [{names}]\n{LOOP}"
    )


def made(folder: Path) -> Path:
    """The page of a recording of the program."""
    script, audit, page = (folder / name for name in ("layers.py", "audit.json", "page.html"))
    script.write_text(program())
    tool = [sys.executable, "-m", "esper_audit"]
    recorded = [*tool, "exec", "-q", "--save", str(audit), str(script)]
    subprocess.run(recorded, check=False, cwd=folder)
    began = time.perf_counter()
    subprocess.run([*tool, "show", str(audit), "--export", str(page)], check=False, cwd=folder)
    print(f"page written in {time.perf_counter() - began:.1f} s, with the start of the tool")
    return page


TIMINGS = """async () => {
    const painted = await new Promise((told) =>
        new PerformanceObserver((list) =>
            list.getEntriesByName("first-contentful-paint").forEach((entry) => told(entry))
        ).observe({type: "paint", buffered: true})
    );
    const [navigation] = performance.getEntriesByType("navigation");
    return [navigation.domContentLoadedEventEnd, navigation.loadEventEnd, painted.startTime];
}"""


def opened(browser: Any, page: Path) -> tuple[float, float, float]:
    """Milliseconds to DOMContentLoaded, load and the first paint of content."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    shown = context.new_page()
    shown.goto(page.as_uri(), wait_until="load")
    loaded, whole, painted = shown.evaluate(TIMINGS)
    context.close()
    return loaded, whole, painted


def measure(page: Path) -> None:
    """Print size and times of a page."""
    from playwright.sync_api import sync_playwright

    names = ("chromium", "chromium-browser", "google-chrome")
    chromium = next(filter(None, map(shutil.which, names)), None)
    size = page.stat().st_size
    print(f"{size / 1e6:.2f} MB")
    with sync_playwright() as driver:
        flags = ["--no-sandbox", "--disable-gpu"]
        browser = driver.chromium.launch(executable_path=chromium, args=flags)
        print(f"Chromium {browser.version}, {ROUNDS} times, median (least to most), ms:")
        times = [opened(browser, page) for _ in range(ROUNDS)]
        browser.close()
    for name, column in zip(
        ("DOMContentLoaded", "load", "first paint"), zip(*times, strict=True), strict=True
    ):
        print(f"  {name}: {statistics.median(column):.0f} ({min(column):.0f} to {max(column):.0f})")


def main() -> None:
    """Record, write, open."""
    kept = Path(sys.argv[2]).resolve() if sys.argv[1:2] == ["--keep"] else None
    with tempfile.TemporaryDirectory() as folder:
        place = kept or Path(folder)
        place.mkdir(parents=True, exist_ok=True)
        measure(made(place))


if __name__ == "__main__":
    main()
