"""The tutorial and the README do what they say."""

from __future__ import annotations

import re

from support import ROOT, esper_audit

TUTORIAL = (ROOT / "docs/tutorial/first-audit.md").read_text()
README = (ROOT / "README.md").read_text()


def block(text: str, start: str) -> str:
    """The code block that starts with this fence line."""
    return text.split(f"```{start}\n")[1].split("```")[0]


def said(result) -> str:
    return " ".join(result.stdout.split())


def test_the_tutorial_works_word_by_word(tmp_path):
    code = block(TUTORIAL, 'python title="checks.py"')
    (tmp_path / "checks.py").write_text(code)
    result = esper_audit("run", "checks.py", cwd=tmp_path)
    assert result.returncode == 1
    first, second = re.findall(r"\$ esper-audit run checks.py\n(.*?)```", TUTORIAL, re.DOTALL)
    assert " ".join(first.split()) in said(result)
    for quoted in ("C|RRRR·RRRE", *block(TUTORIAL, "text").strip().splitlines()):
        assert quoted.strip() in said(result), quoted

    fixed = block(TUTORIAL, 'python title="fixed"')
    start, end = code.index("    def __init__"), code.index("    def forward")
    (tmp_path / "checks.py").write_text(code[:start] + fixed + "\n" + code[end:])
    result = esper_audit("run", "-v", "checks.py", cwd=tmp_path)
    assert result.returncode == 0
    assert " ".join(second.split()) in said(result)
    assert "C|·········" in result.stdout
    assert "1 lookup matched a cache entry" in said(result)


def test_the_example_of_the_readme_answers_what_the_readme_says(tmp_path):
    (tmp_path / "gain_changes.py").write_text(block(README, "python"))
    result = esper_audit("run", "gain_changes.py", cwd=tmp_path)
    assert result.returncode == 1
    quoted = re.search(r"The scenario answers `(.*?)`", README, re.DOTALL)
    assert quoted is not None
    assert " ".join(quoted[1].split()) in said(result)
    assert "self.gain: 0.5 -> 0.1, 0.2" in said(result)
