"""Every reason has words, made in the reports alone; no code reads them back."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from esper_audit.data.places import Location
from esper_audit.data.reasons import Counted, Reason, Why
from esper_audit.report.words.reasons import WORDS, in_words

PACKAGE = Path(__file__).parents[2] / "esper_audit"
DECIDING = {"startswith", "endswith", "removeprefix", "removesuffix", "partition", "find", "index"}


def full(why: Why) -> Reason:
    """A reason of a kind with every field filled, as no kind needs them all."""
    return Reason(
        why=why,
        text="a text",
        names=("a", "b", "c", "d"),
        counted=Counted.COMPILES,
        count=2,
        total=3,
        allowed=1,
        numbers=(1, 2),
        seconds=1.5,
        step=4,
        against="eager",
        location=Location("/p/a.py", 3, "f"),
        cause=Reason(why=Why.EMPTY_GRAPH),
    )


@pytest.mark.parametrize("why", list(Why))
def test_every_reason_has_words(why):
    said = in_words(full(why))
    assert said and "Reason(" not in said and "None" not in said and "{" not in said


def test_no_words_stand_for_a_kind_that_is_gone():
    assert set(WORDS) == set(Why)


ENGLISH = re.compile(r"[A-Za-z]{2,}:? ([A-Za-z]{2,}|\d(?!x)|$)")


def sentences(tree: ast.Module) -> set[ast.Constant]:
    """Texts in which a word is followed by another, but for docstrings and errors."""
    skipped: set[int] = set()
    for node in ast.walk(tree):
        is_docstring = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        is_error = isinstance(node, ast.Call) and ast.unparse(node.func).endswith("Error")
        if is_docstring or is_error:
            skipped |= {id(part) for part in ast.walk(node)}
    texts = (node for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return {
        text
        for text in texts
        if id(text) not in skipped and isinstance(text.value, str) and ENGLISH.search(text.value)
    }


def decisions_on_sentences(tree: ast.Module) -> list[str]:
    """Code that asks how a text begins, ends or goes on, and names English words to ask for."""
    spoken = {id(text) for text in sentences(tree)}
    found = []
    for node in ast.walk(tree):
        asked: list[ast.expr] = []
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            asked = node.args if node.func.attr in DECIDING else []
        elif isinstance(node, ast.Compare):
            asked = [node.left, *node.comparators]
        if any(id(part) in spoken for expr in asked for part in ast.walk(expr)):
            found.append(ast.unparse(node))
    return found


READS_TORCH = {PACKAGE / "torch_text", PACKAGE / "traces"}
"""Of torch's own wording, these rooms make facts."""
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if not READS_TORCH & {*path.parents})


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_code_decides_by_an_english_sentence(path):
    assert decisions_on_sentences(ast.parse(path.read_text())) == []


@pytest.mark.parametrize(
    "code",
    [
        'if why.startswith("it is an argument"): pass',
        'if "compiled again" in reason: pass',
        'name = text.removeprefix("gone: ")',
        'if ended == "exit 0": pass',
    ],
)
def test_the_search_for_sentences_finds_them(code):
    assert decisions_on_sentences(ast.parse(code))
