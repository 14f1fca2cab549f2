"""What is asked of a test: by options, by the configuration, by its markers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from esper_audit.data.numbers import whole_number

FLAGS = {
    "recompiles": "report recompiles and eager execution of every test",
    "no_eager_fallback": "fail tests in which compiled code ran eagerly",
    "recompiles_no_provenance": "don't look for the lines that write guarded state",
}
NO_EAGER = "no_eager_fallback"
NUMBER = "max_recompiles"
BREAKS = "max_graph_breaks"
KINDS = "recompiles_fail_on"
TEXTS = {
    NUMBER: ("N", "recompiles that a test may have, unless its marker says"),
    BREAKS: ("N", "graph breaks that a test may have, unless its marker says"),
    KINDS: ("KIND[,KIND]", "fail tests with findings of these kinds, unless their marker says"),
}
MARKERS = (
    "max_recompiles(n, warm_up=None): fail above n recompiles, those in the first warm_up calls"
    " of a frame not counted",
    "max_graph_breaks(n): fail above n graph breaks, or where no compiled code ran",
    "no_eager_fallback: fail where compiled code ran eagerly, or none ran",
    "recompiles_fail_on(*kinds): fail on findings of these kinds, or where no compiled code ran",
)


def add_options(parser: pytest.Parser) -> None:
    """Each option on the command line, and in the configuration by the same name."""
    group = parser.getgroup("recompiles", "torch.compile (esper-audit)")
    for key, what in FLAGS.items():
        group.addoption(flag(key), action="store_true", default=None, dest=_dest(key), help=what)
        parser.addini(key, what, "bool", default=False)
    for key, (metavar, what) in TEXTS.items():
        group.addoption(flag(key), metavar=metavar, dest=_dest(key), help=what)
        parser.addini(key, what, "string", default="")


def flag(key: str) -> str:
    """An option as it is written on the command line."""
    return f"--{key.replace('_', '-')}"


def _dest(key: str) -> str:
    return f"esper_audit_{key}"


def setting(config: pytest.Config, key: str) -> Any:
    """The command line's word, else the configuration's."""
    said = config.getoption(_dest(key), None)
    return config.getini(key) if said is None else said


def check_options(config: pytest.Config) -> None:
    """Raise pytest.UsageError for a number or a kind that is none."""
    _allowed(config, NUMBER)
    _allowed(config, BREAKS)
    _kinds(config)


_COUNTED = {NUMBER: "recompiles", BREAKS: "graph breaks"}


def _allowed(config: pytest.Config, key: str) -> int | None:
    text = str(setting(config, key) or "")
    if not text:
        return None
    number = whole_number(text)
    if number is None:
        raise pytest.UsageError(f"{key} takes a number of {_COUNTED[key]}, not {text!r}")
    return number


def _kinds(config: pytest.Config) -> tuple[str, ...]:
    text = str(setting(config, KINDS) or "")
    return _checked(text.split(","), flag(KINDS)) if text else ()


def _checked(names: Any, said_by: str) -> tuple[str, ...]:
    from esper_audit.diagnosis import Door, parse_kinds
    from esper_audit.errors import UsageError

    try:
        return parse_kinds(",".join(names), Door.PYTEST, said_by)
    except UsageError as error:
        raise pytest.UsageError(f"{error} {error.hint}") from None


@dataclass(frozen=True)
class Wish:
    """What is asked of one test. ``strict``: by a marker, so that it must run compiled code."""

    allowed: int | None = None
    warm_up: int | None = None
    breaks: int | None = None
    no_eager: bool = False
    kinds: tuple[str, ...] = ()
    strict_allowed: bool = False
    strict_breaks: bool = False
    strict_eager: bool = False
    strict_kinds: bool = False
    fixture: bool = False
    summary: bool = False

    @property
    def is_marked(self) -> bool:
        markers = (self.strict_allowed, self.strict_breaks, self.strict_eager, self.strict_kinds)
        return any(markers) or self.fixture

    @property
    def is_idle(self) -> bool:
        return self == Wish()


def wish_of(item: pytest.Item) -> Wish:
    """What is asked of a test; its own markers go before options."""
    number, breaks, kinds = (item.get_closest_marker(name) for name in (NUMBER, BREAKS, KINDS))
    allowed, warm_up = _allowed(item.config, NUMBER), None
    if number is not None:
        allowed, warm_up = _of_number(item, number)
    eager = item.get_closest_marker(NO_EAGER)
    strict_eager = eager is not None and _is_bare(item, eager)
    return Wish(
        allowed=allowed,
        warm_up=warm_up,
        breaks=_allowed(item.config, BREAKS) if breaks is None else _of_breaks(item, breaks),
        no_eager=strict_eager or bool(setting(item.config, "no_eager_fallback")),
        kinds=_of_kinds(item, kinds) if kinds is not None else _kinds(item.config),
        strict_allowed=number is not None,
        strict_breaks=breaks is not None,
        strict_eager=strict_eager,
        strict_kinds=kinds is not None,
        fixture=_uses_fixture(item),
        summary=bool(setting(item.config, "recompiles")),
    )


def _uses_fixture(item: pytest.Item) -> bool:
    """Whether a test asks for ours; it may have a parameter of that name."""
    own = getattr(getattr(item, "callspec", None), "params", {})
    return "recompiles" in getattr(item, "fixturenames", ()) and "recompiles" not in own


def _of_number(item: pytest.Item, marker: pytest.Mark) -> tuple[int, int | None]:
    def bind(n: int, warm_up: int | None = None) -> tuple[int, int | None]:
        return n, warm_up

    try:
        n, warm_up = bind(*marker.args, **marker.kwargs)
    except TypeError:
        n, warm_up = -1, None
    if not (_is_number(n) and _is_number(warm_up or 0)):
        raise pytest.UsageError(
            f"{item.nodeid}: max_recompiles takes a number of recompiles and, optionally,"
            " warm_up=CALLS, as in @pytest.mark.max_recompiles(0, warm_up=2)"
        )
    return n, warm_up


def _of_breaks(item: pytest.Item, marker: pytest.Mark) -> int:
    values = [*marker.args, *([marker.kwargs["n"]] if list(marker.kwargs) == ["n"] else [])]
    if len(values) != 1 or not _is_number(values[0]):
        raise pytest.UsageError(
            f"{item.nodeid}: max_graph_breaks takes a number of graph breaks, as in"
            " @pytest.mark.max_graph_breaks(0)"
        )
    number: int = values[0]
    return number


def _is_bare(item: pytest.Item, marker: pytest.Mark) -> bool:
    if marker.args or marker.kwargs:
        raise pytest.UsageError(
            f"{item.nodeid}: no_eager_fallback takes no arguments, as in"
            " @pytest.mark.no_eager_fallback"
        )
    return True


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _of_kinds(item: pytest.Item, marker: pytest.Mark) -> tuple[str, ...]:
    names = marker.args
    if marker.kwargs or not names or not all(isinstance(name, str) for name in names):
        raise pytest.UsageError(
            f"{item.nodeid}: recompiles_fail_on takes kinds, as in"
            ' @pytest.mark.recompiles_fail_on("graph-break", "limit")'
        )
    return _checked(names, f"{item.nodeid}: recompiles_fail_on")
