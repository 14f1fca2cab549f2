"""A session of IPython, in a terminal and under ipykernel's names: cells are where code is."""

from __future__ import annotations

import os

import pytest
from warm import run_warm

import esper_audit

SESSION = '''
import os, sys, tempfile
from IPython.core.completer import provisionalcompleter
from IPython.core.compilerop import CachingCompiler
from IPython.core.interactiveshell import InteractiveShell

class Kernel(CachingCompiler):
    """As ipykernel/compiler.py names the code of a cell."""

    def get_code_name(self, raw_code, code, number):
        folder = f"{tempfile.gettempdir()}/ipykernel_{os.getpid()}"
        return os.environ.get("IPYKERNEL_CELL_NAME") or f"{folder}/{hash(raw_code) % 2**32}.py"

class Shell(InteractiveShell):
    compiler_class = Kernel if sys.argv[1:] == ["kernel"] else CachingCompiler

def run(cell):
    result = shell.run_cell(cell, store_history=True)
    return result.result

shell = Shell.instance()
run("import esper_audit, torch")
run("""
class Blend(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = 0.5

    def set_alpha(self, value):
        self.alpha = value

    def forward(self, x):
        return torch.lerp(x, x * 2, self.alpha)
""")
run("""block = esper_audit.record(provenance=True)
blend = Blend()
step = torch.compile(blend, backend="aot_eager")""")
run("""with block as live:
    for value in (0.1, 0.2):
        blend.set_alpha(value)
        step(torch.ones(2))
    print(repr(live))""")
run("print(live.report())")
run("live.save('kept.json')")
run("""with esper_audit.record() as other:
    raise ValueError("no")""")
run("print(repr(block), repr(other))")
run("print('Cell [2], line 10' in live._repr_html_())")
with provisionalcompleter():
    for text in ("esper_audit.", "live."):
        for jedi in (False, True):
            shell.Completer.use_jedi = jedi
            found = {match.text.strip(".") for match in shell.Completer.completions(text, len(text))}
            print("listed:", *sorted(found))

from IPython.core.displaypub import CapturingDisplayPublisher
shell.display_pub = CapturingDisplayPublisher(parent=shell)
run("""from esper_audit.integrations.notebook import live as watched, page
with watched(every=0.01) as shown:
    step(torch.ones(3))""")
run("from IPython.display import display\\ndisplay(page(shown))")
for output in shell.display_pub.outputs:
    data, update = output["data"], output["update"]
    print("cell:", update, data["text/plain"], data["text/html"][:7])
'''


@pytest.mark.parametrize("naming", ["terminal", "kernel"])
def test_a_session_names_its_cells_and_shows_its_recordings(tmp_path, naming):
    (tmp_path / "session.py").write_text(SESSION)
    env = os.environ | {"IPYTHONDIR": str(tmp_path / "ipython")}
    said = run_warm(["session", naming], tmp_path, env=env).stdout
    assert "<LiveRecording: 2 compiles, 1 recompile, 1 cause, recording>\n" in said
    written = "written by Blend.set_alpha (Cell [2], line 7), called from Cell [4], line 3"
    assert written in said and "guarded by Cell [2], line 10 in forward" in said
    ended = "<LiveRecording: 0 compiles, 0 recompiles, 0 causes, ended by ValueError>"
    assert f"1 cause, ended> {ended}\nTrue\n" in said
    listed = [line.split()[1:] for line in said.splitlines() if line.startswith("listed:")]
    module, own = (
        sorted(n for n in names if n[0] != "_")
        for names in (esper_audit.__all__, dir(esper_audit.record()))
    )
    assert listed == [module, module, own, own]
    cells = [line for line in said.splitlines() if line.startswith("cell: ")]
    assert cells[0].startswith(
        "cell: False <LiveRecording: 0 compiles, 0 recompiles, 0 causes, rec"
    )
    assert [
        line
        for line in cells
        if "True <LiveRecording: 1 compile, 1 recompile, 1 cause, end" in line
    ]
    assert cells[-1].startswith("cell: False <page of <LiveRecording: 1 compile, 1 recompile")
    assert [line[-7:] for line in (cells[0], cells[-1])] == ["<pre st", "<iframe"]
    kept = (tmp_path / "kept.json").read_text()
    assert "Cell [2]:Blend.forward" in kept
    assert "ipykernel" not in kept and "ipython-input" not in kept


def test_code_of_a_cell_is_the_users_own_and_other_made_up_files_are_not():
    from esper_audit._dynamo.files import is_user_file

    files = ("<ipython-input-3-ab>", "<timed exec>", "/tmp/ipykernel_7/41.py", "<string>", "<eval>")
    assert [is_user_file(file) for file in files] == [True, True, True, False, False]
