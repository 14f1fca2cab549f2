"""SARIF 2.1.0, for code scanning: a result for each problem, on the line to change."""

from __future__ import annotations

import hashlib
import os
from pathlib import PurePath
from typing import Any
from urllib.parse import quote

from esper_audit import __version__
from esper_audit.data.json_text import json_text
from esper_audit.data.places import Location
from esper_audit.data.text import on_disk
from esper_audit.report.ci.problems import Cases, Problem, Replacement, Script
from esper_audit.report.manual import Rule
from esper_audit.report.words.commands import explained
from esper_audit.report.words.paths import relative

_SCHEMA = (
    "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
)
_BASE = "%SRCROOT%"


def sarif(whole: Cases) -> str:
    """A log with one run. Paths are from the project's folder on (``%SRCROOT%``)."""
    rules = list(dict.fromkeys(problem.rule for problem in whole.problems))
    run = {
        "tool": {
            "driver": {
                "name": "esper-audit",
                "semanticVersion": __version__,
                "version": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": _bases(whole.root),
        "invocations": [{"executionSuccessful": whole.completed}],
        "results": [_result(problem, rules, whole.root) for problem in whole.problems],
        "properties": {"answer": whole.answer, "accept": whole.accept},
    }
    log = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return f"{json_text(log)}\n"


def _bases(root: str) -> dict[str, Any]:
    if not PurePath(root).is_absolute():  # recorded on another system
        return {_BASE: {"description": {"text": "The folder of the project."}}}
    return {_BASE: {"uri": f"{PurePath(on_disk(root)).as_uri()}/"}}


def _rule(name: str) -> dict[str, Any]:
    rule = Rule(name)
    described = {
        "id": name,
        "name": "".join(word.capitalize() for word in name.split("-")),
        "shortDescription": {"text": rule.what},
        "fullDescription": {"text": rule.summary},
        "help": {
            "text": f"{rule.advice}\nMore: {explained(name)}",
            "markdown": rule.page_on_the_web,
        },
    }
    return described | ({"helpUri": rule.url} if rule.url else {})


def _result(problem: Problem, rules: list[str], root: str) -> dict[str, Any]:
    key = "\n".join(problem.key) or problem.message
    result: dict[str, Any] = {
        "ruleId": problem.rule,
        "ruleIndex": rules.index(problem.rule),
        "level": "error" if problem.fails else "note",
        "message": {"text": "\n".join([problem.message, *problem.details])},
        "partialFingerprints": {
            "esperAudit/v1": hashlib.sha256(f"{problem.rule}\n{key}".encode()).hexdigest()
        },
    }
    if problem.location is not None:
        result["locations"] = [_location(problem.location, root)]
    if problem.related:
        result["relatedLocations"] = [
            {"id": number, "message": {"text": related.role}, **_location(related.location, root)}
            for number, related in enumerate(problem.related, 1)
        ]
    if problem.script is not None and problem.script.replacements:
        result["fixes"] = [_fix(problem.script, root)]
    return result


def _fix(script: Script, root: str) -> dict[str, Any]:
    files = dict.fromkeys(replacement.file for replacement in script.replacements)
    return {
        "description": {"text": script.name},
        "artifactChanges": [
            {
                "artifactLocation": _artifact(str(PurePath(root, file)), root),
                "replacements": [_replaced(one) for one in script.replacements if one.file == file],
            }
            for file in files
        ],
    }


def _replaced(one: Replacement) -> dict[str, Any]:
    """Whole lines: the region ends before the first column of the line after them."""
    first, after = one.start + 1, one.start + 1 + len(one.old)
    region = {"startLine": first, "startColumn": 1, "endLine": after, "endColumn": 1}
    if one.old and not one.old[-1].endswith("\n"):  # there is no line after the last
        region |= {"endLine": after - 1, "endColumn": len(one.old[-1]) + 1}
    return {"deletedRegion": region, "insertedContent": {"text": "".join(one.new)}}


def _artifact(file: str, root: str) -> dict[str, Any]:
    file = relative(file, root)
    elsewhere = PurePath(file).is_absolute()
    file = on_disk(file)
    artifact = {"uri": PurePath(file).as_uri() if elsewhere else quote(os.fsencode(file))}
    return artifact | ({} if elsewhere else {"uriBaseId": _BASE})


def _location(place: Location, root: str) -> dict[str, Any]:
    artifact = _artifact(place.file, root)
    physical = {"artifactLocation": artifact, "region": {"startLine": max(place.line, 1)}}
    found: dict[str, Any] = {"physicalLocation": physical}
    if place.function:
        found["logicalLocations"] = [{"fullyQualifiedName": place.function, "kind": "function"}]
    return found
