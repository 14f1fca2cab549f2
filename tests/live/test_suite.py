"""The audit of this repository says what is true of the reference SeedSlot."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

import jsonschema
import pytest
from support import audits_of, esper_audit, every_job, why

from esper_audit.data.storage import json_schema
from esper_audit.replay.pool import open_pool

# Graphs compiled after three steady calls, and after ten new alpha values, in a module of one
# layer: measured by hand with torch's own counters before the audit existed.
MEASURED = {
    "lazy_cache": {"eager": (2, 3), "aot_eager": (2, 8)},
    "fresh_tensor": {"eager": (1, 2), "aot_eager": (1, 8)},
    "python_float": {"eager": (1, 2), "aot_eager": (1, 8)},
    "float_arithmetic": {"eager": (1, 2), "aot_eager": (1, 2)},
    "new_full": {"eager": (1, 2), "aot_eager": (1, 8)},
    "buffer": {"eager": (1, 1), "aot_eager": (1, 1)},
    "eager_cache": {"eager": (1, 1), "aot_eager": (1, 1)},
}
# Where alpha changes, and so the ticket's cache recompiles.
CHANGING = {
    "alpha_at_epoch_boundaries",
    "checkpoint_restored_mid_run",
    "force_alpha_and_back",
    "prune_and_germinate_again",
    "set_alpha_mid_rollout",
    "stage_advance",
    "ten_alpha_values",
    "two_slots_in_one_host",
}
ALWAYS_EAGER = "slot_compiled_while_dormant"
UNWATCHED = ("--no-provenance", "--format", "json")  # where nobody asks for writers


@pytest.fixture(scope="session")
def default_run(tmp_path_factory):
    """The audit that ``.ci/run`` saved before; else it is made here."""
    made = os.environ.get("REFERENCE_AUDIT")
    if made is None:
        made = tmp_path_factory.mktemp("reference") / "audit.json"
        result = esper_audit("run", "--save", str(made), "--quiet")
        assert result.returncode == 1, result.stderr
    return json.loads(Path(made).read_text())


@pytest.fixture(scope="session")
def audits(default_run):
    return default_run["audits"]


def of(audits, alpha):
    return [audit for audit in audits if audit["parameters"]["alpha"] == alpha]


def test_the_default_run_fits_the_schema_and_judges_everything(default_run, audits):
    jsonschema.validate(default_run, json_schema())
    assert len(audits) == 72
    assert {audit["verdict"] for audit in audits} == {"passed", "failed"}


@pytest.mark.parametrize("alpha", ["buffer", "eager_cache"])
def test_the_remedies_pass_everything_but_a_slot_compiled_while_dormant(audits, alpha):
    failed = {audit["scenario"] for audit in of(audits, alpha) if audit["verdict"] == "failed"}
    assert failed == {ALWAYS_EAGER}


def test_the_tickets_cache_recompiles_wherever_alpha_changes_and_nowhere_else(audits):
    failed = {
        audit["scenario"] for audit in of(audits, "lazy_cache") if audit["verdict"] == "failed"
    }
    assert failed == CHANGING | {ALWAYS_EAGER}


def test_the_line_that_wrote_alpha_is_named_with_its_caller(audits):
    storms = [
        finding
        for audit in of(audits, "lazy_cache")
        if audit["scenario"] in CHANGING
        for finding in audit["findings"]
        if finding["id"] == "float-specialized"
    ]
    assert len(storms) >= len(CHANGING)
    writers = {finding["written_by"]["function"] for finding in storms}
    assert writers == {"LazyCache.write"}
    assert all(finding["called_from"] for finding in storms)


def test_the_watched_replays_made_the_same_compiles(audits):
    assert not [
        note
        for audit in audits
        for note in audit["recording"]["notes"]
        if note["why"] == "writers-unnamed"
    ]


def test_wherever_alpha_changes_the_tickets_cache_hits_the_limit(audits):
    limited = {
        audit["scenario"]
        for audit in of(audits, "lazy_cache")
        if any(compiled["outcome"] == "limit" for compiled in audit["recording"]["compiles"])
    }
    assert limited == CHANGING


def test_the_negative_control_is_stale_wherever_alpha_changes(audits):
    stale = {
        audit["scenario"]
        for audit in of(audits, "never_invalidated")
        if any(step["verdict"] == "stale" for step in audit["steps"])
    }
    assert stale == CHANGING | {ALWAYS_EAGER}


def test_the_dormant_slot_is_eager_and_never_passes(audits):
    dormant = [audit for audit in audits if audit["scenario"] == ALWAYS_EAGER]
    assert len(dormant) == 4, "one for each strategy"
    for audit in dormant:
        assert audit["verdict"] == "failed"
        verdicts = {step["verdict"] for step in audit["steps"]}
        assert "eager" in verdicts
        assert verdicts <= {"eager", "stale"}


def test_the_cause_is_alpha_and_the_line_that_reads_it(audits):
    audit = next(
        audit
        for audit in of(audits, "lazy_cache")
        if audit["scenario"] == "alpha_at_epoch_boundaries"
    )
    finding = audit["findings"][0]
    assert finding["source"] == "self.slots[0].alpha_source.value"
    assert finding["pattern"] == "storm"
    assert finding["user_line"]["file"].endswith("slot/strategies.py")
    assert len(finding["values"]) == 7


def test_nothing_was_unrecognized_and_no_hook_failed(audits):
    for audit in audits:
        assert (
            audit["recording"]["unrecognized"],
            audit["recording"]["hook_errors"],
            audit["recording"]["lost"],
        ) == ([], [], [])


def test_our_count_agrees_with_torchs_own(audits):
    for audit in audits:
        made = [
            compile_
            for compile_ in audit["recording"]["compiles"]
            if compile_["outcome"] in ("compiled", "recompiled") and compile_["graph_ops"] != 0
        ]
        assert audit["recording"]["torch_counters"]["unique_graphs"] == len(made), audit["scenario"]


def test_neither_recorder_nor_comparison_changes_what_torch_compiles(audits):
    """On every scenario: the counts of torch's own counters are equal with both and with neither."""
    first = reversed(of(audits, "lazy_cache"))  # of its parameters' values, which a job has as well
    whole = {audit["scenario"]: audit["recording"]["torch_counters"] for audit in first}
    with open_pool(workers=2) as pool:
        bare = {
            done.job.scenario: done.recording.torch_counters
            for done in pool.replay(every_job("lazy_cache", compare=False, record=False))
            if done.recording is not None
        }
    assert len(bare) == 17
    assert all(counts["unique_graphs"] > 0 for counts in bare.values())
    assert {name: whole[name] for name in bare} == bare


