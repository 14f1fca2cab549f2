"""Graph breaks: torch's texts in parts, findings by the line to change, and their words."""

from __future__ import annotations

import pytest
from builders import compiled, recording

from esper_audit.data.compiles import GraphBreak
from esper_audit.data.places import Frame, Location
from esper_audit.diagnosis import judge_program
from esper_audit.report.blocks import block
from esper_audit.report.words.paths import place, without_installation
from esper_audit.torch_text.breaks import helpful, read_break, second_break

PRINT = """Failed to trace builtin operator
  Explanation: Dynamo does not know how to trace builtin operator `print` with argument types ['str']
  Hint: Avoid calling builtin `print` with argument types ['str']. Consider using another.
  Hint: If you are attempting to call a logging function (e.g. `print`), you can try adding it to
    `torch._dynamo.config.reorderable_logging_functions`.
  Hint: Please report an issue to PyTorch.

  Developer debug context: builtin print [<class 'ConstantVariable'>] True

 For more details about this graph break, please visit: https://example.com/gb0059.html"""
LINE = Location("/p/host.py", 9, "forward")
STEP = Location("/p/host.py", 20, "update")
IN_TORCH = Location("/env/lib/python3.11/site-packages/torch/optim/optimizer.py", 79, "_use_grad")


def text(kind: str, explanation: str = "", context: str = "") -> str:
    return f"{kind}\n  Explanation: {explanation}\n\n  Developer debug context: {context}"


def test_a_text_is_read_into_its_parts():
    said = read_break(PRINT)
    assert (said.kind, said.called) == ("Failed to trace builtin operator", "print")
    assert said.explanation.startswith("Dynamo does not know how to trace builtin operator `print`")
    assert said.context == "builtin print [<class 'ConstantVariable'>] True"
    assert len(said.hints) == 3
    assert [hint[:20] for hint in helpful(said.hints)] == ["If you are attemptin"]


@pytest.mark.parametrize(
    ("said", "called"),
    [
        ("generic_jump TensorVariable()", "branch on a tensor's value"),
        (text("Unsupported Tensor.item() call with capture_scalar_outputs=False"), "Tensor.item()"),
        (text("Unsupported Tensor.backward() call"), "Tensor.backward()"),
        (text("Tensor.tolist() with non-integer tensor"), "Tensor.tolist()"),
        (text("Call to `torch._dynamo.graph_break()`"), "torch._dynamo.graph_break()"),
        (
            text(
                "Attempted to call function marked as skipped",
                context="module: time, qualname: time, s",
            ),
            "time.time",
        ),
        (
            text(
                "Attempted to inline function marked as skipped",
                context="qualname: Optimizer.zero_grad, name: inner",
            ),
            "Optimizer.zero_grad",
        ),
        (
            text(
                "Skip calling `torch.compiler.disable()`d function",
                context="<function helper at 0x7f05>",
            ),
            "helper",
        ),
        (
            text("logging.Logger method", context="method: <Logger x (INFO)>.info, args: []"),
            "Logger.info",
        ),
        (
            text("Unsupported method call", "how to trace method `acquire` of class `lock`"),
            "lock.acquire",
        ),
        (
            text("Data dependent operator", context="aten._local_scalar_dense.default"),
            "reading a tensor's value as a Python number",
        ),
        (
            text("Dynamic shape operator", "Operator `aten.nonzero.default`'s output shape"),
            "aten.nonzero.default",
        ),
        ("some text of another form", ""),
    ],
)
def test_what_broke_is_named_where_torch_names_it(said, called):
    assert read_break(said).called == called


def broken(said: str, location: Location | None, **fields: object) -> GraphBreak:
    parts = read_break(said)
    told = {"kind": parts.kind, "called": parts.called, "hints": parts.hints}
    return GraphBreak(said, location, **told, **fields)  # type: ignore[arg-type]


