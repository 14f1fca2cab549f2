"""What users ask of an audit: budgets, claims, the question, the negative control."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace

from esper_audit.data.numbers import Count
from esper_audit.data.verdicts import StepVerdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """What a scenario may cost before it fails. None says nothing of a bound.

    ``recompiles`` and ``eager_steps`` are those after warm-up, ``compiles_after_warm_up`` are
    compiles of any kind then; ``compiles`` and ``graph_breaks`` are all. ``compile_share``, the
    part of the replay's seconds that went into compiling, from 0 to 1, is advisory: above it the
    report says so, and nothing fails.
    """

    recompiles: Count | None = None
    compiles_after_warm_up: Count | None = None
    eager_steps: Count | None = None
    compiles: Count | None = None
    graph_breaks: Count | None = None
    compile_share: float | None = None

    @property
    def bounds_compiles(self) -> bool:
        """Whether a bound is one of compiles, which a limit or a failed compile would escape."""
        bounds = (self.recompiles, self.compiles_after_warm_up, self.compiles)
        return any(bound is not None for bound in bounds)

    def over(self, other: Budget) -> Budget:
        """This budget, with the bounds of the other where this one says nothing."""
        own = {bound.name: getattr(self, bound.name) for bound in fields(self)}
        return replace(other, **{name: value for name, value in own.items() if value is not None})

    def over_default(self) -> Budget:
        """This budget over the default one.

        A bound on recompiles takes the place of the default bound on compiles after warm-up: each
        recompile is such a compile, too, and would be over it.
        """
        recompiles = self.recompiles is not None
        default = replace(DEFAULT_BUDGET, compiles_after_warm_up=None) if recompiles else None
        return self.over(default or DEFAULT_BUDGET)


NO_BUDGET = Budget()

DEFAULT_BUDGET = Budget(compiles_after_warm_up=0, eager_steps=0)
"""What holds where neither command line nor scenario nor configuration says more."""


@dataclass(frozen=True, slots=True)
class Claim:
    """A statement that scenarios confirm or refute.

    ``about`` restricts it to audits with these parameters. ``untestable`` says why no run can
    decide it; such a claim is listed as not tested.
    """

    id: str
    text: str
    source: str = ""
    about: dict[str, str] = field(default_factory=dict)
    untestable: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramBudget:
    """What a program may cost before it fails; None sets no bound.

    Recompiles are compiles in which every cache entry failed a guard; ``compiles_after_warm_up``
    are compiles of any kind, ``graph_breaks`` are all graph breaks.

    ``warm_up_calls``: calls of a frame in which compiles are expected, instead of what the program
    says. ``fail_on`` are kinds of findings that fail it.
    """

    recompiles: Count | None = None
    recompiles_after_warm_up: Count | None = None
    compiles_after_warm_up: Count | None = None
    warm_up_calls: Count | None = None
    fail_on: tuple[str, ...] = ()
    graph_breaks: Count | None = None

    @property
    def bounds_compiles(self) -> bool:
        """Whether a bound is one of compiles, which a limit or a failed compile would escape."""
        bounds = (self.recompiles, self.recompiles_after_warm_up, self.compiles_after_warm_up)
        return any(bound is not None for bound in bounds)

    @property
    def needs_warm_up(self) -> bool:
        """Whether a bound is one after warm-up."""
        return (self.recompiles_after_warm_up, self.compiles_after_warm_up) != (None, None)

    @property
    def is_set(self) -> bool:
        """Whether there is anything to fail."""
        return bool(self.fail_on) or self.bounds_compiles or self.graph_breaks is not None


@dataclass(frozen=True, slots=True)
class Question:
    """What the whole report answers, about the audits with these parameters."""

    text: str = ""
    about: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Control:
    """Audits that must fail in this way, or the audit itself can't be trusted.

    Not ``required`` in a part of the suite, which may hold nothing that the control gets wrong.
    """

    params: dict[str, str] = field(default_factory=dict)
    verdict: StepVerdict = StepVerdict.STALE
    required: bool = True
