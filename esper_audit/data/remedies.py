"""Remedies: what can be changed against recompiles and eager code, and what trying it showed.

A remedy is levers of torch, edits of the user's source, or both. A trial replays a case with one;
its state is what that proved. These are facts; words are made in esper_audit/report/words/.

Worked example: an int counter's remedy "dynamic-sources" has one lever, Lever(kind=CONFIG,
name="torch.compiler.config.dynamic_sources", value=repr("L['self'].step")), and Reach.SOURCE.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum

from esper_audit.data.diagnoses import Diagnosis
from esper_audit.data.numbers import Count, Moment, Seconds
from esper_audit.data.places import Frame, Location
from esper_audit.data.reasons import Reason
from esper_audit.data.recording import Environment
from esper_audit.data.verdicts import AuditVerdict


class Reach(StrEnum):
    """What a remedy touches, the narrowest first."""

    SOURCE = "source"
    FRAME = "frame"
    CALLABLE = "callable"
    PROCESS = "process"


class LeverKind(StrEnum):
    """How a lever is pulled.

    ``config``: ``name`` is a dotted setting of torch, such as
    ``torch._dynamo.config.allow_empty_graphs``. ``compile``: ``name`` is a keyword of
    ``torch.compile``. ``mark``: ``name`` is a function of ``torch._dynamo`` such as
    ``mark_dynamic``, called before each call; ``value`` is the tuple of the argument's source in
    torch's terms, the dimension, and the qualified name of the compiled function, empty for any.
    ``warm-up``: everything that the scenario visits is visited once before, in warm-up.
    ``eager-first``: before its first call, each callable is called ``value`` times under the stance
    ``force_eager``, with the same arguments; these calls are no steps.
    ``drop-guard``: guards of the source ``value``, in torch's terms, are dropped by a
    ``guard_filter_fn``.
    """

    CONFIG = "config"
    COMPILE = "compile"
    MARK = "mark"
    WARM_UP = "warm-up"
    EAGER_FIRST = "eager-first"
    DROP_GUARD = "drop-guard"


@dataclass(frozen=True, slots=True, kw_only=True)
class Lever:
    """One thing to do without an edit. ``value`` is a Python literal as text, or empty."""

    kind: LeverKind
    name: str = ""
    value: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """A file as it would be. ``before`` is what the edit was made from: the whole text."""

    file: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One finding that a remedy is for: ``source`` is in the user's terms, empty for none."""

    id: Diagnosis
    frame: Frame
    source: str = ""
    torch_source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """Levers, edits or both, for causes. ``id`` names the kind and never changes its meaning.

    ``unsafe``: it can make output wrong, and is only ever proven for the values that were seen.
    """

    id: str
    covers: tuple[Cause, ...]
    reach: Reach
    levers: tuple[Lever, ...] = ()
    edits: tuple[Edit, ...] = ()
    unsafe: bool = False


class RemedyState(StrEnum):
    """What trying a remedy showed.

    ``proven``: compiled code ran, each step equals eager execution, no compile after warm-up past
    the budget, and a step is not slower. ``converges``: so many compiles after warm-up, then none.
    ``partial``: its causes are gone, others are left. ``delays``: the same compiles go on, the
    limit comes later. ``hides``: the compiles are gone and output is wrong. ``slower``: as proven,
    but a step takes longer. ``no-effect``, ``breaks``: it raised. ``unproven``: the compiles are
    gone, and output could not be compared. ``not-tried``: ``because`` says why.
    """

    PROVEN = "proven"
    CONVERGES = "converges"
    PARTIAL = "partial"
    DELAYS = "delays"
    SLOWER = "slower"
    UNPROVEN = "unproven"
    HIDES = "hides"
    NO_EFFECT = "no-effect"
    BREAKS = "breaks"
    NOT_TRIED = "not-tried"


class Ground(StrEnum):
    """Why a remedy can't be made or tried, or why it is in its state."""

    NEEDS_TORCH = "needs-torch"
    """A newer torch: ``text`` is the version."""
    SET_BY_USER = "set-by-user"
    """The scenario or program sets it itself: ``text`` is what."""
    NOT_NEEDED = "not-needed"
    """One before it was proven; --all tries it, too."""
    NO_SOURCE = "no-source"
    """The source that would be changed can't be read, or lies outside of the project."""
    NO_PATTERN = "no-pattern"
    """The code is not of the form that this edit knows: ``text`` names what is missing."""
    WRITER_OUTSIDE = "writer-outside"
    """A line outside of the project writes it: ``location``."""
    RAISED = "raised"
    """``text`` is the error."""
    STALE = "stale"
    STILL_COMPILES = "still-compiles"
    SLOWER = "slower"
    NOT_COMPARED = "not-compared"
    NO_CANDIDATE = "no-candidate"
    """Nothing is known to help against this diagnosis."""
    VALUES_GO_ON = "values-go-on"
    """New values keep coming: they can't be visited before."""
    EAGER_IS_WRONG = "eager-is-wrong"
    """Eager execution gives the same wrong output: the code computes it, not torch.compile."""
    NOTHING_TO_APPLY = "nothing-to-apply"
    """No proven remedy is a change of files."""
    DIRTY = "dirty"
    """A file holds changes that are not committed: ``text`` is the file."""
    NO_GIT = "no-git"
    """Nobody knows whether a file is committed: ``text`` is why."""
    OUTSIDE = "outside"
    """A file lies outside of the project: ``text`` is the file."""
    CHANGED_SINCE = "changed-since"
    """A file is not what the edits were made from: ``text`` is the file."""
    NOT_WRITTEN = "not-written"
    """A file could not be written: ``text`` is the error."""
    NOT_AS_PROVEN = "not-as-proven"
    """The audit of the changed files failed: ``text`` names the case."""
    INTERRUPTED = "interrupted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Because:
    """A ground, with the numbers and names that its words need."""

    ground: Ground
    text: str = ""
    count: Count | None = None
    location: Location | None = None
    reason: Reason | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NotMade:
    """A kind of remedy that could not be made for a cause, and why."""

    id: str
    covers: tuple[Cause, ...]
    because: Because


