"""Markdown for a comment on a pull request: a table, and collapsed details."""

from __future__ import annotations

import html
import re

import jinja2

from esper_audit.report.ci.cases import Case, Cases, Problem, Status
from esper_audit.report.words.paths import place

LONGEST = 60_000
"""Characters: GitHub takes comments of 65,536."""

_MARKS = {Status.PASSED: "✓", Status.FAILED: "✗", Status.ERROR: "!", Status.SKIPPED: "–"}
_TEMPLATE = """\
<!-- esper-audit -->
### esper-audit

**{{ whole.answer | text }}**

{% if shown %}
| | audit | what |
|---|---|---|
{% for case in shown %}
| {{ marks[case.status] }} | {{ case.name | text }} | {{ case.reason | text }} |
{% endfor %}

{% endif %}
{% for case in shown if case.problems %}
<details>
<summary>{{ case.name | html }}: {{ case.problems | length }} to look at</summary>

{% for problem in case.problems %}
- {{ problem.message | text }}
{% if problem.location %}
  <br>at `{{ where(problem) }}`
{% endif %}
{% for line in problem.details %}
  <br>{{ line | text }}
{% endfor %}
{% endfor %}

</details>

{% endfor %}
{% if dropped %}
{{ dropped }} more to look at: this would be longer than a comment may be.

{% endif %}
{% if rest %}
<details>
<summary>{{ rest | length }} more: {{ counted }}</summary>

{% for case in named %}
- {{ marks[case.status] }} {{ case.name | text }}
{% endfor %}

</details>

{% endif %}
{% if whole.accept %}
If this is meant, accept it:

```console
{{ whole.accept }}
```
{% endif %}
"""


def markdown(whole: Cases) -> str:
    """The report, its failures first. Starts with a comment by which a bot finds it again."""
    environment = jinja2.Environment(
        trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True
    )
    environment.filters |= {"text": _text, "html": _html}
    template = environment.from_string(_TEMPLATE)
    failing = (Status.FAILED, Status.ERROR)
    shown = [each for each in whole.cases if each.status in failing or each.problems]
    rest = [each for each in whole.cases if each not in shown]

    def written(details: int, names: int) -> str:
        return template.render(
            whole=whole,
            shown=shown[:details],
            dropped=len(shown) - details,
            rest=rest,
            named=rest[:names],
            counted=_counted(rest),
            marks=_MARKS,
            where=lambda problem: _where(problem, whole.root),
        )

    # What passed goes first, then failures from the last on, a tenth at a time.
    tries = [(len(shown), len(rest)), *((len(shown) * n // 10, 0) for n in range(10, -1, -1))]
    texts = (written(*each) for each in tries)
    return next((text for text in texts if len(text) <= LONGEST), written(0, 0))


def _where(problem: Problem, root: str) -> str:
    return place(problem.location, root).replace("`", "'")


def _counted(cases: list[Case]) -> str:
    numbers = {status: sum(each.status is status for each in cases) for status in Status}
    return ", ".join(f"{number} {status.value}" for status, number in numbers.items() if number)


def _html(text: str) -> str:
    """Values of a user's program must not become markup."""
    return html.escape(" ".join(text.split()), quote=False)


def _text(text: str) -> str:
    """Outside of an HTML block, what is markup to Markdown is escaped as well."""
    return re.sub(r"([\\`*_\[\]|~#])", r"\\\1", _html(text))
