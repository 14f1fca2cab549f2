"""The options of a command that replays scenarios, and the request that they make."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass, fields
from enum import StrEnum
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from esper_audit.auditing import Request
    from esper_audit.data.config import Config
    from esper_audit.data.expectations import Budget
    from esper_audit.replay.plan import Options
    from esper_audit.replay.pool import Pool

_selection = partial(typer.Option, rich_help_panel="Selection")
_compiling = partial(typer.Option, rich_help_panel="How code is compiled")
_replay = partial(typer.Option, rich_help_panel="How scenarios are replayed")
_bound = partial(typer.Option, rich_help_panel="What fails", metavar="N", min=0)


class Dynamic(StrEnum):
    """``torch.compile(dynamic=…)``."""

    AUTO = "auto"
    TRUE = "true"
    FALSE = "false"

    @property
    def value_for_torch(self) -> bool | None:
        return {"auto": None, "true": True, "false": False}[self.value]


class Start(StrEnum):
    """How the process of a replay comes to be."""

    AUTO = "auto"
    FORK = "fork"
    SPAWN = "spawn"


_NAMES = {"keyword": "-k"}


@dataclass(frozen=True, kw_only=True)
class Replaying:
    """Which scenarios are replayed, and how."""

    keyword: Annotated[
        str,
        _selection(
            "-k",
            metavar="EXPRESSION",
            help="Replay only audits whose title matches: parts of a name with and, or, not.",
        ),
    ] = ""
    param: Annotated[
        list[str] | None,
        _selection(
            "--param",
            metavar="NAME=VALUE[,VALUE]",
            help="Replay with these values of a parameter; NAME=all takes all. May be repeated.",
        ),
    ] = None
    backend: Annotated[
        list[str] | None,
        _compiling(
            "--backend",
            metavar="BACKEND",
            help="Compile with this backend of torch.compile. May be repeated.",
        ),
    ] = None
    dynamic: Annotated[
        Dynamic,
        _compiling(
            metavar="auto|true|false", help="Set torch.compile(dynamic=…). The default is auto."
        ),
    ] = Dynamic.AUTO
    fullgraph: Annotated[
        bool, _compiling(help="Set torch.compile(fullgraph=…): a graph break is an error.")
    ] = False
    mode: Annotated[
        str | None, _compiling(metavar="MODE", help="Set torch.compile(mode=…), for inductor.")
    ] = None
    recompile_limit: Annotated[
        int | None,
        _compiling(min=1, metavar="N", help="Let a frame run eagerly after N compiles."),
    ] = None
    jobs: Annotated[
        int,
        _replay(
            "-j",
            "--jobs",
            min=0,
            metavar="N",
            help="Run N replays side by side. The default, 0, is one for each core.",
        ),
    ] = 0
    time_limit: Annotated[
        float | None,
        _replay(min=0.1, metavar="SECONDS", help="Stop a replay that takes longer than this."),
    ] = None
    compare: Annotated[
        bool,
        _replay("--compare/--no-compare", help="Compare each step with eager execution."),
    ] = True
    provenance: Annotated[
        bool,
        _replay(
            "--provenance/--no-provenance",
            help="Replay what recompiled once more, to find the lines that wrote guarded state.",
        ),
    ] = True
    start: Annotated[
        Start,
        _replay(
            metavar="auto|fork|spawn",
            help="Fork the process of a replay from one that has imported torch, or spawn it."
            " The default, auto, forks where that is safe.",
        ),
    ] = Start.AUTO
    max_recompiles_after_warm_up: Annotated[
        int | None, _bound(help="Fail above N recompiles after warm-up.")
    ] = None
    max_compiles_after_warm_up: Annotated[
        int | None, _bound(help="Fail above N compiles of any kind after warm-up.")
    ] = None
    max_eager_steps: Annotated[
        int | None, _bound(help="Fail above N eager steps after warm-up.")
    ] = None
    max_compiles: Annotated[int | None, _bound(help="Fail above N compiles in all.")] = None
    max_graph_breaks: Annotated[int | None, _bound(help="Fail above N graph breaks.")] = None
    max_compile_share: Annotated[
        float | None,
        typer.Option(
            min=0.0,
            max=1.0,
            metavar="SHARE",
            rich_help_panel="What fails",
            help="Warn when compiling takes more than this share of the run time (0 to 1).",
        ),
    ] = None

    @property
    def budget(self) -> Budget:
        from esper_audit.data.expectations import Budget

        return Budget(
            recompiles=self.max_recompiles_after_warm_up,
            compiles_after_warm_up=self.max_compiles_after_warm_up,
            eager_steps=self.max_eager_steps,
            compiles=self.max_compiles,
            graph_breaks=self.max_graph_breaks,
            compile_share=self.max_compile_share,
        )

    def refuse(self, why: str, *but: str) -> None:
        """Raise UsageError where an option of a replay was given, though nothing is replayed.

        ``but`` are fields that mean something there, too.
        """
        asked = [
            _NAMES.get(option.name, f"--{option.name.replace('_', '-')}")
            for option in fields(self)
            if option.name not in ("jobs", *but) and getattr(self, option.name) != option.default
        ]
        if asked:
            from esper_audit.errors import UsageError

            raise UsageError(
                f"{', '.join(asked)} can't be given here: {why}.",
                "Leave it out, or give scenarios to replay.",
            )

    def request(
        self,
        paths: tuple[str, ...],
        config: Config,
        fail_on: tuple[str, ...] = (),
        command: str = "run",
    ) -> Request:
        """What a command audits: these paths, else those of the configuration."""
        from esper_audit.auditing import Request, chosen_paths

        return Request(
            paths=chosen_paths(paths, config, command),
            options=self._options(config, fail_on),
            config=config,
            start=self.start.value,
            provenance=self.provenance,
        )

    def _options(self, config: Config, fail_on: tuple[str, ...]) -> Options:
        from esper_audit.data.jobs import CompileOptions
        from esper_audit.replay.plan import Options, parse_params

        return Options(
            keyword=self.keyword,
            params=parse_params(self.param or ()),
            default_params=config.params,
            backends=tuple(dict.fromkeys(self.backend or config.backends)),
            compile=CompileOptions(
                dynamic=self.dynamic.value_for_torch,
                fullgraph=self.fullgraph,
                mode=self.mode,
                recompile_limit=self.recompile_limit,
            ),
            compare=self.compare,
            tolerances=config.tolerances,
            time_limit=self.time_limit or config.time_limit,
            pythonpath=tuple(config.pythonpath),
            budget=self.budget,
            default_budget=config.budget.bounds,
            fail_on=fail_on,
            root=config.root,
        )

    def pool(self) -> AbstractContextManager[Pool]:
        """The processes that replay."""
        from esper_audit.replay.pool import open_pool

        return open_pool(self.jobs, self.start.value)


def say_if_torch_fails(reports: Sequence[object], backends: Sequence[str]) -> None:
    """Say on stderr where no audit could compile anything, because torch can't without us either.

    It is asked in a process of its own, which takes seconds: only then.
    """
    from esper_audit.data.audits import Report
    from esper_audit.data.compiles import Outcome

    audits = [audit for report in reports if isinstance(report, Report) for audit in report.audits]
    made = [attempt for audit in audits for attempt in audit.recording.compiles]
    if not made or any(attempt.outcome is not Outcome.FAILED for attempt in made):
        return
    from esper_audit.cli import complain
    from esper_audit.recording.usable_torch import blamed

    trouble = blamed(backends)
    if trouble is not None:
        complain(str(trouble), trouble.hint)
