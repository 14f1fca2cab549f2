"""A ticket answers each point from a saved audit and the source, and makes nothing up."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ENVIRONMENT, audit
from report_builders import CONTROL, LAZY, failing, report, stale

from esper_audit.data.audits import ClaimResult
from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.expectations import Claim
from esper_audit.data.places import Frame
from esper_audit.data.reasons import Reason, Why
from esper_audit.data.remedies import (
    Cause,
    Fix,
    FixReport,
    Reach,
    RemedyState,
    Trial,
)
from esper_audit.data.tickets import Points, load_points
from esper_audit.data.verdicts import AuditVerdict, ClaimStatus
from esper_audit.report.text.ticket import CATEGORIES, ticket_text
from esper_audit.report.ticket import ticket_of

SLOT = """\
import torch
from torch import nn


class Blend(nn.Module):
    def __init__(self):
        super().__init__()
        self.alpha = 0.5
        self.cached = None

    def set_alpha(self, alpha):
        self.alpha = alpha
        self.cached = None

    def _apply(self, fn, recurse=True):
        self.cached = None
        return super()._apply(fn, recurse)

    def forward(self, host, seed):
        if self.cached is None:
            self.cached = torch.tensor(self.alpha)
        return torch.lerp(host, seed, self.cached)
"""
LINE = SLOT.splitlines().index("            self.cached = torch.tensor(self.alpha)") + 1

POINTS = """
id = "T-1"
title = "A title"
severity = "P2"
status = "wont-fix"
created = "2024-12-27"
about = { alpha = "lazy" }
subject = { class = "Blend", attribute = "cached" }

[[claims]]
said = "A | pipe and <b>markup</b>"
claim = "safe"
was = "TRUE"

[[claims]]
said = "only set_alpha and .to() drop it"
only-by = ["set_alpha", "_apply"]

[[claims]]
said = "only .to() drops it"
only-by = ["_apply"]

[[boxes]]
said = "Test it"
claim = "safe"
done = "tested"

[[boxes]]
said = "Confirm it"
claim = "safe"

[[reviews]]
reviewer = "A Reviewer"
verdict = "ENDORSE"

[[reviews.points]]
said = "rollouts recompile"
scenarios = ["rollout"]
holds = "failed"

[[reviews.points]]
said = "nobody ran this"
scenarios = ["never_run"]

[[reviews.points]]
said = "P2 is right"
severity = "P2"

