"""The configuration of a project, and how a wrong one is refused."""

from __future__ import annotations

import tomllib

import pytest

from esper_audit.data.config import config_for, load_config, wrong_settings
from esper_audit.data.expectations import Budget
from esper_audit.data.verdicts import StepVerdict
from esper_audit.errors import UsageError
from esper_audit.replay.scenario_api import scenario

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


AUDIT = "[tool.esper-audit]\n"
SECONDS = "but must be a number from 0.1 to 1000000."


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("time-limit = -5", f"[tool.esper-audit]: time-limit is -5, {SECONDS}"),
        ("time-limit = 0", f"time-limit is 0, {SECONDS}"),
        ("time-limit = nan", f"time-limit is nan, {SECONDS}"),
        ("time-limit = inf", f"time-limit is inf, {SECONDS}"),
        ("time-limit = 1e400", f"time-limit is inf, {SECONDS}"),
        ("time-limit = 1e300", f"time-limit is 1e+300, {SECONDS}"),
        (f"time-limit = {'9' * 4000}", f"time-limit is a very large number, {SECONDS}"),
        ("time-limit = true", f"time-limit is true, {SECONDS}"),
        ("time-limit = '5'", f"time-limit is '5', {SECONDS}"),
        ("paths = 3", "paths is 3, but must be a list of texts."),
        ("paths = ['a', 3]", "paths is ['a', 3], but must be a list of texts."),
        ("backends = []", "backends is [], but must be a list of one or more texts"),
        ("baseline = ''", "baseline is '', but must be a text that is not empty."),
        ("columns = ['a']", "columns is ['a'], but must be a text."),
        ("question = 'a'", "question is 'a', but must be a table."),
        ("params = { alpha = 1 }", "[tool.esper-audit.params]: alpha is 1, but must be a list"),
        ("control = { verdict = 'odd' }", "[tool.esper-audit.control]: params is missing."),
        ("control = { params = {}, verdict = 'odd' }", "verdict is 'odd', but must be one of"),
        ("budget = { recompiles = -1 }", "recompiles is -1, but must be a whole number, 0 or more"),
        ("budget = { compiles = 1.5 }", "compiles is 1.5, but must be a whole number, 0 or more."),
        ("budget = { graph-breaks = 1000000000001 }", "a whole number, 1000000000 or less."),
        ("budget = { compile-share = nan }", "compile-share is nan, but must be a number from 0"),
        ("tolerances = { float32 = [1, -2] }", "float32 is [1, -2], but must be a list of 2 num"),
        ("tolerances = { float33 = [1, 2] }", "float33 is no dtype of torch (did you mean 'float3"),
        ("pats = []", "[tool.esper-audit]: pats is not known (did you mean 'paths'?)."),
        ("root = 'x'", "root is not known; the keys are paths, pythonpath,"),
        ("budget = { eager_steps = 1 }", "eager_steps is not known (did you mean 'eager-steps'?)"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(tmp_path, text, message):
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, AUDIT + text))
    said = str(caught.value)
    assert said.startswith(f"{tmp_path}/pyproject.toml, [tool.esper-audit")
    assert message in said
    assert "Value error" not in said and "$" not in said


def test_all_wrong_settings_are_named_at_once(tmp_path):
    with pytest.raises(UsageError) as caught:
        load_config(write(tmp_path, f"{AUDIT}time-limit = 0\npats = []"))
    assert len(str(caught.value).splitlines()) == 2


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"[tool.esper-audit\n", "pyproject.toml, line 1: this is not TOML: expected ']'"),
        (b"\n\n'", 'pyproject.toml, line 3: this is not TOML: expected "\'".'),
        (b"\n\xff", "pyproject.toml, line 2: this is not UTF-8 text."),
        (b"a = " + b"[" * 100_000, "pyproject.toml is nested too deeply."),
        (b"a = " + b"9" * 5000, "it holds a number that is too long."),
        (b'[tool.esper-audit]\nbaseline = "a\\u0000"', "baseline holds a NUL character"),
        (b'[tool.esper-audit]\npaths = ["a", "\\u0000"]', "paths holds a NUL character"),
        (b'[tool.esper-audit]\n"a\\n::error::" = 1', "a\\n\\x3a:error:: is not known"),
        (b"[tool]\nesper-audit = 3\n", "[tool.esper-audit] must be a table"),
        (b"[tool.esper_audit]\n", "has a table [tool.esper_audit]; write [tool.esper-audit]."),
    ],
)
def test_a_file_that_is_no_configuration_is_refused_with_its_line(tmp_path, data, message):
    (tmp_path / "pyproject.toml").write_bytes(data)
    with pytest.raises(UsageError) as caught:
        load_config(tmp_path)
    assert message in str(caught.value)


def test_every_setting_that_is_allowed_can_be_converted():
    """The check is our own: what it lets pass must be what msgspec takes."""
    table = tomllib.loads(FULL)["tool"]["esper-audit"]
    assert wrong_settings(table) == []
    assert wrong_settings({"tolerances": {"float8_e4m3fn": [0, 0.5]}, "time-limit": 1}) == []


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        ({"time_limit": -5}, "time_limit is -5, but must be a number from 0.1"),
        ({"time_limit": float("nan")}, "time_limit is nan, but"),
        ({"budget": Budget(recompiles=-1)}, "budget recompiles is -1, but must be a whole number"),
        ({"tolerances": {"float32": (0.1,)}}, "tolerances float32 is [0.1], but must be a list"),
        ({"tolerances": {"float23": (0, 0)}}, "float23 is no dtype of torch"),
    ],
)
def test_a_scenario_with_a_wrong_limit_is_refused_in_the_same_words(limits, said):
    with pytest.raises(UsageError) as caught:
        scenario(**limits)(lambda _: None)
    assert said in str(caught.value)


# --- where it is looked for ---


@pytest.fixture
def projects(tmp_path, monkeypatch):
    """Two projects beside each other, and the current folder outside of both."""
    for name in ("one", "two"):
        (tmp_path / name / "deep").mkdir(parents=True)
        (tmp_path / name / "deep" / "scenario.py").touch()
        write(tmp_path / name, f"{AUDIT}columns = '{name}'")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    return tmp_path


@pytest.mark.parametrize("path", ["deep/scenario.py", "deep", ".", "deep/not-there.py"])
def test_the_configuration_is_that_of_the_given_path(projects, path):
    config = config_for([f"../two/{path}"])
    assert (config.columns, config.root) == ("two", str(projects / "two"))


def test_paths_of_several_folders_take_that_of_the_folder_they_share(projects):
    assert config_for(["../one/deep", "../two/deep"]).columns == ""
    write(projects, f"{AUDIT}columns = 'both'")
    assert config_for(["../one/deep", "../two/deep"]).columns == "both"
    assert config_for(["../one/deep", "../one/deep/scenario.py"]).columns == "one"


def test_where_the_paths_have_none_that_of_the_current_folder_holds(projects, monkeypatch):
    monkeypatch.chdir(projects / "one" / "deep")
    assert config_for([]).columns == "one"
    assert config_for([projects / "elsewhere"]).columns == "one"