def findings(*pairs):
    frames = [Frame(name, "/p/host.py", 1, f"host.py:{name}", name) for name, _ in pairs]
    made = [
        compiled(at, frame=frame, graph_breaks=(found,))
        for at, (frame, (_, found)) in enumerate(zip(frames, pairs, strict=True))
    ]
    found = judge_program(recording((), made)).findings
    return [finding for finding in found if finding.id == "graph-break"]


def test_one_line_is_one_finding_with_all_frames_it_breaks():
    (found,) = findings(("Net.forward", broken(PRINT, LINE)), ("Own.forward", broken(PRINT, LINE)))
    assert found.breaks.frames == ("Net.forward", "Own.forward")
    assert "breaks 2 frames (Net.forward, Own.forward), in 2 compiles" in block(found, "/p")
    assert "try: move the call of print out of the compiled function" in block(found, "/p")
    assert "torch says: Failed to trace builtin operator (print)" in block(found, "/p")
    assert "torch's hint: If you are attempting" in block(found, "/p")


def test_breaks_that_torch_makes_on_purpose_are_one_line():
    graph_break = text("Call to `torch._dynamo.graph_break()`")
    fields = {"in_library": True, "on_purpose": True, "called_from": STEP}
    method = text("Unsupported method call", "method `set_stats` of class `Logger`")
    (found,) = findings(
        ("update", broken(graph_break, IN_TORCH, **fields)),
        ("Adam.step", broken(graph_break, IN_TORCH, in_library=True)),
        (
            "DDP",
            broken(method, Location("/usr/lib/python3.11/contextlib.py", 105), in_library=True),
        ),
    )
    assert found.breaks.own and found.called_from == STEP
    said = block(found, "/p")
    assert "torch's own code at torch/optim/optimizer.py:79 in _use_grad, contextlib.py:105" in said
    assert "breaks 3 frames (update, Adam.step, DDP)" in said
    assert said.endswith("nothing to try in your code")


def test_library_code_that_cannot_be_traced_is_told_by_the_users_call():
    method = text("Unsupported method call", "method `acquire` of class `lock`")
    (found,) = findings(("f", broken(method, IN_TORCH, in_library=True, called_from=STEP)))
    assert not found.breaks.own and found.user_line == STEP
    assert "graph-break: f at host.py:20 in update" in block(found, "/p")
    assert "in the call of torch/optim/optimizer.py:79" in block(found, "/p")
    assert "try: move this call out of the compiled function" in block(found, "/p")


@pytest.mark.parametrize(
    ("file", "short"),
    [
        ("/env/lib/python3.11/site-packages/torch/nn/x.py", "torch/nn/x.py"),
        ("/root/.pyenv/versions/3.11.7/lib/python3.11/contextlib.py", "contextlib.py"),
        ("/usr/lib/python3.13t/logging/__init__.py", "logging/__init__.py"),
        ("/usr/lib/python3/dist-packages/numpy/core.py", "numpy/core.py"),
        ("/p/src/net.py", "src/net.py"),
        ("/elsewhere/net.py", "/elsewhere/net.py"),
    ],
)
def test_installed_files_are_named_without_their_installation(file, short):
    assert place(Location(file, 3), "/p") == f"{short}:3"


def test_a_resumed_function_bears_the_users_name_in_a_place():
    resumed = Location("/p/a.py", 3, "Net.torch_dynamo_resume_in_forward_at_8")
    assert place(resumed, "/p") == "a.py:3 in Net.forward"


def test_torchs_texts_lose_the_folder_of_the_installation():
    said = "in file `/env/lib/python3.11/site-packages/torch/_compile.py` should not"
    assert without_installation(said) == "in file `torch/_compile.py` should not"


def test_the_second_of_two_texts_is_what_dynamo_cannot_do_there_either():
    second = "\n\n*** While handling this graph break, another graph break occurred: ***\n\n"
    assert second_break(f"{PRINT}{second}{text('graph break in loop', 'It is.')}") == (
        "graph break in loop"
    )
    assert second_break(PRINT) == ""
