"""A scenario file that ends its process as it is imported, or never ends, costs itself alone."""

from __future__ import annotations

import json

import pytest
from support import audits_of, esper_audit, why

GOOD = """
import torch
from esper_audit import scenario

def answers(replay):
    step = replay.compile(torch.nn.Linear(2, 2))
    with replay.warm_up():
        step(torch.ones(1, 2))
    step(torch.ones(1, 2))
"""
ENDS = {
    "exits.py": ("import os\nos._exit(0)\n", "ended by itself with exit code 0, in {}:2"),
    "helped.py": ("import helper\n", "killed by SIGABRT, in {0.parent}/lib/helper.py:2"),
    "sleeps.py": ("import time\ntime.sleep(60)\n", "did not end within 0.5 s, in {}:2"),
    "swallows.py": (
        "import time\nwhile True:\n    try:\n        time.sleep(60)\n    except BaseException:\n"
        "        pass\n",
        "did not end within 0.5 s, in {}:4",
    ),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("imports")
    settings = 'import-time-limit = 0.5\npythonpath = ["lib"]\n'
    (place / "pyproject.toml").write_text(f"[tool.esper-audit]\n{settings}")
    (place / "lib").mkdir()
    (place / "lib" / "helper.py").write_text("import os\nos.abort()\n")
    for name, (source, _) in ENDS.items():
        (place / name).write_text(f"{source}# no scenario\n")
    (place / "z.py").write_text(GOOD)
    return place


def named(*names):
    """Scenarios of these names, whatever the names hold."""
    lines = (
        f"answers.__name__ = {name!r}\na{n} = scenario(answers)" for n, name in enumerate(names)
    )
    return "\n".join(lines)


def test_files_that_end_or_hold_up_their_import_cost_themselves_alone(folder):
    """And names that are no names of files cost nothing."""
    odd = ["a/b", "../up", "n\0l", "long" * 100, ""]
    (folder / "z.py").write_text(GOOD + named(*odd))
    files = [*ENDS, "z.py"]
    result = esper_audit(
        *("run", *files, "--backend", "eager", "--no-provenance", "--format", "json"), cwd=folder
    )
    found = audits_of(result.stdout)
    for name, (_, said) in ENDS.items():
        assert said.format(folder / name) in why(found[name,])
    assert [found[name,]["verdict"] for name in odd] == ["passed"] * len(odd)
    assert result.returncode == 3
    listed = esper_audit("list", "exits.py", "z.py", "--format", "json", cwd=folder)
    assert listed.returncode == 2
    assert list(json.loads(listed.stdout)["broken"]) == [str(folder / "exits.py")]
    assert "exits.py: it can't be imported: its process ended" in listed.stderr
