"""A number that a module holds, kept in a buffer: a tensor is not guarded by what it holds.

Where all that reads the attribute can take a tensor and all writers are known, the attribute
itself becomes the buffer, and each writer writes it in place. Else a buffer stands beside the
number, filled by a property's setter, and compiled code alone reads the buffer: readers and writers
elsewhere go on as before. ``persistent=False`` keeps state_dict as it is.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.findings import Finding
from esper_audit.data.places import Location
from esper_audit.data.remedies import Edit
from esper_audit.remedies.patches import construction
from esper_audit.remedies.patches.contexts import Reads
from esper_audit.remedies.patches.literals import is_returned
from esper_audit.remedies.patches.presence import asking
from esper_audit.remedies.patches.refused import Refused
from esper_audit.remedies.patches.rewrite import Rewrite, Rewrites, statement_of
from esper_audit.remedies.patches.subject import Subject, subject_of
from esper_audit.remedies.patches.writes import check_number, in_place
from esper_audit.source.attributes import Site, SiteKind
from esper_audit.source.project import Project

_WHOLE = re.compile(r"-?\d+")
_NUMBER = re.compile(r"-?(\d+\.?\d*(e[-+]?\d+)?|inf|nan)")


def make(finding: Finding, project: Project) -> Iterator[tuple[Edit, ...]]:
    """The edits of one remedy at a time, best first; raises Refused."""
    subject = subject_of(finding, project)
    if not all(map(_NUMBER.fullmatch, _seen(finding))):
        raise Refused("it is no number", finding.user_line)
    if asking(subject):
        raise Refused("it asks whether there is one", finding.user_line)
    for site in subject.sites:
        if site.kind in (SiteKind.WRITE, SiteKind.DECLARED) and subject.is_sure(site):
            check_number(site)
    reasons: list[Refused] = []
    made: list[type[_Plan]] = []
    plans: tuple[type[_Plan], ...] = (_Itself, _Beside)
    for plan in plans:
        try:
            edits = plan(subject).edits()
        except Refused as reason:
            reasons.append(reason)
        else:
            made.append(plan)
            yield edits
    for plan in made:
        with suppress(Refused):
            yield plan(subject, cast=True).edits()
    if not made:
        raise reasons[-1]


def _seen(finding: Finding) -> list[str]:
    """The texts of the values that the attribute had."""
    return [text for text in (*finding.values, finding.expected, finding.actual) if text]


@dataclass
class _Plan:
    """Edits that are being made. ``tensor`` is the name of the buffer.

    ``left`` are reads that stay reads of the number; ``skipped`` those that went with the write
    that they stand in.
    """

    subject: Subject
    cast: bool = False
    rewrites: Rewrites = field(default_factory=Rewrites)
    made: int = 0
    casts: int = 0
    left: list[tuple[str, Location]] = field(default_factory=list)
    skipped: list[ast.AST] = field(default_factory=list)
    flags: dict[str, str] | None = None

    @property
    def tensor(self) -> str:
        raise NotImplementedError

    def edits(self) -> tuple[Edit, ...]:
        """Of all files; raises Refused."""
        raise NotImplementedError

    @property
    def is_whole(self) -> bool:
        """Whether the attribute only ever holds integers, as far as was seen."""
        finding = self.subject.finding
        is_float = finding.id is Diagnosis.FLOAT_SPECIALIZED
        return not is_float and all(map(_WHOLE.fullmatch, _seen(finding)))

    def rewrite(self, site: Site) -> Rewrite:
        """The changes to the file of a site."""
        return self.rewrites.of(site.file)

    def read(self, site: Site) -> None:
        """Let a line read the tensor in place of the number."""
        assert site.function is not None and isinstance(site.node, ast.Attribute)
        rewrite = self.rewrite(site)
        reads = Reads(rewrite, site.function, self.cast, flags=self.flags)
        text = f"{rewrite.text(site.node.value)}.{self.tensor}"
        reads.to_tensor(site.node, text)
        self.made += reads.made
        self.casts += reads.casts
        self.left += reads.branches
        if reads.uses_torch:
            rewrite.import_torch()

    def write_in_place(self, site: Site, traced: bool) -> None:
        """Let a line fill the tensor."""
        went = in_place(self.rewrite(site), site, self.tensor, whole=self.is_whole, traced=traced)
        if went is not None:
            self.skipped.append(went)

    def given_out(self, site: Site) -> list[Site]:
        """Where code that is not compiled gets what a method returns that reads it there."""
        function = site.function
        if function is None or function.owner is None or function.name == "forward":
            return []
        if site.kind is not SiteKind.READ or not is_returned(site.node, self.rewrite(site).parents):
            return []
        uses = self.subject.named(function.name).sites
        return [
            one for one in uses if one.kind is SiteKind.READ and not self.subject.may_be_traced(one)
        ]

    def traced_writes(self) -> list[Site]:
        """The sites in compiled code that write it."""
        return [
            site
            for site in self.subject.sites
            if site.kind in (SiteKind.WRITE, SiteKind.AUGMENTED)
            and not site.in_init
            and self.subject.is_traced(site)
        ]


class _Itself(_Plan):
    """The attribute becomes the buffer."""

    @property
    def tensor(self) -> str:
        return self.subject.name

    def edits(self) -> tuple[Edit, ...]:
        subject = self.subject
        sites = subject.sites
        for site in sites:
            self._check(site)
        construction.as_buffer(self.rewrites, subject, self.is_whole)
        for site in sites:
            is_write = site.kind in (SiteKind.WRITE, SiteKind.AUGMENTED)
            if is_write and not construction.is_first(site, subject):
                self.write_in_place(site, subject.is_traced(site))
        for site in sites:
            if site.kind is SiteKind.READ and site.node not in self.skipped:
                self.read(site)
        if self.left:
            what, place = self.left[0]
            raise Refused(f"it {what}", place)
        if self.cast and not self.casts:
            return ()
        return self.rewrites.edits()

    def _check(self, site: Site) -> None:
        """A reader that compiled code does not run wants the number itself."""
        at = Location(site.file.path, site.line, site.location.function)
        if site.kind in (SiteKind.DELETE, SiteKind.IN_PLACE):
            raise Refused("a line deletes it, or takes it for a tensor", at)
        if not self.subject.is_sure(site):
            raise Refused("it is not known of whose object a line uses it", at)
        is_outside = site.kind is SiteKind.READ and not self.subject.is_traced(site)
        if is_outside and not self._is_of_its_own_write(site):
            raise Refused("a line outside of compiled code reads the number", at)
        if outside := self.given_out(site):
            what = "a line outside of compiled code reads the number"
            raise Refused(what, outside[0].location)

    def _is_of_its_own_write(self, site: Site) -> bool:
        line = statement_of(site.node, self.rewrite(site).parents)
        if not isinstance(line, ast.Assign) or not isinstance(line.value, ast.BinOp):
            return False
        left, target = line.value.left, line.targets[0]
        return left is site.node and ast.unparse(left) == ast.unparse(target)


class _Beside(_Plan):
    """A buffer beside the number; a property fills it."""

    @property
    def tensor(self) -> str:
        return f"_{self.subject.name.strip('_')}_tensor"

    def edits(self) -> tuple[Edit, ...]:
        subject = self.subject
        subject.refuse_plain()
        if any(construction.mentions(one, self.tensor) for one in subject.related):
            raise Refused(f"{self.tensor} is in use already")
        writes = self.traced_writes()
        self.flags = None if writes else {}
        for site in writes:
            self.write_in_place(site, traced=True)
        for site in self._reads():
            if self._is_for_tensor(site):
                self.read(site)
        if not self.made and not writes and not self.flags:
            what, place = (*self.left, ("is not read in compiled code", None))[0]
            raise Refused(f"it {what}", place)
        if self.cast and not self.casts:
            return ()
        kind = "int" if self.is_whole else "float"
        held = construction.Held(
            tensor=self.tensor if self.made or writes else "",
            kind=kind,
            is_read_from_tensor=bool(writes),
            flags=self.flags or {},
        )
        construction.beside(self.rewrites, subject, held)
        return self.rewrites.edits()

    def _reads(self) -> Iterator[Site]:
        """The lines that read it; or a property of it, where code elsewhere does so, too."""
        for site in self.subject.sites:
            if site.kind is not SiteKind.READ or site.node in self.skipped:
                continue
            if not self.given_out(site):
                yield site
            elif self._is_plain_property(site):
                assert site.function is not None
                yield from self._of_property(site.function.name)
            else:
                self.left.append(("is read outside of compiled code, too", site.location))

    def _is_plain_property(self, site: Site) -> bool:
        """Whether a property gives the number as it is."""
        is_property = site.function is not None and "property" in site.function.decorators
        return is_property and isinstance(self.rewrite(site).parents[site.node], ast.Return)

    def _of_property(self, name: str) -> Iterator[Site]:
        reads = (one for one in self.subject.named(name).sites if one.kind is SiteKind.READ)
        yield from (one for one in reads if self.subject.is_traced(one))

    def _is_for_tensor(self, site: Site) -> bool:
        """Whether compiled code reads it there, of an object that is known to be home's."""
        subject = self.subject
        if not subject.is_traced(site) or not subject.is_sure(site) or site.in_init:
            return False
        if site.receiver == "self" and site.owner not in subject.reading:
            return False
        assert site.function is not None and isinstance(site.node, ast.Attribute)
        # Where the guard is made elsewhere, the number itself has come there, and no tensor of it.
        return subject.direct or Reads(self.rewrite(site), site.function).goes_on(site.node)
