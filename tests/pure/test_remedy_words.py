"""The words of a remedy: what it touches."""

from __future__ import annotations

from fix_builders import patched, trial

from esper_audit.data.remedies import Lever, LeverKind, Reach
from esper_audit.report.words.remedies import reach_words


def test_a_setting_that_takes_a_name_is_said_to_reach_every_function():
    name = "torch.compiler.config.dynamic_sources"
    lever = Lever(kind=LeverKind.CONFIG, name=name, value=repr("L['self'].step"))
    listed = reach_words(trial(reach=Reach.SOURCE, levers=(lever,)))
    assert listed == "touches this name in every compiled function"
    assert reach_words(patched()) == "touches this value alone"