@dataclass(frozen=True, slots=True, kw_only=True)
class Gain:
    """What a remedy saves, measured side by side in one run.

    ``seconds_per_event``: of compiling, for each recompile that is gone. ``per_thousand``: seconds
    of compiling saved per 1,000 steady steps of the scenario. ``pays_back``: steps until a compile
    has paid for itself against eager execution. The speeds are ratios to the speed of a reused step
    before the limit: ``after_limit`` of the case as it is, ``remedied`` with the remedy; None where
    fewer than three steps tell.
    """

    seconds_per_event: Seconds | None = None
    per_thousand: Seconds | None = None
    pays_back: Count | None = None
    after_limit: Moment | None = None
    remedied: Moment | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A remedy and what trying it showed.

    ``diff`` is a unified diff with paths relative to the project's folder, empty without edits;
    ``made_from`` has the :func:`digest` of each of its files as they were, by the same paths.
    ``compiles``: after warm-up, with it. ``left``: causes that are found with it.
    """

    id: str
    covers: tuple[Cause, ...]
    state: RemedyState
    reach: Reach | None = None
    levers: tuple[Lever, ...] = ()
    files: tuple[str, ...] = ()
    diff: str = ""
    made_from: dict[str, str] = field(default_factory=dict)
    unsafe: bool = False
    because: Because | None = None
    verdict: AuditVerdict | None = None
    compiles: Count | None = None
    left: tuple[Cause, ...] = ()
    gain: Gain | None = None
    seconds: Seconds = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Fix:
    """One failing case, and the trials made for it, in their order. ``best`` is one's index.

    ``title`` and ``file`` are a scenario's, or a program's. ``compiles`` and ``eager`` are its
    compiles and eager steps after warm-up, as it is. ``because``: why nothing was proven.
    """

    title: str
    file: str = ""
    parameters: dict[str, str] = field(default_factory=dict)
    backend: str = ""
    verdict: AuditVerdict | None = None
    compiles: Count = 0
    eager: Count = 0
    causes: tuple[Cause, ...] = ()
    trials: tuple[Trial, ...] = ()
    best: Count | None = None
    because: Because | None = None
    seconds: Seconds = 0.0
    replay_seconds: Seconds = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Cure:
    """The smallest set of remedies that frees all cases, tried together in one run.

    ``trials`` are the remedies; ``proven`` says whether every case passed with all of them;
    ``uncured`` are titles of cases that no set frees.
    """

    trials: tuple[Trial, ...] = ()
    diff: str = ""
    made_from: dict[str, str] = field(default_factory=dict)
    proven: bool = False
    uncured: tuple[str, ...] = ()


class AppliedState(StrEnum):
    """What became of ``--apply``."""

    KEPT = "kept"
    TAKEN_BACK = "taken-back"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What ``--apply`` did to the working tree.

    ``left_out`` are titles of cases whose patch changes the same lines as another's in another way.
    ``verdict`` is that of the audit of the changed files; None where there was none.
    """

    state: AppliedState
    files: tuple[str, ...] = ()
    because: Because | None = None
    left_out: tuple[str, ...] = ()
    verdict: AuditVerdict | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FixReport:
    """A whole run of ``esper-audit fix``. ``passed`` are titles of the cases that need none."""

    environment: Environment
    root: str = ""
    fixes: tuple[Fix, ...] = ()
    passed: tuple[str, ...] = ()
    cure: Cure | None = None
    applied: Applied | None = None
    interrupted: bool = False
    wall_seconds: Seconds = 0.0

    @property
    def verdict(self) -> AuditVerdict:
        """Whether something fails, after ``--apply`` too; an error where that is not known."""
        if self.interrupted:
            return AuditVerdict.ERROR
        applied = self.applied
        if applied is not None and applied.state is AppliedState.KEPT and applied.verdict:
            return applied.verdict
        if any(fix.verdict is not AuditVerdict.ERROR for fix in self.fixes):
            return AuditVerdict.FAILED
        is_clean = bool(self.passed) and not self.fixes
        return AuditVerdict.PASSED if is_clean else AuditVerdict.ERROR


def digest(text: str) -> str:
    """What tells whether a file is still the text that an edit was made from.

    It is the same however the file is encoded, and however its lines end.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return hashlib.sha256(lines.encode(errors="surrogatepass")).hexdigest()
