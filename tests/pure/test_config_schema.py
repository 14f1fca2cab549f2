"""The schema of the configuration says what the tool itself says of a table."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path

import jsonschema
import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_config import FULL

from esper_audit.data.config import Settings, wrong_settings
from esper_audit.data.config_schema import DESCRIPTIONS, config_schema

ROOT = Path(__file__).parents[2]
SCHEMA = config_schema()
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)


def test_the_published_schema_is_that_of_this_version():
    published = json.loads((ROOT / "docs/reference/config.schema.json").read_text())
    assert published == SCHEMA, "run: ./dev schemas"


def test_the_command_prints_it(desk):
    code, out, _ = desk.run("schema", "config")
    assert (code, json.loads(out)) == (0, SCHEMA)


def test_it_is_a_schema_and_describes_every_key():
    jsonschema.Draft7Validator.check_schema(SCHEMA)
    keys = {field.encode_name for field in msgspec.structs.fields(Settings)}
    assert set(DESCRIPTIONS) == keys == set(SCHEMA["properties"])
    assert "null" not in json.dumps(SCHEMA), "TOML has none"


def test_the_configuration_of_this_repository_and_every_key_fit():
    own = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["esper-audit"]
    VALIDATOR.validate(own)
    VALIDATOR.validate(tomllib.loads(FULL)["tool"]["esper-audit"])


@pytest.mark.parametrize(
    "table",
    [
        {"pats": []},
        {"root": "/"},
        {"paths": 3},
        {"paths": [3]},
        {"backends": []},
        {"backends": [""]},
        {"time-limit": -5},
        {"time-limit": 0.05},
        {"time-limit": True},
        {"time-limit": 1e9},
        {"import-time-limit": "30"},
        {"baseline": ""},
        {"tolerances": {"float99": [0, 0]}},
        {"tolerances": {"float32": [0]}},
        {"tolerances": {"float32": [0, 0, 0]}},
        {"tolerances": {"float32": [-1, 0]}},
        {"control": {}},
        {"control": {"params": {"a": "b"}, "verdict": "odd"}},
        {"budget": {"recompiles": -1}},
        {"budget": {"recompiles": 2_000_000_000}},
        {"budget": {"compile-share": 1.5}},
        {"budget": {"compile_share": 0.5}},
        {"question": {"txt": ""}},
        {"params": {"alpha": "a"}},
    ],
    ids=str,
)
def test_what_the_tool_refuses_the_schema_refuses(table):
    assert wrong_settings(table)
    assert not VALIDATOR.is_valid(table)


@pytest.mark.parametrize(
    "table",
    [
        {},
        {"time-limit": 0.1, "import-time-limit": 1_000_000},
        {"tolerances": {"float8_e4m3fn": [0, 0.5], "bool": [0, 0]}},
        {"budget": {"recompiles": 0, "compile-share": 1}},
        {"control": {"params": {"a": "b"}}},
    ],
    ids=str,
)
def test_what_the_tool_takes_the_schema_takes(table):
    assert not wrong_settings(table)
    VALIDATOR.validate(table)


VALUES = st.recursive(
    st.booleans()
    | st.integers(-(10**12), 10**12)
    | st.sampled_from([0.05, 0.1, 0.5, 1.5, -0.5, 1e12])
    | st.sampled_from(["", "a", "stale", "float32"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "float32", "recompiles", "text", "params"]), inner)
    ),
    max_leaves=6,
)


@settings(max_examples=300, deadline=None)
@given(st.dictionaries(st.sampled_from([*DESCRIPTIONS, "other"]), VALUES, max_size=2))
def test_tool_and_schema_agree_on_any_table(table):
    assert VALIDATOR.is_valid(table) is (not wrong_settings(table))


def test_the_schema_of_the_whole_file_that_the_reference_shows_leads_to_it(tmp_path):
    text = (ROOT / "docs/reference/configuration.md").read_text()
    whole = json.loads(next(re.finditer(r'pyproject.schema.json"\n(.*?)```', text, re.DOTALL))[1])
    assert whole["properties"]["tool"]["properties"]["esper-audit"]["$ref"] == "config.schema.json"
    assert "#:schema ./pyproject.schema.json" in text
