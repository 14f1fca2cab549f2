"""Running the tool as a user does, and replays in this process."""

from __future__ import annotations

import dataclasses
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import msgspec
from warm import run_warm

from esper_audit.data.audits import Audit
from esper_audit.data.jobs import CompileOptions, Job, Replay, Variant
from esper_audit.data.reasons import Reason
from esper_audit.diagnosis import judge
from esper_audit.replay.collect import collect
from esper_audit.replay.worker import replay
from esper_audit.report.words.reasons import all_in_words

ROOT = Path(__file__).parents[2]
CASES = Path(__file__).parent / "cases"


def esper_audit(*args: str, cwd: Path = ROOT, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run the command line; stdout and stderr are captured.

    In a child of a process that has imported torch: ``warm`` says for which tests that is wrong.
    """
    return run_warm(["esper_audit", *args], cwd, **options)


def fresh_esper_audit(
    *args: str, cwd: Path = ROOT, **options: Any
) -> subprocess.CompletedProcess[str]:
    """The same in an interpreter of its own, which costs some seconds where torch is imported."""
    return subprocess.run(
        [sys.executable, "-m", "esper_audit", *args],
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=480,
        **options,
    )


def audits_of(output: str) -> dict[tuple[str, ...], dict[str, Any]]:
    """The audits of a JSON report by scenario and parameter values."""
    found = json.loads(output)["audits"]
    return {(audit["scenario"], *audit["parameters"].values()): audit for audit in found}


def why(audit: dict[str, Any]) -> str:
    """The reasons of an audit of a JSON report, in words."""
    return all_in_words(msgspec.convert(audit["reasons"], tuple[Reason, ...]))


def replay_here(function: Any, **fields: Any) -> Audit:
    """Replay a function of a test in this process and judge it."""
    result = replay_job(function, **fields)
    assert result.recording is not None
    return judge(result, result.recording.environment)


def parted(fields: dict[str, Any]) -> dict[str, Any]:
    """Fields of a job, of what torch.compile is called with and of the variant, given in one."""
    rest = dict(fields)
    for name, holder in (("options", CompileOptions), ("variant", Variant)):
        own = {field.name for field in dataclasses.fields(holder)}
        rest[name] = holder(**{key: rest.pop(key) for key in list(rest) if key in own})
    return rest


def replay_job(function: Any, **fields: Any) -> Replay:
    """Replay a function of a test in this process."""
    import torch

    from esper_audit.replay import worker
    from esper_audit.replay.scenario_api import Scenario

    torch.compiler.reset()
    job = Job(scenario=function.__name__, file=__file__, **parted(fields))
    scenario = Scenario(function, function.__name__, "")
    original = worker.find_scenario
    worker.find_scenario = lambda job: (scenario, {})  # noqa: ARG005  # its name counts
    try:
        return replay(job)
    finally:
        worker.find_scenario = original
        torch.compiler.reset()


def every_job(alpha: str, **fields: Any) -> list[Job]:
    """One job for each scenario of this repository, with the given strategy."""
    collection = collect([str(ROOT / "scenarios")], [str(ROOT)])
    jobs = []
    for scenario in collection.scenarios:
        parameters = {name: values[0] for name, values in scenario.params.items()}
        parameters["alpha"] = alpha
        jobs.append(
            Job(
                scenario=scenario.name,
                file=scenario.file,
                parameters=parameters,
                choices={n: scenario.params[n].index(v) for n, v in parameters.items()},
                pythonpath=(str(ROOT),),
                **parted(fields),
            )
        )
    return jobs