def test_alpha_takes_nine_values_wherever_it_changes(audits):
    changing = [audit for audit in of(audits, "buffer") if audit["scenario"] in CHANGING]
    assert {audit["scenario"] for audit in changing} == CHANGING
    for audit in changing:
        labels = {step["step"]["label"] for step in audit["steps"] if step["step"]["label"]}
        assert len(labels) >= 9, audit["scenario"]


def test_the_claims_of_the_ticket_are_decided(default_run):
    decided = {result["claim"]["id"]: result["status"] for result in default_run["claims"]}
    assert decided == {
        "validated-in-forward": "confirmed",
        "perf-comment": "not tested",
        "new-tensor-on-miss": "confirmed",
        "steady-state-safe": "confirmed",
        "invalidated-outside": "refuted",
        "alpha-change-safe": "refuted",
        "moves-cost-nothing": "confirmed",
        "dormant-compiles": "refuted",
    }


def test_the_device_that_was_used_is_said(audits):
    moves = [audit for audit in audits if audit["scenario"] == "device_move_and_back"]
    assert moves
    assert all(
        audit["recording"]["notes"][0]["why"] in ("real-device", "stand-in-device")
        for audit in moves
    )


@pytest.fixture(scope="session")
def measured():
    backends = ("--backend", "eager", "--backend", "aot_eager")
    args = ("scenarios/ten_alpha_values.py", "--param", "alpha=all", *backends)
    result = esper_audit("run", *args, *UNWATCHED)
    return json.loads(result.stdout)["audits"]


@pytest.mark.parametrize("backend", ["eager", "aot_eager"])
@pytest.mark.parametrize("alpha", MEASURED)
def test_the_measured_counts_come_out_of_the_audit(measured, alpha, backend):
    audit = next(
        audit
        for audit in measured
        if audit["parameters"]["alpha"] == alpha and audit["backend"] == backend
    )
    made = [
        compile_
        for compile_ in audit["recording"]["compiles"]
        if compile_["outcome"] in ("compiled", "recompiled")
    ]
    early = [compile_ for compile_ in made if compile_["phase"] == "warm-up"]
    assert (len(early), len(made)) == MEASURED[alpha][backend]
    limit = any(attempt["outcome"] == "limit" for attempt in audit["recording"]["compiles"])
    assert limit == (MEASURED[alpha][backend][1] == 8)


