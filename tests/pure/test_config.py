"""The configuration of a project, and how a wrong one is refused."""

from __future__ import annotations

import pytest

from esper_audit.data.config import load_config
from esper_audit.data.expectations import Budget
from esper_audit.data.verdicts import StepVerdict
from esper_audit.errors import UsageError

FULL = """
[tool.esper-audit]
paths = ["checks"]
pythonpath = ["."]
columns = "alpha"
backends = ["inductor"]
time-limit = 9.5
[tool.esper-audit.params]
alpha = ["a", "b"]
[tool.esper-audit.tolerances]
float32 = [0.1, 0.2]
[tool.esper-audit.question]
text = "Does it?"
about = { alpha = "a" }
[tool.esper-audit.control]
params = { alpha = "c" }
verdict = "eager"
[tool.esper-audit.budget]
recompiles = 1
compiles-after-warm-up = 6
eager-steps = 2
compiles = 3
graph-breaks = 4
compile-share = 0.5
"""


def write(folder, text):
    (folder / "pyproject.toml").write_text(text)
    return folder


def test_without_a_file_the_defaults_hold(tmp_path):
    config = load_config(tmp_path)
    assert (config.paths, config.backends, config.time_limit) == ([], ("aot_eager",), 120.0)


def test_every_key_is_read_and_paths_are_those_of_the_file(tmp_path):
    config = load_config(write(tmp_path, FULL))
    assert config.paths == [str(tmp_path / "checks")]
    assert config.pythonpath == [str(tmp_path)]
    assert (config.columns, config.backends, config.time_limit) == ("alpha", ("inductor",), 9.5)
    assert config.params == {"alpha": ["a", "b"]}
    assert config.tolerances == {"float32": (0.1, 0.2)}
    assert config.question.about == {"alpha": "a"}
    assert config.control is not None and config.control.verdict is StepVerdict.EAGER
    assert config.budget.bounds == Budget(
        recompiles=1,
        compiles_after_warm_up=6,
        eager_steps=2,
        compiles=3,
        graph_breaks=4,
        compile_share=0.5,
    )


def test_the_nearest_file_with_our_table_counts(tmp_path):
    write(tmp_path, FULL)
    inner = tmp_path / "deep" / "er"
    inner.mkdir(parents=True)
    write(inner, "[project]\nname = 'x'\n")
    assert load_config(inner).root == str(tmp_path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[tool.esper-audit]\npats = []\n", "unknown field `pats`"),
        ("[tool.esper-audit]\npaths = 3\n", "Expected `array`, got `int` - at `$.paths`"),
        ("[tool.esper-audit.control]\nparams = {}\nverdict = 'odd'\n", "Invalid enum value 'odd'"),
        ("[tool.esper-audit\n", "can't be read"),
        ("[tool.esper-audit.budget]\nrecompiles = -1\n", "`int` >= 0 - at `$.budget.recompiles`"),
        ("[tool]\nesper-audit = 3\n", "must be a table"),
    ],
)
def test_a_wrong_configuration_is_refused_with_its_place(tmp_path, text, message):
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, text))
    assert "pyproject.toml" in str(caught.value)
    assert message in str(caught.value)
