"""Patches of attributes, caches and counters, replayed: no compile after warm-up is left.

All cases of small modules are in one scenario, each in a file of its own, so that two replays
show them all.
"""

from __future__ import annotations

import copy
import textwrap
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from support import ROOT, every_job

from esper_audit.data.audits import Audit
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.jobs import Job, Variant
from esper_audit.data.remedies import Cause, Remedy
from esper_audit.data.verdicts import AuditVerdict
from esper_audit.diagnosis import judge
from esper_audit.remedies.patches import patches_for
from esper_audit.replay.pool import Pool, open_pool
from esper_audit.source.project import Project

CASES = {
    "lora": """
        class Lora(nn.Module):
            def __init__(self, scale=1.0):
                super().__init__()
                self.base = nn.Linear(4, 4)
                self.scale = scale

            def extra_repr(self):
                return f"scale={self.scale}"

            def forward(self, x):
                return torch.add(x, self.base(x), alpha=self.scale)


        def model():
            return nn.Sequential(Lora(), nn.ReLU(), Lora(0.5))


        def change(model, step):
            for part in model.modules():
                if isinstance(part, Lora):
                    part.scale = 0.1 * step
    """,
    "drop_path": """
        class DropPath(nn.Module):
            def __init__(self, drop_prob=0.1):
                super().__init__()
                self.drop_prob = drop_prob

            def forward(self, x):
                if self.drop_prob == 0.0 or not self.training:
                    return x
                keep = 1 - self.drop_prob
                return x.div(keep) * x.new_empty((x.shape[0], 1)).bernoulli_(keep)


        model = DropPath


        def change(model, step):
            model.drop_prob = 0.1 * step
    """,
    "temperature": """
        class Head(nn.Module):
            temperature = 1.0

            def forward(self, x):
                return (x / torch.tensor(self.temperature)).softmax(-1)


        model = Head


        def change(model, step):
            model.temperature *= 0.9
    """,
    "average": """
        class Average(nn.Module):
            def __init__(self):
                super().__init__()
                self.held = 0.0

            def forward(self, x):
                self.held = 0.9 * self.held + 0.1
                return x * self.held


        model = Average


        def change(model, step):
            pass
    """,
    "ramp": """
        import math


        class Ramp(nn.Module):
            def __init__(self):
                super().__init__()
                self.calls = 0

            def forward(self, x):
                self.calls += 1
                return x * math.cos(math.pi * min(self.calls / 100, 1.0))


        model = Ramp


        def change(model, step):
            pass
    """,
    "causal": """
        class Causal(nn.Module):
            def __init__(self):
                super().__init__()
                self.mask = None
                self.window = 2

            def set_window(self, window):
                self.mask = None
                self.window = window

            def forward(self, x):
                if self.mask is None:
                    self.mask = torch.ones(4, 4, device=x.device).tril().triu(-self.window)
                return x @ self.mask


        model = Causal


        def change(model, step):
            model.set_window(step)
    """,
    "late": """
        class Late(nn.Module):
            def forward(self, x):
                y = x.relu()
                return y * self.gain if hasattr(self, "gain") else y


        def model():
            return Late()


        def change(model: Late, step):
            model.gain = 1.0 + step
    """,
}

SCENARIO = """
import importlib
import torch
from esper_audit import scenario

CASES = [importlib.import_module(name) for name in {names}]


@scenario
def all_cases(replay):
    torch.manual_seed(0)
    models = [case.model() for case in CASES]
    steps = [replay.compile(model) for model in models]
    x = torch.randn(2, 4)
    with replay.warm_up():
        for step in steps:
            step(x), step(x)
    for number in range(1, 4):
        for case, model, step in zip(CASES, models, steps):
            case.change(model, number)
            step(x), step(x)
"""


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    with open_pool(2) as opened:
        yield opened


def audited(pool: Pool, job: Job, overlay: dict[str, str] | None = None) -> Audit:
    (replay,) = pool.replay([replace(job, variant=Variant(overlay=overlay or {}))])
    assert replay.recording is not None, replay.reason
    return judge(replay, replay.recording.environment)


def patched(finding: Finding, project: Project) -> dict[str, str]:
    """The files of the best patch, as they would be; nothing where there is none."""
    cause = Cause(id=finding.id, frame=finding.frame, source=finding.source)
    made = [one for one in patches_for(cause, finding, project) if isinstance(one, Remedy)]
    return {edit.file: edit.after for edit in made[0].edits} if made else {}


def test_patches_of_small_modules_leave_no_compile(pool: Pool, tmp_path: Path) -> None:
    for name, text in CASES.items():
        source = f"import torch\nfrom torch import nn\n{textwrap.dedent(text)}"
        (tmp_path / f"{name}.py").write_text(source)
    file = tmp_path / "scenarios.py"
    file.write_text(SCENARIO.format(names=list(CASES)))
    job = Job(scenario="all_cases", file=str(file), root=str(tmp_path), pythonpath=(str(tmp_path),))
    before = audited(pool, job)
    lines = [one.user_line.file for one in before.findings if one.user_line is not None]
    files = [*lines, *(one.frame.file for one in before.findings)]
    assert set(CASES) <= {Path(file).stem for file in files}
    project = Project(tmp_path)
    overlay: dict[str, str] = {}
    order = sorted(before.findings, key=lambda one: one.id is not Diagnosis.ATTRIBUTE_PRESENCE)
    for finding in order:
        for name, text in patched(finding, project).items():
            overlay.setdefault(name, text)
    after = audited(pool, job, overlay)
    assert [(one.id, one.source) for one in after.findings] == []
    assert after.verdict is AuditVerdict.PASSED


@pytest.mark.parametrize(
    "alpha", ["lazy_cache", "fresh_tensor", "python_float", "float_arithmetic"]
)
def test_a_failing_strategy_of_the_slot_has_a_patch(pool: Pool, alpha: str) -> None:
    (job,) = (job for job in every_job(alpha) if job.scenario == "ten_alpha_values")
    job = replace(job, root=str(ROOT))
    before = audited(pool, job)
    assert before.verdict is AuditVerdict.FAILED
    project = Project(ROOT, files=[*(ROOT / "slot").glob("*.py"), job.file])
    overlay = patched(before.findings[0], project)
    assert audited(pool, job, overlay).verdict is AuditVerdict.PASSED
    if alpha == "lazy_cache":
        assert "None" not in overlay[str(ROOT / "slot" / "strategies.py")].partition(
            "class LazyCache"
        )[2].partition("class NeverInvalidated")[0].replace("-> None", "")


def test_a_buffer_differs_from_a_number_where_the_how_to_says_so() -> None:
    module = torch.nn.Module()
    module.register_buffer("gain", torch.tensor(0.5), persistent=False)
    twin = copy.copy(module)
    assert twin.get_buffer("gain") is module.get_buffer("gain")
    with torch.device("meta"):
        bare = torch.nn.Module()
        bare.register_buffer("gain", torch.tensor(0.5), persistent=False)
    assert bare.gain.is_meta  # to_empty gives it memory, and no value
    x = torch.zeros(1, requires_grad=True)
    torch.where(torch.tensor(True), x, x.sqrt() * 0).sum().backward()
    assert x.grad is not None and x.grad.isnan().all()
