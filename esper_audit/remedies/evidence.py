"""What a recording tells of one cause that decides which levers could help against it. Pure."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from esper_audit.data.audits import Audit, ProgramAudit
from esper_audit.data.compiles import Compile, GuardFailure, ValueKind
from esper_audit.data.findings import Finding, Pattern
from esper_audit.data.places import Frame
from esper_audit.data.remedies import Cause, Lever, LeverKind
from esper_audit.torch_text.guard_text import body_of
from esper_audit.torch_text.guard_trees import constant, sources_in, tree_of

MODULE_INTS = "torch._dynamo.config.allow_unspec_int_on_nn_module"

_SETTING = re.compile(r"\b(?P<name>torch(?:\.\w+)+)\s*=\s*(?P<value>True|False)\b")
_NUMBER = re.compile(r"-?\d+|None")
_VERSION = re.compile(r"(\d+)\.(\d+)")
_OF_MODULES = ("_parameters", "_buffers")
_RESUMED = "torch_dynamo_resume_in_"

Place = tuple[str, int]
"""A tensor's source, in torch's terms, and one of its dimensions."""


@dataclass(frozen=True)
class Evidence:
    """A cause, its finding, and the failures of guards in its frame that the finding is made of."""

    cause: Cause
    audit: Audit | ProgramAudit

    @property
    def is_program(self) -> bool:
        """Whether it was found in a program: nobody calls its callables but itself."""
        return isinstance(self.audit, ProgramAudit)

    def option(self, name: str) -> str:
        """What the audit was asked to compile with, as text; empty where nobody knows."""
        return self.audit.options.get(name, "") if isinstance(self.audit, Audit) else ""

    @cached_property
    def torch(self) -> tuple[int, int]:
        """The version of torch that it was recorded with; of an unknown one, the newest."""
        match = _VERSION.match(self.audit.recording.environment.torch)
        return (int(match[1]), int(match[2])) if match else (99, 0)

    @cached_property
    def finding(self) -> Finding | None:
        """The finding that the cause was made from."""
        own = [
            finding
            for finding in self.audit.findings
            if finding.id is self.cause.id and finding.frame.key == self.cause.frame.key
        ]
        source = self.cause.source
        same = [finding for finding in own if source in (finding.source, *finding.sources)]
        return next(iter(same or own), None)

    @cached_property
    def failures(self) -> tuple[GuardFailure, ...]:
        """The failures of this cause, in the order of the recording."""
        return tuple(failure for _, failure in self._cases())

    def _cases(self) -> Iterator[tuple[Compile, GuardFailure]]:
        sources = {self.cause.source, *(self.finding.sources if self.finding else ())}
        for compile_ in self._own():
            for failure in compile_.guard_failures:
                if failure.source in sources or failure.torch_source == self.cause.torch_source:
                    yield compile_, failure

    @cached_property
    def is_direct(self) -> bool:
        """Whether the frame is that of the function which is called, with its arguments."""
        own = [compile_ for compile_, _ in self._cases()]
        name = self.cause.frame.raw_name.rpartition(".")[2]
        direct = bool(own) and all(compile_.direct for compile_ in own)
        return direct and not name.startswith(_RESUMED)

    @property
    def pattern(self) -> Pattern | None:
        """How its recompiles go on."""
        return self.finding.pattern if self.finding is not None else None

    @property
    def has_storm(self) -> bool:
        """Whether new values of any cause keep coming."""
        return any(finding.pattern is Pattern.STORM for finding in self.audit.findings)

    @cached_property
    def sources(self) -> tuple[str, ...]:
        """The values that changed, in torch's terms: of sizes, the tensors that have them."""
        found = [base for base, _ in self._sizes()]
        found += [failure.torch_source for failure in self.failures if _is_path(failure)]
        found += [] if found else [self.cause.torch_source]
        return tuple(dict.fromkeys(tensor_of(source)[0] for source in found if source))

    @cached_property
    def places(self) -> tuple[Place, ...]:
        """The dimensions that changed, as far as torch tells."""
        found = [*self._sizes()]
        for failure in self.failures:
            before, after = (_numbers(text) for text in failure.fields.get("size", ("", "")))
            if len(before) == len(after):
                pairs = enumerate(zip(before, after, strict=True))
                found += [(failure.torch_source, d) for d, (a, b) in pairs if a not in (b, "None")]
        return tuple(dict.fromkeys(found))

    @cached_property
    def relates_sizes(self) -> bool:
        """Whether a guard that failed holds two sizes to each other."""
        return len(set(self._sizes())) > 1

    @cached_property
    def frame_id(self) -> str:
        """Torch's number of the frame, which its compile ids begin with; empty if not known."""
        ids = {compile_.id.partition("/")[0] for compile_ in self._own()}
        return ids.pop() if len(ids) == 1 else ""

    @cached_property
    def is_shared(self) -> bool:
        """Whether several objects run the frame's code, as far as known."""
        return len({compile_.instance for compile_ in self._own() if compile_.instance}) != 1

    def _own(self) -> Iterator[Compile]:
        """The attempts to compile the cause's frame."""
        for compile_ in self.audit.recording.compiles:
            if _code(compile_.frame) == _code(self.cause.frame):
                yield compile_

    def _sizes(self) -> Iterator[Place]:
        """``L['x']`` and 0 of a guard on ``L['x'].size()[0]``, also of one that compares two."""
        for failure in self.failures:
            tree = tree_of(body_of(failure.text)) or tree_of(failure.torch_source)
            for node in sources_in(tree) if tree is not None else ():
                base, dimension = tensor_of(ast.unparse(node))
                if dimension is not None:
                    yield base, dimension

    @cached_property
    def is_int(self) -> bool:
        """Whether what changed is an int, whatever it was held to."""
        held = (ValueKind.INT, ValueKind.OTHER)
        return bool(self.failures) and all(
            failure.actual_kind is ValueKind.INT and failure.expected_kind in held
            for failure in self.failures
        )

    @cached_property
    def is_float(self) -> bool:
        """Whether what changed is a float; an int in its place is one, too."""
        kinds = {f.actual_kind for f in self.failures} | {f.expected_kind for f in self.failures}
        return ValueKind.FLOAT in kinds and kinds <= {ValueKind.FLOAT, ValueKind.INT}

    @property
    def of_module_state(self) -> bool:
        """Whether a tensor that changed is a parameter or a buffer: torch keeps its size static."""
        return any(f".{name}[" in source for source in self.sources for name in _OF_MODULES)

    @property
    def is_baked_int(self) -> bool:
        """Whether it is an int that torch never makes symbolic by itself.

        One of a module, a global or a default argument (torch/_dynamo/utils.py,
        ``is_int_specialization_case``, 2.8 to 2.13).
        """
        if not self.is_int or self.places:
            return False
        is_global = any(source.startswith("G[") for source in self.sources)
        is_default = any("defaults__[" in source for source in self.sources)
        return is_global or is_default or self.is_of_module

    @property
    def is_of_module(self) -> bool:
        """Whether it is an int of a module, as torch's own advice says, or may be one."""
        own = any(f.own and "]." in f.torch_source for f in self.failures)
        hinted = any(lever.name == MODULE_INTS for lever in self.hinted)
        return self.is_int and not self.places and (own or hinted)

    @cached_property
    def hinted(self) -> tuple[Lever, ...]:
        """Settings that torch's own advice names as code: ``torch._dynamo.config.x = True``."""
        found = [
            Lever(kind=LeverKind.CONFIG, name=match["name"], value=match["value"])
            for text in self._hints()
            for match in _SETTING.finditer(text)
        ]
        return tuple(dict.fromkeys(found))

    def _hints(self) -> Iterator[str]:
        for failure in self.failures:
            yield failure.hint
        if self.finding is not None:
            yield from (self.finding.hint, self.finding.detail, *self.finding.hints)
            yield from self.finding.breaks.hints if self.finding.breaks is not None else ()
        if any("___stack" in source for source in self.sources):  # what a break left there
            for made in self.audit.recording.compiles:
                for broken in made.graph_breaks:
                    yield from broken.hints


def tensor_of(source: str) -> tuple[str, int | None]:
    """``L['x'].size()[0]`` as ``L['x']`` and 0; anything else as it is, and None."""
    tree = tree_of(source)
    match tree:
        case ast.Subscript(ast.Call(ast.Attribute(base, "size" | "stride" as what)), index):
            place = constant(index)
            size = place if what == "size" and isinstance(place, int) else None
            return ast.unparse(base), size
        case ast.Call(ast.Attribute(base, "storage_offset"), []):
            return ast.unparse(base), None
    return source, None


def _is_path(failure: GuardFailure) -> bool:
    """Whether its source is one value: ``L['x'] is L['y']`` is none."""
    tree = tree_of(failure.torch_source)
    return not isinstance(tree, ast.Compare | ast.BoolOp | ast.BinOp | None)


def _code(frame: Frame) -> tuple[str, int, str]:
    return frame.file, frame.line, frame.raw_name


def _numbers(text: str) -> list[str]:
    return _NUMBER.findall(text)