[[reviews.points]]
said = "a comment says so"
untested = "a comment can't be run"
"""


@pytest.fixture
def project(tmp_path):
    (tmp_path / "blend.py").write_text(SLOT)
    (tmp_path / "points.toml").write_text(POINTS)
    return tmp_path


def results(**fields):
    why = Reason(why=Why.OBSERVED, text="it was seen")
    refuted = {"status": ClaimStatus.REFUTED, "refuted_by": ("rollout",), "because": why}
    return (
        ClaimResult(Claim("safe", "It is safe"), "aot_eager", **{**refuted, **fields}),
        ClaimResult(Claim("more", "More is claimed"), "aot_eager", ClaimStatus.NOT_TESTED),
    )


def saved(project, *audits, **fields):
    """A report of the project, whose recompiles come from the line that makes the cache."""
    location = replace(
        failing().findings[0].user_line,
        file=str(project / "blend.py"),
        line=LINE,
        function="forward",
    )
    moved = []
    for one in audits or (failing(), audit(parameters=LAZY)):
        found = [replace(f, user_line=location) for f in one.findings if f.pattern is not None]
        moved.append(replace(one, findings=tuple(found)))
    return report(*moved, **{"claims": results(), "root": str(project), **fields})


def told(project, *audits, points="points.toml", fixes=None, **fields):
    read = load_points(project / points) if points else Points()
    whole = saved(project, *audits, **fields)
    return ticket_text(ticket_of(whole, read, str(project), fixes, "2025-01-02"))


def row(text, start):
    return next(line for line in text.splitlines() if line.startswith(f"| {start}"))


def test_a_ticket_has_the_sections_of_a_finding_ticket(project):
    text = told(project)
    heads = [line for line in text.splitlines() if line.startswith("## ")]
    assert heads == [
        *("## Ticket Metadata", "## Location", "## Summary", "## Detailed Description"),
        *("## Resolution", "## Verification", "## Related Findings"),
        *("## Cross-Review: A Reviewer", "## Appendix"),
    ]
    assert text.startswith("# Finding Ticket: A title\n")
    assert row(text, "**Ticket ID**") == "| **Ticket ID** | `T-1` |"
    assert row(text, "**Status**") == "| **Status** | `open` (was `wont-fix`) |"
    assert row(text, "**Updated**") == "| **Updated** | 2025-01-02 |"
    assert text.count("- [x] ") + text.count("- [ ] ") == len(CATEGORIES) + 2


def test_the_location_is_that_of_the_code_today(project):
    (project / "blend.py").write_text(f"\n\n\n{SLOT}")
    text = told(project)
    first = SLOT.splitlines().index("    def forward(self, host, seed):") + 4
    assert row(text, "**Line(s)**") == f"| **Line(s)** | `{first}-{first + 3}` |"
    assert row(text, "**Function/Class**") == "| **Function/Class** | `Blend.forward()` |"
    assert f"# blend.py:{first}-{first + 3}" in text
    assert f"{first + 2}              self.cached = torch.tensor(self.alpha)" in text
    assert f"`blend.py:{LINE}`" in row(text, "**Guarded line in the audit**")


def test_each_claim_has_its_status_and_what_is_behind_it(project):
    text = told(project)
    safe = row(text, "“A ")
    assert "❌ REFUTED (was `TRUE`) | rollout (aot\\_eager" not in safe
    assert f"❌ REFUTED (was `TRUE`) | rollout (aot_eager, torch {ENVIRONMENT.torch})" in safe
    assert "A \\| pipe and &lt;b&gt;" in safe
    assert "✅ CONFIRMED | by source" in row(text, "“only set_alpha")
    only = row(text, "“only .to() drops it”")
    assert "❌ REFUTED | by source: blend.py:13 is also reached by" in only
    assert "➖ NOT TESTED" in row(text, "“More is claimed”")


def test_a_check_is_ticked_by_what_its_claim_came_to(project):
    text = told(project)
    assert "- [x] Test it\n  - tested: “It is safe” is ❌ REFUTED: rollout" in text
    assert "- [ ] Confirm it\n  - ❌ REFUTED" in text
    sure = {"status": ClaimStatus.CONFIRMED, "refuted_by": (), "confirmed_by": ("rollout",)}
    assert "- [x] Confirm it\n  - ✅ CONFIRMED" in told(project, claims=results(**sure))
    unknown = {"status": ClaimStatus.NOT_TESTED, "refuted_by": ()}
    assert "- [ ] Test it\n  - ➖ NOT TESTED" in told(project, claims=results(**unknown))


def test_a_review_is_answered_point_by_point(project):
    text = told(project)
    assert "✅ CONFIRMED | rollout \\[lazy\\]: failed, 6 recompiled" in row(text, "“rollouts")
    assert "➖ NOT TESTED | this audit holds nothing of never_run" in row(text, "“nobody")
    assert "✅ CONFIRMED | measured severity: P2" in row(text, "“P2 is right”")
    assert "➖ NOT TESTED | a comment can't be run" in row(text, "“a comment")
    assert "In all: 2 confirmed, 2 not tested." in text


def test_every_line_that_invalidates_is_listed_with_its_path(project):
    text = told(project)
    assert "| no | .to() and its kin (Blend.\\_apply) |" in row(text, "`blend.py:16`")
    assert "| no | Blend.set_alpha |" in row(text, "`blend.py:13`")
    assert "| yes | forward (Blend.forward) |" in row(text, f"`blend.py:{LINE}`")
    assert "binds `alpha`" in row(text, "`blend.py:12`")


def test_without_points_the_costliest_cause_is_the_subject(project):
    text = told(project, points="")
    assert "# Finding Ticket: float-specialized of self.alpha in Host.forward" in text
    assert "`Blend.cached` causes 6 recompiles" in text
    assert "`blend.py:16`" in text
    assert "“It is safe”" in text


def test_an_audit_without_harm_needs_no_change(project):
    text = told(project, audit(scenario="rollout", parameters=LAZY))
    assert row(text, "**Severity**") == "| **Severity** | `none` (was `P2`) |"
    assert "### Status: WONT-FIX" in text
    assert "### Why This Is Acceptable" in text
    assert "None is needed." in text


def test_nothing_is_said_of_an_audit_that_was_not_judged(project):
    text = told(project, audit(AuditVerdict.ERROR, parameters=LAZY))
    assert row(text, "**Status**") == "| **Status** | `not-judged` (was `wont-fix`) |"
    assert "**One-line summary:** No audit was judged" in text
    assert "No audit failed, so `fix` has nothing to try." in text and "fix -k" not in text


def test_an_audit_without_a_cause_is_summed_up_as_such(project):
    text = told(project, audit(parameters=LAZY), points="")
    assert "**One-line summary:** No cause of a recompile was found in 1 audit." in text
    assert "- 1 audit, 1 of them about this ticket" in text


def test_a_scenario_that_is_not_judged_confirms_no_point(project):
    both = POINTS.replace('scenarios = ["rollout"]', 'scenarios = ["rollout", "other"]')
    (project / "both.toml").write_text(both)
    for late in ((), (audit(AuditVerdict.ERROR, scenario="other", parameters=LAZY),)):
        text = told(project, failing(), *late, points="both.toml")
        found = row(text, "“rollouts recompile”")
        assert "NOT TESTED" in found and found.endswith("; not judged: other |")


def test_a_scenario_that_speaks_against_a_point_refutes_it_alone(project):
    both = POINTS.replace('scenarios = ["rollout"]', 'scenarios = ["rollout", "other"]')
    (project / "both.toml").write_text(both.replace('holds = "failed"', ""))
    assert "REFUTED" in row(told(project, points="both.toml"), "“rollouts recompile”")


def test_no_word_of_a_ticket_steers_a_terminal(project):
    hostile = POINTS.replace("nobody ran this", "no\\u001b[31mbody\\u202e\\nran this")
    (project / "hostile.toml").write_text(hostile)
    text = told(project, points="hostile.toml")
    assert "no\\\\x1b" in text and not set(text) & set("\x1b\u202e")


def test_related_findings_of_the_original_are_kept(project):
    (project / "related.toml").write_text('related = ["T-2: another | one"]\n' + POINTS)
    assert "\n- in the original: T-2: another \\| one\n" in told(project, points="related.toml")


def test_claims_that_are_all_checks_are_not_called_missing(project):
    only = Claim("safe", "It is safe", source="T-1, Verification, box 1")
    text = told(project, points="", claims=(replace(results()[0], claim=only),))
    assert "Each claim is a check: see Verification." in text


def test_wrong_output_ticks_correctness_and_is_the_gravest(project):
    wrong = replace(stale(), parameters=LAZY)
    text = told(project, wrong)
    assert "- [x] Correctness bug" in text
    assert row(text, "**Severity**") == "| **Severity** | `P0` (was `P2`) |"


def test_the_negative_control_is_no_subject(project):
    text = told(project, failing(), stale(), points="", control=CONTROL)
    assert "- [ ] Correctness bug" in text


def test_a_cause_outside_of_any_class_leaves_the_source_unknown(project):
    (project / "blend.py").write_text("def forward(x):\n    return x\n")
    text = told(project, points="")
    assert "The source of the cause was not found in the project." in text
    assert "Where it is written is unknown" in text


def fixes(project, state=RemedyState.PROVEN):
    frame = Frame("f", str(project / "blend.py"), 1, "k", "f")
    cause = Cause(id=Diagnosis.FLOAT_SPECIALIZED, frame=frame, source="self.alpha")
    diff = "--- a/blend.py\n+++ b/blend.py\n@@ -1 +1 @@\n-import torch\n+import torch as t\n"
    trial = Trial(
        id="attribute-to-buffer",
        covers=(cause,),
        state=state,
        reach=Reach.SOURCE,
        files=("blend.py",),
        diff=diff,
        compiles=0,
    )
    best = 0 if state is RemedyState.PROVEN else None
    fix = Fix(
        title="rollout [lazy]",
        parameters=LAZY,
        backend="aot_eager",
        compiles=6,
        causes=(cause,),
        trials=(trial,),
        best=best,
    )
    other = replace(fix, title="other [buffer]", parameters={"alpha": "buffer"})
    return FixReport(environment=ENVIRONMENT, root=str(project), fixes=(fix, other))


def test_a_proven_remedy_is_recommended_with_what_it_did(project):
    text = told(project, fixes=fixes(project))
    assert "**attribute-to-buffer (blend.py)**: touches this value alone" in text
    assert (
        "rollout \\[lazy\\] (aot_eager): proven; 6 compiles after warm-up as it is, 0 compiles with it"
        in text
    )
    assert "```diff\n--- a/blend.py\n+++ b/blend.py" in text
    assert "other" not in text.split("#### Recommended Fix")[1].split("---")[0]


def test_nothing_unproven_is_recommended(project):
    text = told(project, fixes=fixes(project, RemedyState.HIDES))
    assert "no remedy was proven" in text
    assert "```diff" not in text


def test_without_remedies_tried_the_command_that_tries_is_named(project):
    text = told(project)
    assert "No remedy was tried for this ticket, so none is proven." in text
    assert "esper-audit fix -k rollout --param alpha=lazy" in text
