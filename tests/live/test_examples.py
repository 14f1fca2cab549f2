"""Programs that use libraries as their users do give the counts that torch's own counters give."""

from __future__ import annotations

import pytest
from support import ROOT, esper_audit

from esper_audit.data.audits import ProgramReport
from esper_audit.data.recording import Recording
from esper_audit.data.storage import load

EXAMPLES = ROOT / "examples"


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Run an example once; its recording and its report."""
    done = {}

    def run_example(name, *args):
        key = (name, *args)
        if key not in done:
            folder = tmp_path_factory.mktemp("example")
            result = esper_audit(
                *("exec", "--save", str(folder / "r.json")),
                *("--format", "json", "--output", str(folder / "p.json")),
                *(str(EXAMPLES / name), *args),
            )
            assert result.returncode == 0, result.stderr
            report = load(folder / "p.json", ProgramReport)
            done[key] = load(folder / "r.json", Recording), report.audits[0]
        return done[key]

    return run_example


ALL = [
    ("hf_caches.py", "dynamic"),
    ("hf_caches.py", "static"),
    ("optimizer_schedule.py", "float"),
    ("optimizer_schedule.py", "tensor"),
    ("transformer_loop.py",),
]


@pytest.mark.parametrize("example", ALL, ids=" ".join)
def test_the_counts_are_torchs_own(run, example):
    recording, audit = run(*example)
    graphs = sum(1 for compile_ in recording.compiles if compile_.succeeded and compile_.graph_ops)
    assert graphs == recording.torch_counters["unique_graphs"]
    held = audit.recording
    assert (held.hook_errors, held.unrecognized, held.lost) == ((), (), ())


def test_a_growing_cache_recompiles_for_its_size_and_a_static_one_does_not(run):
    def diagnoses(kind):
        return {finding.id for finding in run("hf_caches.py", kind)[1].findings}

    assert diagnoses("dynamic") == {"flag-changed", "size-zero-one"}
    assert diagnoses("static") == {"flag-changed"}


def test_the_model_is_named_and_not_its_decorator(run):
    assert run("hf_caches.py", "static")[1].frames[0].frame.name == "LlamaForCausalLM.forward"


def test_a_learning_rate_recompiles_once_as_a_float_and_never_as_a_tensor(run):
    def causes(kind):
        found = run("optimizer_schedule.py", kind)[1].findings
        return [(finding.id, finding.compiles) for finding in found if finding.pattern is not None]

    assert causes("float") == [("float-specialized", 1)]
    assert causes("tensor") == []


def test_a_training_loop_compiles_its_variants_in_the_first_epoch(run):
    audit = run("transformer_loop.py")[1]
    assert [frame.recompiles for frame in audit.frames] == [2]
    assert [frame.recompiles_after_warm_up for frame in audit.frames] == [0]
    ids = {finding.id for finding in audit.findings}
    assert ids == {"size-changed", "grad-mode-changed", "train-eval-flipped"}
    assert all(compile_.label.startswith("epoch 0") for compile_ in audit.recording.compiles)
