"""Command lines that a reader can paste: the next one to run."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from esper_audit.data.clean import clean

_QUIET = ("-q", "--quiet", "-v", "--verbose")
_ELSEWHERE = ("--output", "-o", "--format", "--export", "--width")
"""Options that send a report elsewhere, or make it something else than words."""
_OF_RUN = ("--save",)
"""An option with which `fix` would write over what `run` has written."""
_MOST_NAMED = 3


@dataclass(frozen=True, slots=True)
class Typed:
    """The command line that a report comes from, without the program's name.

    ``saved`` is the file that holds the report as JSON afterwards; empty if none does. ``kept``
    says that ``show`` finds it without one.
    """

    words: tuple[str, ...] = ()
    saved: str = ""
    kept: bool = False

    @property
    def again(self) -> str:
        """The same command, for a report on the terminal; empty if the command is not known."""
        return self._with()

    @property
    def way_to_all(self) -> str:
        """How to see what a program's report leaves out: an option, or a command if one will do."""
        return "esper-audit show -v" if self.kept else "-v"

    @property
    def in_detail(self) -> str:
        """The command that shows all evidence, without running anything twice if it can."""
        if self.saved:
            return shell(("esper-audit", "show", "-v", no_option(self.saved)))
        if self.kept:
            return "esper-audit show -v"
        return self._with("-v")

    @property
    def applying(self) -> str:
        """The command that applies what was proven; empty if the command is not known."""
        return self._with("--apply") if self.words[:1] == ("fix",) else ""

    @property
    def fixing(self) -> str:
        """The command that tries remedies on what this one ran; empty if it replayed nothing."""
        if self.words[:1] != ("run",):
            return ""
        kept = without(self.words[1:], (*_ELSEWHERE, *_OF_RUN), _QUIET)
        return shell(("esper-audit", "fix", *kept))

    def _with(self, *options: str) -> str:
        if not self.words:
            return ""
        command, *rest = self.words
        kept = without(rest, _ELSEWHERE, _QUIET)
        return shell(("esper-audit", command, *options, *kept))


NOTHING_TYPED = Typed()


def explained(identifier: str) -> str:
    """The command that prints the page of a diagnosis."""
    return shell(("esper-audit", "explain", identifier))


def fix_of(
    files: Iterable[str], names: Iterable[str], parameters: Mapping[str, str] | None = None
) -> str:
    """The command that tries remedies on these scenarios; of many, on all of the project.

    ``parameters`` are values by name, several with commas between.
    """
    values = [f"{name}={value}" for name, value in (parameters or {}).items()]
    chosen_values = [word for value in values for word in ("--param", value)]
    given, chosen = tuple(dict.fromkeys(files)), tuple(dict.fromkeys(names))
    paths = [no_option(file) for file in given] if len(given) <= _MOST_NAMED else []
    is_plain = len(chosen) <= _MOST_NAMED and all(map(str.isidentifier, chosen))
    named = ["-k", " or ".join(chosen)] if is_plain else []
    return shell(("esper-audit", "fix", *paths, *named, *chosen_values))


def fix_for(files: Iterable[str], cases: Sequence[tuple[str, Mapping[str, str]]]) -> str:
    """The command that tries remedies on these cases: a scenario and its parameters each.

    Of many scenarios, all of the project is tried, with the values that it is configured for.
    """
    names = dict.fromkeys(name for name, _ in cases)
    values: dict[str, dict[str, None]] = {}
    for _, parameters in cases if len(names) <= _MOST_NAMED else ():
        for name, value in parameters.items():
            values.setdefault(name, {})[value] = None
    return fix_of(files, names, {name: ",".join(chosen) for name, chosen in values.items()})


def no_option(file: str) -> str:
    """A file name that no command takes for an option."""
    return f"./{file}" if file.startswith("-") else file


def without(
    words: Iterable[str], options: tuple[str, ...], flags: tuple[str, ...]
) -> Iterator[str]:
    """The words of a command line, less some of its options with their values, and flags."""
    # ``--output=FILE`` and ``-oFILE`` are one word each.
    joined = tuple(f"{option}=" if option.startswith("--") else option for option in options)
    rest = iter(words)
    for word in rest:
        if word in options:
            next(rest, None)
        elif word not in flags and not word.startswith(joined):
            yield word


def shell(words: Iterable[str]) -> str:
    """A command line that a shell reads back as these words, on one line whatever they hold."""
    return " ".join(_quoted(word) for word in words)


def _quoted(word: str) -> str:
    if word.isprintable() and clean(word) == word:
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word))}'"


def _escaped(character: str) -> str:
    """As bash reads it between ``$'`` and ``'``."""
    if character in "\\'":
        return f"\\{character}"
    code = ord(character)
    if character.isprintable() and character not in ":#":
        return character
    if 0xDC80 <= code <= 0xDCFF:  # a byte of a name that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    if code > 0xFFFF:
        return f"\\U{code:08x}"
    return f"\\x{code:02x}" if code < 128 else f"\\u{code:04x}"
