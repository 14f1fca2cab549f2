"""What a document tells a reader to do, block by block: files to write, commands to type.

Conventions of the documents, which ``tests/live/test_docs_live.py`` follows:

- A block with a ``title`` is a file. Where it begins indented, its functions take the place of those
  of the same name in the file as it is.
- A ``console`` block holds commands after ``$``, each with what it prints. A line ``...`` stands for
  any lines that are left out.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
TUTORIAL = "docs/tutorial/first-audit.md"
DOCUMENTS = (
    "README.md",
    TUTORIAL,
    *(str(path.relative_to(ROOT)) for path in sorted((ROOT / "docs/how-to").glob("*.md"))),
)

OWN = "it is the reader's own repository"
NOT_RUN = {
    "./dev audit": "CI runs the reference suite by itself",
    "./dev check": "CI runs it",
    "./dev test": "this test is a part of it",
    "./dev gate": "CI runs it",
    "pip install .": "every test needs what it installs",
    "torchrun --nproc-per-node 2 --no-python esper-audit exec --save ranks/ train.py": (
        "tests/live/test_ranks.py runs ranks"
    ),
    "esper-audit show ranks": "tests/live/test_ranks.py runs ranks",
    "esper-audit watch $(pgrep -f train.py)": "tests/live/test_watching_live.py watches a process",
    "torchrun --nproc-per-node 8 --no-python esper-audit exec --save ranks/ train.py": (
        "tests/live/test_ranks.py runs ranks"
    ),
    "TORCH_TRACE=traces python train.py &": "tests/pure/test_watched_logs.py watches trace logs",
    "esper-audit watch traces": "tests/pure/test_watched_logs.py watches trace logs",
    "esper-audit import traces/": "docs/how-to/read-a-trace-folder.md imports a folder",
    "esper-audit watch ranks/": "tests/pure/test_watched_ranks.py watches ranks",
    "esper-audit exec examples/hf_caches.py dynamic": "tests/live/test_examples.py runs it",
    "esper-audit exec --provenance examples/optimizer_schedule.py float": (
        "tests/live/test_examples.py runs it"
    ),
    "esper-audit exec --max-recompiles-after-warm-up 0 examples/transformer_loop.py": (
        "tests/live/test_examples.py runs it"
    ),
    "esper-audit fix gain_changes.py": "docs/how-to/fix-a-recompile.md runs it",
    "esper-audit fix --exec train.py --epochs 3": "tests/live/test_program_fixes.py runs fix --exec",
    "git checkout GOOD": OWN,
    "esper-audit gate --update-baseline --baseline ../good.json -k rollout": OWN,
    "git bisect start BAD GOOD": OWN,
    "git bisect reset": OWN,
    "pre-commit install --hook-type pre-push": "pre-commit is another tool",
}
"""Commands of the documents that no test types, and why."""


@dataclass(frozen=True)
class Block:
    """A fenced block. ``line`` is where its text begins."""

    language: str
    title: str
    text: str
    line: int


@dataclass(frozen=True)
class Typed:
    """A command, and the lines that are shown under it."""

    command: str
    shown: tuple[str, ...]
    line: int

    @property
    def is_run(self) -> bool:
        return self.command not in NOT_RUN and not self.command.startswith("git bisect run ")


LEFT_OUT = "..."
_BLOCK = re.compile(
    r'^```(?P<language>\w*)(?: title="(?P<title>[^"]+)")?\n(?P<text>.*?)^```$',
    re.MULTILINE | re.DOTALL,
)
_COMMENT = re.compile(r"\s+# .*$")
_FUNCTION = re.compile(r"^    def (\w+).*?(?=^    def |^    @|^\S|\Z)", re.MULTILINE | re.DOTALL)


def blocks(document: str) -> list[Block]:
    """All fenced blocks, in order."""
    text = (ROOT / document).read_text(encoding="utf-8")
    return [
        Block(
            found["language"],
            found["title"] or "",
            found["text"],
            text[: found.start("text")].count("\n") + 1,
        )
        for found in _BLOCK.finditer(text)
    ]


def fragments(document: str) -> list[str]:
    """Python code that is no file, with what a fragment leaves out at its end."""
    found = [block for block in blocks(document) if block.language == "python" and not block.title]
    return [_completed(block.text.rstrip()) for block in found]


def _completed(text: str) -> str:
    last = text.splitlines()[-1]
    if last.startswith("@"):
        return f"{text}\ndef last(replay):\n    pass\n"
    return f"{text}\n    pass\n" if last.endswith(":") else text


def typed(block: Block) -> list[Typed]:
    """The commands of a console block."""
    found: list[Typed] = []
    for number, line in enumerate(block.text.splitlines(), block.line):
        if line.startswith("$ "):
            found.append(Typed(_COMMENT.sub("", line[2:]), (), number))
        else:
            last = found.pop()
            found.append(Typed(last.command, (*last.shown, line), last.line))
    return found


def with_functions(source: str, changed: str) -> str:
    """A file with the functions of a block in place of its own ones of these names."""
    for found in _FUNCTION.finditer(changed):
        own = next(f for f in _FUNCTION.finditer(source) if f[1] == found[1])
        gap = own[0][len(own[0].rstrip()) :]
        source = source[: own.start()] + found[0].rstrip() + gap + source[own.end() :]
    return source


_CODES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)")
_VARYING = (
    (re.compile(r"\b\d+(?:\.\d+)?(?:e-\d+)? s\b"), "N s"),
    (re.compile(r"\bin \d+\.\d+s\b"), "in N s"),
    (re.compile(r"torch \d[\w.+]*"), "torch VERSION"),
    (re.compile(r"(?<=  )\d+\.\d(?= +\d+  )"), "N"),
    (re.compile(r"Python \d[\w.+]*"), "Python VERSION"),
)


def settled(line: str) -> str:
    """A line without colours, and without what differs from run to run."""
    line = _CODES.sub("", line).rstrip()
    for pattern, name in _VARYING:
        line = pattern.sub(name, line)
    return line


def is_shown(shown: tuple[str, ...], printed: str) -> bool:
    """Whether a document shows what was printed, but for the lines that it leaves out."""
    lines = "\n".join(map(settled, printed.splitlines())).strip("\n").splitlines()
    parts = _parts([settled(line) for line in shown])
    place = 0
    for number, part in enumerate(parts):
        last = len(lines) - len(part)
        starts = range(last if part is parts[-1] else place, (last if number else place) + 1)
        found = (at for at in starts if at >= place and lines[at : at + len(part)] == part)
        at = next(found, None)
        if at is None:
            return False
        place = at + len(part)
    return True


def _parts(shown: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in shown:
        if line == LEFT_OUT:
            parts.append([])
        else:
            parts[-1].append(line)
    return parts
