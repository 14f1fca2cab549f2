"""Programs whose causes were once told wrong, each with what is true of it in its docstring."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from support import esper_audit

from esper_audit.data.audits import ProgramAudit, ProgramReport
from esper_audit.data.findings import Finding, Pattern

PROGRAMS = Path(__file__).parent / "causes"

SINGLE, STORM, VARIANTS = Pattern.SINGLE, Pattern.STORM, Pattern.VARIANTS
ALTERNATION = Pattern.ALTERNATION


def audit_of(program: str, folder: Path, *options: str) -> ProgramAudit:
    """The audit of a program beside this file."""
    saved = folder / "report.json"
    done = esper_audit("exec", "--output", str(saved), *options, str(PROGRAMS / program))
    assert saved.exists(), done.stderr
    return msgspec.convert(json.loads(saved.read_text()), ProgramReport).audits[0]


def causes_of(audit: ProgramAudit) -> dict[str, Finding]:
    """The causes of recompiles by diagnosis."""
    found = [finding for finding in audit.findings if finding.pattern is not None]
    causes = {finding.id.value: finding for finding in found}
    assert len(causes) == len(found)
    return causes


CAUSES: dict[str, list[tuple[Any, ...]]] = {
    "dict_length": [("container-changed", "d", "2", ("3",), 1, SINGLE)],
    "empty_list": [("container-changed", "extra", "0", ("1", "2"), 2, ALTERNATION)],
    "one_compile_two_guards": [("container-changed", "ROPE", "0", ("1",), 1, SINGLE)],
    "device_argument": [
        ("device-changed", "device", "cpu", ("cpu:0",), 1, ALTERNATION),
        ("dtype-changed", "dtype", "float32", ("float16",), 1, SINGLE),
    ],
    "zero_and_one": [("size-zero-one", "x.size()[0]", ">= 2", ("1", "0"), 2, ALTERNATION)],
    "invalidated_entry": [
        ("attribute-presence", "self.enc.forward", "absent", ("present",), 1, SINGLE),
        ("object-expired", "self.enc.forward", "alive", ("freed",), 2, VARIANTS),
    ],
    "layer_idx": [
        ("requires-grad-changed", "x", None, None, 1, ALTERNATION),
        ("other-instance", "self.layer_idx", "0", tuple("12345678"), 7, STORM),
    ],
    "shared_wrapper_frame": [
        (
            "other-instance",
            "",
            "Linear",
            ("GELU", "LayerNorm", "Linear", "Sequential"),
            4,
            ALTERNATION,
        )
    ],
}


@pytest.mark.parametrize("program", list(CAUSES))
def test_a_program_has_the_causes_that_its_docstring_tells(tmp_path: Path, program: str) -> None:
    audit = audit_of(f"{program}.py", tmp_path)
    found = causes_of(audit)
    assert set(found) == {wanted[0] for wanted in CAUSES[program]}
    for diagnosis, source, expected, values, recompiles, pattern in CAUSES[program]:
        cause = found[diagnosis]
        told = (cause.source, cause.compiles, cause.pattern)
        assert told == (source, recompiles, pattern)
        if values is not None:
            assert (cause.expected, cause.values) == (expected, values)
        assert cause.pattern is STORM or cause.forecast is None
    assert audit.recording.unrecognized == ()


def test_two_tensors_that_grew_together_are_the_second_cause_of_a_cache(tmp_path: Path) -> None:
    causes = causes_of(audit_of("kv_cache.py", tmp_path))
    assert set(causes) == {"lazy-cache", "size-zero-one"}
    lazy, grown = causes["lazy-cache"], causes["size-zero-one"]
    assert (lazy.source, lazy.expected) == ("self.k", "None")
    assert grown.sources == ("self.k", "self.v")
    assert grown.fields["size"] == ("[1, 1, 8]", "[1, 2, 8]")
    assert {lazy.pattern, grown.pattern} == {SINGLE}


def test_what_an_expression_reads_is_the_cause_with_its_writer(tmp_path: Path) -> None:
    causes = causes_of(audit_of("drop_path.py", tmp_path, "--provenance"))
    rate = causes["float-specialized"]
    assert set(rate.sources) == {f"self.blocks[{number}].path.drop_prob" for number in (1, 2)}
    assert rate.written_by is not None
    assert rate.written_by.function == "ViT.set_drop_path"
    assert causes["grad-mode-changed"].pattern is ALTERNATION


def test_the_line_that_changed_a_container_is_named(tmp_path: Path) -> None:
    audit = audit_of("growing_containers.py", tmp_path, "--provenance")
    lines = (PROGRAMS / "growing_containers.py").read_text().splitlines()
    written = {
        cause.source: lines[cause.written_by.line - 1].strip()
        for cause in audit.findings
        if cause.written_by is not None
    }
    assert written == {
        "self.blocks": "model.blocks.append(nn.Linear(2, 2))",
        "stats": 'stats["accuracy"] = x',
        "REGISTRY['op']": "REGISTRY[name] = function",
    }


def test_of_numpy_arrays_the_argument_and_its_call_are_named(tmp_path: Path) -> None:
    found = causes_of(audit_of("numpy_inputs.py", tmp_path, "--provenance"))
    assert set(found) == {"size-changed", "size-zero-one", "dtype-changed"}
    assert {cause.source.partition(".")[0] for cause in found.values()} == {"frame"}
    lines = (PROGRAMS / "numpy_inputs.py").read_text().splitlines()
    for cause in found.values():
        assert cause.called_from is not None
        assert "normalise(" in lines[cause.called_from.line - 1]


def test_grad_mode_is_no_cause_where_an_entry_accepts_it(tmp_path: Path) -> None:
    found = causes_of(audit_of("modes.py", tmp_path))
    assert found["grad-mode-changed"].compiles == 1
    assert found["float-specialized"].values == ("0.25", "0.75")


def test_a_higher_limit_shows_what_the_limit_hides(tmp_path: Path) -> None:
    assert set(causes_of(audit_of("many_values.py", tmp_path))) == {"float-specialized"}
    beyond = causes_of(audit_of("many_values.py", tmp_path, "--recompile-limit", "64"))
    assert {cause.source: cause.compiles for cause in beyond.values()} == {"alpha": 8, "mode": 1}
