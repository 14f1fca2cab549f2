"""Torch's texts of graph breaks and of code that it can't trace: what broke, and its hints.

``format_graph_break_message`` of torch/_dynamo/exc.py makes them, 2.8 to 2.14: a type of its
registry (torch/_dynamo/graph_break_registry.json), an explanation, hints, a context. The text of a
branch on a tensor's value is of another form (``generic_jump`` in symbolic_convert.py).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

_ANOTHER = "\n\n*** While handling this graph break"
_SECOND = ": ***"
_CONTEXT = "Developer debug context:"
_LINK = "\n\n For more details about this graph break"
_PART = re.compile(r"^  (Explanation|Hint): ", re.MULTILINE)
_JUMP = "generic_jump"
BRANCH = "branch on a tensor's value"
READ = "reading a tensor's value as a Python number"
"""What breaks a graph where the name of a call would stand."""

_IN_TYPE = (
    re.compile(r"^Unsupported (Tensor\.\w+\(\)) call"),
    re.compile(r"^(Tensor\.\w+\(\)) with "),
    re.compile(r"^Call to `(torch\._dynamo\.\w+\(\))`"),
    re.compile(r"^Attempted to (copy\.deepcopy) "),
)
_IN_CONTEXT = (
    re.compile(r"^builtin (\w+) \["),
    re.compile(r"^<function (\S+) at 0x"),
    re.compile(r"^Attempted to inline a SkipFunctionVariable .*\((\w+)\)"),
)
_IN_EXPLANATION = (
    re.compile(r"[Oo]perator `([\w.]+)`"),
    re.compile(r"the Python builtin `([\w.]+?)\.?`"),
    re.compile(r"the builtin `([\w.]+?)\.?`"),
    re.compile(r"the function `([\w.<>]+)`"),
)
_LOGGER = re.compile(r"^method: <Logger .*>\.(\w+), args")
_SKIPPED = re.compile(r"^(?:module: (?P<module>[\w.]+), )?qualname: (?P<name>[\w.<>]+)")
_METHOD = re.compile(r"method `(\w+)` of class `(\w+)`")
_VALUE_READ = "aten._local_scalar_dense"
_JUMPS = ("Data-dependent branching", "Data-dependent jump")
_REPEATS = (
    "Avoid calling ",
    "Remove the `torch._dynamo.graph_break()`",
    "Your code may result in an error when running in eager",
)
_TO_TORCH = re.compile(r"(?:file|report) an issue")
_DISABLED = re.compile(r"^Skip (?:calling|inlining) `torch\.compiler\.disable\(\)`d function")
_ON_PURPOSE = "Call to `torch._dynamo.graph_break()`"


@dataclass(frozen=True, slots=True)
class BreakText:
    """One text of torch in parts. ``called`` names the call that broke, as far as known."""

    kind: str
    explanation: str = ""
    hints: tuple[str, ...] = ()
    context: str = ""
    called: str = ""


@lru_cache(maxsize=256)
def read_break(text: str) -> BreakText:
    """The parts of torch's text; of one in another form, the first line alone."""
    first = text.partition(_ANOTHER)[0].partition(_LINK)[0]
    told, _, context = first.partition(_CONTEXT)
    head, *rest = _PART.split(told)
    parts = [(name, _joined(part)) for name, part in zip(rest[::2], rest[1::2], strict=False)]
    explanation = next((part for name, part in parts if name == "Explanation"), "")
    hints = tuple(part for name, part in parts if name == "Hint" and part)
    kind = next(iter(head.strip().splitlines()), "")
    called = _called(kind, context.strip(), explanation)
    return BreakText(kind, explanation, hints, _joined(context), called)


def second_break(text: str) -> str:
    """What else Dynamo can't do there, of a text that tells of two graph breaks: the second."""
    _, _, rest = text.partition(_ANOTHER)
    _, _, second = rest.partition(_SECOND)
    return read_break(second.strip()).kind if second else ""


def is_disabled(kind: str) -> bool:
    """Whether a function broke the graph because it is switched off by ``disable``."""
    return _DISABLED.match(kind) is not None


def is_on_purpose(kind: str) -> bool:
    """Whether torch's own code, where it breaks a graph so, does it on purpose."""
    return kind.startswith(_ON_PURPOSE) or is_disabled(kind)


def helpful(hints: Iterable[str]) -> tuple[str, ...]:
    """The hints that say what to do in the program, besides not calling what broke."""
    return tuple(h for h in hints if not h.startswith(_REPEATS) and not _TO_TORCH.search(h))


def _joined(text: str) -> str:
    return " ".join(text.split())


def _called(kind: str, context: str, explanation: str) -> str:
    if kind.startswith((_JUMP, *_JUMPS)):
        return BRANCH
    if context.startswith(_VALUE_READ):
        return READ
    logger = _LOGGER.match(context)
    if logger is not None:
        return f"Logger.{logger[1]}"
    skipped = _SKIPPED.match(context)
    if skipped is not None:
        return ".".join(filter(None, [skipped["module"], skipped["name"]]))
    method = _METHOD.search(explanation)
    if method is not None:
        return f"{method[2]}.{method[1]}"
    for patterns, text in (
        (_IN_TYPE, kind),
        (_IN_CONTEXT, context),
        (_IN_EXPLANATION, explanation),
    ):
        found = next((match[1] for p in patterns if (match := p.search(text))), "")
        if found:
            return found
    return ""