@pytest.mark.parametrize(
    ("option", "wanted"),
    [
        (("--dynamic", "true"), {"float_arithmetic": (1, 1)}),
        (("--dynamic", "false"), {"float_arithmetic": (1, 8)}),
        (("--recompile-limit", "3"), {"lazy_cache": (2, 3)}),
        (("--fullgraph",), {"buffer": (1, 1)}),
    ],
)
def test_options_reach_torch_compile(option, wanted):
    (alpha, counts), *_ = wanted.items()
    args = ("scenarios/ten_alpha_values.py", "--param", f"alpha={alpha}", *option)
    result = esper_audit("run", *args, *UNWATCHED)
    (audit,) = audits_of(result.stdout).values()
    made = [
        compile_
        for compile_ in audit["recording"]["compiles"]
        if compile_["outcome"] in ("compiled", "recompiled")
    ]
    early = [compile_ for compile_ in made if compile_["phase"] == "warm-up"]
    assert (len(early), len(made)) == counts


def test_the_scope_of_the_compile_and_the_kind_of_host_make_no_difference():
    chosen = ("--param", "scope=all", "--param", "host=all", "--param", "alpha=lazy_cache,buffer")
    args = ("run", "-k", "set_alpha_mid_rollout or steady_state", *chosen, *UNWATCHED)
    found = audits_of(esper_audit(*args).stdout)
    assert len(found) == 10
    for (scenario, alpha, _), audit in found.items():
        recompiles = scenario == "set_alpha_mid_rollout" and alpha == "lazy_cache"
        assert audit["verdict"] == ("failed" if recompiles else "passed"), why(audit)
        limit = any(attempt["outcome"] == "limit" for attempt in audit["recording"]["compiles"])
        assert limit == recompiles


def test_inductor_counts_as_aot_eager_does():
    chosen = ("--param", "alpha=lazy_cache,buffer", "--backend", "inductor")
    args = ("run", "scenarios/ten_alpha_values.py", *chosen, *UNWATCHED)
    counts = {
        alpha: sum(
            compiled["outcome"] in ("compiled", "recompiled")
            for compiled in audit["recording"]["compiles"]
        )
        for (_, alpha), audit in audits_of(esper_audit(*args).stdout).items()
    }
    wanted = {alpha: MEASURED[alpha]["aot_eager"][1] for alpha in ("lazy_cache", "buffer")}
    assert counts == wanted


def test_the_stand_in_device_is_skipped_and_not_passed_where_it_cannot_run():
    chosen = ("--param", "alpha=buffer", "--backend", "inductor")
    result = esper_audit("run", "-k", "device_move", *chosen, *UNWATCHED)
    (audit,) = audits_of(result.stdout).values()
    on_cpu_alone = audit["recording"]["environment"]["device"] == "cpu"
    wanted = ("skipped", 3) if on_cpu_alone else ("passed", 0)  # elsewhere a real device is used
    assert (audit["verdict"], result.returncode) == wanted


TICKET = "docs/tickets/B3-PT-06.md"
_VARYING = (
    re.compile(r"torch \d[\w.+]*(, \w+)?"),
    re.compile(r"\*\*Updated\*\* \| [^|]*"),
    re.compile(r": \d+ of \d+ recompiles$", re.MULTILINE),  # as far as a second run found writers
)


def stable(ticket):
    """A ticket without the torch of its audit, its day, and what a run of `fix` measured."""
    before, _, rest = ticket.partition("#### Recommended Fix")
    text = before + rest[rest.index("\nIn the same audit:") :]
    for pattern in _VARYING:
        text = pattern.sub("", text)
    return text


def test_the_committed_ticket_is_what_this_audit_and_this_code_give(default_run, tmp_path):
    made = tmp_path / "audit.json"
    made.write_text(json.dumps(default_run))
    points = Path(TICKET).with_suffix(".toml")
    written = esper_audit("ticket", str(made), "--points", str(points))
    assert written.returncode == 0, written.stderr
    assert stable(Path(TICKET).read_text()) == stable(written.stdout)
