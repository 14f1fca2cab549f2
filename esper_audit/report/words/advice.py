"""The words of advice: what can be tried. Only a replay proves a remedy."""

from __future__ import annotations

from esper_audit.data.diagnoses import MEANINGS
from esper_audit.data.findings import Advice, Finding

NOTHING = "nothing to try in your code"

_WORDS = {
    Advice.NO_TENSOR: "set it once before the first compiled call, or warm up each value"
    " (torch's own module reads it and takes no tensor)",
    Advice.LEARNING_RATE: "make the learning rate a tensor, lr=torch.tensor(…),"
    " and fill it in place",
    Advice.MODULE_SIZE: "keep one size, or warm up each"
    " (dynamic=True has no effect on parameters and buffers)",
    Advice.SYMBOLIC_SIZE: "remove what fixes the size or relates it to another, or pad to fixed"
    " sizes (it is symbolic already: dynamic=True has no effect)",
    Advice.DYNAMIC_SET: "mark the dimension with mark_dynamic, or pad to fixed sizes"
    " (dynamic=True is set already)",
}


def advised(finding: Finding) -> str:
    """What can be tried against a finding."""
    return _WORDS.get(finding.advice, MEANINGS[finding.id].remedy)


def to_try(text: str) -> str:
    """Advice as what it is: ``try: …``."""
    return f"try: {text}"
