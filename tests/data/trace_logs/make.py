"""Makes a folder of trace logs by another torch: ``python make.py PYTHON FOLDER``.

PYTHON has the torch; the logs of program.py, run by it, are trimmed to what is read and written
into FOLDER, packed. Paths of this machine are replaced.
"""

import gzip
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from esper_audit.traces.metrics import Metrics

PROGRAM = Path(__file__).with_name("program.py")
KEPT = set(Metrics.__struct_fields__)
RECORDS = (
    *("str", "dynamo_start", "dynamo_cpp_guards_str", "create_symbol"),
    *("compilation_metrics", "bwd_compilation_metrics", "artifact"),
)
ARTIFACTS = (
    *("recompile_reasons", "dynamo_graph_break_reason", "torch_version"),
    *("fx_graph_cache_hit", "fx_graph_cache_miss", "aotautograd_cache_bypass"),
)
CONFIG = (
    *("recompile_limit", "accumulated_recompile_limit", "suppress_errors"),
    *("automatic_dynamic_shapes", "assume_static_by_default", "specialize_float", "disable"),
)
HEAD = re.compile(r"(?P<before>V\S+ \S+ \d+ [^\]]*\] )(?P<json>\{.*)")
UNREAD = re.compile(r"source=G\['(?:__import_|__builtins_dict|torch'\])")


def main(python: str, folder: Path) -> None:
    with tempfile.TemporaryDirectory() as made:
        environment = {**os.environ, "TORCH_TRACE": made}
        subprocess.run([python, PROGRAM], env=environment, check=True)
        folder.mkdir(exist_ok=True)
        for number, log in enumerate(sorted(Path(made).iterdir(), key=lambda p: -p.stat().st_size)):
            text = "".join(trimmed(log.read_text().splitlines(), paths(python)))
            target = folder / f"dedicated_log_torch_trace_{number}.log.gz"
            target.write_bytes(gzip.compress(text.encode(), mtime=0))


def paths(python):
    """What stands for the folders of this machine."""
    code = "import torch, contextlib; print(torch.__path__[0]); print(contextlib.__file__)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    torch, library = found.stdout.split()
    return {
        str(PROGRAM.parent): "/home/user",
        str(Path(torch).parent): "/usr/lib/python3.11/site-packages",
        str(Path(library).parent): "/usr/lib/python3.11",
    }


def trimmed(lines, replaced):
    for before, record, payload in records(lines):
        kept = smaller(record, payload)
        if kept is None:
            continue
        whole = elsewhere("\n".join(kept), replaced)
        record = json.loads(elsewhere(json.dumps(record), replaced))
        if "has_payload" in record:
            record["has_payload"] = hashlib.md5(whole.encode()).hexdigest()
        yield f"{before}{json.dumps(record)}\n"
        if "has_payload" in record:
            yield "".join(f"\t{line}\n" for line in whole.split("\n"))


def elsewhere(text, replaced):
    """The text with other paths than this machine's. Torch cuts them in comments from the left."""
    for path, other in replaced.items():
        text = text.replace(path, other)
        for length in range(len(path), 8, -1):
            text = text.replace(f"# {path[-length:]}/", f"# {other[-length:]}/")
    return text


def records(lines):
    """Each record: what stands before its JSON, the JSON, the lines of its payload."""
    found = None
    for line in lines:
        if line.startswith("\t") and found:
            found[2].append(line[1:])
            continue
        if found:
            yield found
        match = HEAD.match(line)
        found = (match["before"], json.loads(match["json"]), []) if match else None
    if found:
        yield found


def smaller(record, payload):
    """The payload to keep; None where the record is not read. Trims metrics in place."""
    kind = next((name for name in RECORDS if name in record), None)
    if kind is None or (kind == "artifact" and record[kind]["name"] not in ARTIFACTS):
        return None
    if "metrics" in kind:
        record[kind] = {name: value for name, value in record[kind].items() if name in KEPT}
        config = json.loads(record[kind].get("dynamo_config") or "{}")
        record[kind].pop("compiler_config", None)
        if config:
            record[kind]["dynamo_config"] = json.dumps({n: config.get(n) for n in CONFIG})
    if kind == "create_symbol":
        record[kind].pop("stack", None)
    return list(without_torch(payload)) if kind == "dynamo_cpp_guards_str" else payload


def without_torch(lines):
    """A tree without the guards on torch's own modules and functions."""
    depth = None
    for line in lines:
        bars = len(line) - len(line.lstrip("| "))
        if depth is not None and bars > depth:
            continue
        depth = bars if UNREAD.search(line) else None
        if depth is None:
            yield line


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
