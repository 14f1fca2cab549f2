"""The JSON Schema of ``[tool.esper-audit]``, for editors: of the classes that check the table."""

from __future__ import annotations

from typing import Any

import msgspec

from esper_audit.data.allowed import MOST_OF_ANY
from esper_audit.data.config import DTYPES, NARROW_DTYPES, Settings
from esper_audit.data.project import document_url
from esper_audit.data.text import to_json

DRAFT = "http://json-schema.org/draft-07/schema#"
"""The draft that SchemaStore takes, and editors of TOML read."""

DESCRIPTIONS = {
    "paths": "Scenario files and folders that `run`, `gate` and `list` take without arguments.",
    "pythonpath": "Folders put on sys.path before scenarios are imported.",
    "columns": "The parameter whose values become the columns of the report.",
    "backends": "Backends of torch.compile without --backend.",
    "params": "Which values of a parameter are replayed without --param.",
    "tolerances": "[rtol, atol], each 0 or more, by the name of a dtype.",
    "time-limit": "Seconds that one replay may take.",
    "import-time-limit": "Seconds that the import of one scenario file may take.",
    "question": "What the report's first sentence answers, and which audits that is about.",
    "control": "Audits that are wrong on purpose, and the verdict that they must get.",
    "budget": "What a scenario may cost that does not say it itself.",
    "scan": "What `scan` leaves out: files, and diagnoses, in all files or in some.",
    "baseline": "The file that `gate` compares with.",
    "ticket": "What `ticket` fills in: id, points (a file of the project), batch, agent, domain.",
}


def config_schema() -> dict[str, Any]:
    """The schema of the table; its limits are those by which the table is checked."""
    made: dict[str, Any] = _for_toml(msgspec.json.schema(Settings))
    whole = made["$defs"].pop(Settings.__name__)
    properties = whole["properties"]
    for key, description in DESCRIPTIONS.items():
        properties[key] = {"description": description} | _alone(properties[key])
    names = "|".join([*DTYPES, NARROW_DTYPES])
    properties["tolerances"]["propertyNames"] = {"pattern": f"^({names})$"}
    more = document_url("reference/configuration.md")
    about = {"title": "[tool.esper-audit]", "description": f"Settings of esper-audit. {more}"}
    schema = {"$schema": DRAFT} | whole | about | {"$defs": made["$defs"]}
    plain: dict[str, Any] = msgspec.json.decode(to_json(schema))
    return plain


def _for_toml(schema: Any) -> Any:
    """Without null, which TOML lacks, with a limit for every number, and lists as draft 7 has."""
    if isinstance(schema, list):
        return [_for_toml(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    made = {key: _for_toml(value) for key, value in schema.items() if key != "default"}
    if schema.get("default") not in (None, {}) and not _holds_none(schema["default"]):
        made["default"] = schema["default"]
    kinds = [kind for kind in made.pop("anyOf", []) if kind != {"type": "null"}]
    if len(kinds) == 1:
        made |= kinds[0]
    elif kinds:
        made["anyOf"] = kinds
    if schema.get("type") in ("number", "integer"):
        made = {"maximum": MOST_OF_ANY, "minimum": -MOST_OF_ANY} | made
    if "prefixItems" in made:
        made["items"] = made.pop("prefixItems")[0]
    return made


def _holds_none(value: Any) -> bool:
    return isinstance(value, dict) and None in value.values()


def _alone(schema: dict[str, Any]) -> dict[str, Any]:
    """Draft 7 reads nothing beside a reference."""
    reference = schema.get("$ref")
    return {"allOf": [{"$ref": reference}]} if reference else schema
