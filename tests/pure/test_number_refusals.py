"""A number of a module that can't become a buffer: what stands in the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from numbers_of_modules import BLEND, in_forward
from patching import MARK, ROOT, finding_of, made, refusal

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Frame, Location
from esper_audit.data.remedies import Ground
from esper_audit.remedies.patches.numbers import make
from esper_audit.remedies.patches.refused import Refused
from esper_audit.source.project import Project


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("x * 2 if self.a > x.size(0) else x", "decides a branch"),
        ("x.view(self.a, -1)", "takes no tensor"),
        ("F.dropout(x, p=self.a)", "takes no tensor"),
        ("x[:, self.a]", None),
        ("x[: self.a]", "is an index"),
        ("sum(x for _ in range(self.a))", "is passed to range"),
        ('x * {"0.5": 2}[f"{self.a}"]', "is written into a text"),
        ("x * torch.tensor([self.a, 1.0])", "is an item of a list"),
    ],
)
def test_a_number_that_python_needs_stays_one(line: str, why: str | None) -> None:
    text = in_forward(f"return {line}  # <-")
    if why is None:
        assert made(make, text, "self.a")
        return
    because = refusal(make, text, "self.a")
    assert because.ground is Ground.NO_PATTERN
    assert why in because.text
    assert because.location is not None


@pytest.mark.parametrize(
    ("text", "source", "why"),
    [
        (
            BLEND.replace("torch.nn.Module", "object") + "    print(model.alpha)\n",
            "self.alpha",
            "is no nn.Module",
        ),
        (BLEND, "alpha", "is no attribute"),
        (BLEND, "self.groups[0]['lr']", "is no attribute"),
        (BLEND.replace("        super().__init__()\n", ""), "self.alpha", "does not call super"),
        (BLEND, "self.beta", "is not read in compiled code"),
    ],
)
def test_a_number_of_another_kind_is_refused(text: str, source: str, why: str) -> None:
    assert why in refusal(make, text, source).text


def test_a_guard_that_torch_itself_makes_is_looked_for_in_forward() -> None:
    text = in_forward("self.a = 0.9 * self.a + 0.1\nreturn x * self.a")
    frame = finding_of({"a.py": text + MARK}, "self.a", Diagnosis.FLOAT_SPECIALIZED)
    outside = replace(frame, user_line=Location("/lib/torch/fx/passes/a.py", 429))
    (edit,) = next(iter(make(outside, Project(ROOT, files=(), texts={"a.py": text}))))
    assert "self.a.copy_(0.9 * self.a + 0.1)" in edit.after


def test_code_outside_of_the_project_is_not_patched() -> None:
    frame = Frame("forward", "/lib/a.py", 1, "key", "forward")
    finding = Finding(id=Diagnosis.FLOAT_SPECIALIZED, frame=frame, source="self.a")
    with pytest.raises(Refused) as refused:
        list(make(finding, Project(ROOT, files=(), texts={"a.py": BLEND})))
    assert refused.value.because.ground is Ground.NO_SOURCE


@pytest.mark.parametrize("value", ["True", "'mean'", "None", "tensor(size=[2])"])
def test_what_is_no_number_is_refused(value: str) -> None:
    because = refusal(
        make, BLEND, "self.alpha", diagnosis=Diagnosis.OTHER_INSTANCE, values=("0.5", value)
    )
    assert because.text == "it is no number"


def test_a_number_that_differs_between_instances_has_its_own_dtype() -> None:
    text = in_forward("return x * self.a  # <-", "self.a = start")
    for values, kind in ((("1", "2"), "int"), (("1", "2.5"), "float"), (("1e-05",), "float")):
        after = made(make, text, "self.a", Diagnosis.OTHER_INSTANCE, values=values)[0]["a.py"]
        assert f"torch.tensor({kind}(start))" in after
