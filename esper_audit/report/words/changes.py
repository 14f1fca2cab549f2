"""What changed, in words: the guarded thing, and from what to what.

Worked example: a guard on the global state that failed for ``{"grad_mode": ("True", "False")}`` is
"grad mode: on -> off"; one on the length of an empty list is "empty -> 1 item".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from esper_audit.data.findings import Finding
from esper_audit.data.reasons import Why
from esper_audit.report.words.numbers import several
from esper_audit.report.words.origins import with_origin
from esper_audit.report.words.reasons import in_words
from esper_audit.torch_text.guard_kinds import Reading, reading_of

_SHOWN = 4
_KEYS = ("DICT_KEYS_MATCH", "MAPPING_KEYS_MATCH")
_COUNTED_IN = {"LENGTH_CHECK": "item", "TUPLE_ITERATOR_LEN": "item", "DICT_LENGTH": "key"}
_UNTOLD = "not known"
_SWITCHES = {"True": "on", "False": "off"}


def sources(finding: Finding) -> str:
    """The first guarded thing, and how many failed with it."""
    more = len(finding.sources) - 1
    if finding.why is not None and finding.why.why is Why.WRAPPER_SHARED:
        return "the wrapped callable"
    first = _settings(finding) or _named(finding) or finding.text or in_words(finding.why)
    return f"{first} (and {more} more)" if more > 0 else first


def change(finding: Finding, values: Sequence[str] | None = None, shown: int = _SHOWN) -> str:
    """``0.5 -> 0.1, 0.2, … (9 values)``. ``values``: those of several findings of one cause."""
    if _settings(finding):
        return _changed_settings(finding)
    found = finding.values if values is None else values
    if not finding.expected and not any(found):
        return ""
    # One that is the first old value again is of a recompile for which another entry was nearer.
    new = [value for value in found if value != finding.expected] or found
    listed = ", ".join(_value(finding, value) for value in new[:shown])
    more = f", … ({len(new)} values)" if len(new) > shown else ""
    what = "keys " if finding.kind in _KEYS else ""
    return f"{what}{_value(finding, finding.expected)} -> {listed}{more}"


def _named(finding: Finding) -> str:
    return with_origin(finding.source, finding.origin) if finding.source else ""


def _settings(finding: Finding) -> str:
    """The settings of torch's global state that changed; empty for any other finding."""
    if reading_of(finding.kind) is not Reading.SETTING:
        return ""
    return ", ".join(name.replace("_", " ") for name in finding.fields)


def _changed_settings(finding: Finding) -> str:
    """Of one setting all its new values, of several the first of each."""
    if len(finding.fields) > 1:
        return ", ".join(_pair(*pair) for pair in finding.fields.values())
    [(name, (expected, actual))] = finding.fields.items()
    told = [value.removeprefix(f"{name}=") for value in finding.values]
    own = [value for value, whole in zip(told, finding.values, strict=True) if value != whole]
    return _pair(expected, ", ".join(map(_switch, own)) or actual)


def _pair(expected: str, actual: str) -> str:
    return f"{_switch(expected)} -> {_switch(actual) or _UNTOLD}" if expected else "changed"


def fields_in_words(fields: Mapping[str, str]) -> str:
    """``grad mode: off, autocast: on``; of one that torch does not tell, its name alone."""
    told = ((name.replace("_", " "), _switch(value)) for name, value in fields.items())
    return ", ".join(f"{name}: {value}" if value else name for name, value in told)


def _switch(value: str) -> str:
    return _SWITCHES.get(value, value)


def _value(finding: Finding, value: str) -> str:
    return guarded(finding.kind, value)


def guarded(kind: str, value: str) -> str:
    """A value as a guard of this kind reads it: of one of a length, ``3 items``."""
    if not value:
        return _UNTOLD  # by a trace log, of an attempt that made no cache entry
    noun = _COUNTED_IN.get(kind)
    if noun is None or not value.isdecimal():
        return short(value)
    return several(int(value), noun) if int(value) else "empty"


def short(value: str) -> str:
    """Six digits of a float are enough to read; the recording keeps all."""
    try:
        return f"{float(value):.6g}" if "." in value and len(value) > 8 else value
    except ValueError:
        return value
