"""Where a report goes: ``--output [FORMAT=]FILE``."""

from __future__ import annotations

import pytest

from esper_audit.errors import UsageError
from esper_audit.report.formats import parse_outputs


def test_outputs_name_a_format_or_take_the_default():
    made = parse_outputs(["sarif=a.sarif", "b.json", "./odd=name.json"])
    assert [(each.format.value, str(each.path)) for each in made] == [
        ("sarif", "a.sarif"),
        ("json", "b.json"),
        ("json", "odd=name.json"),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [("serif=a.sarif", "knows no format 'serif'"), ("sarif=", "has no file")],
)
def test_an_output_that_cannot_be_understood_is_refused(text, message):
    with pytest.raises(UsageError, match=message) as caught:
        parse_outputs([text])
    assert "rich, plain, json, markdown, junit, sarif, github" in caught.value.hint
