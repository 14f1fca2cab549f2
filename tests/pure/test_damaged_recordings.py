"""Recordings of logs whose records hold anything: none raises, and each can be judged and saved."""

import copy
import random
from pathlib import Path

import msgspec
import pytest

from esper_audit.data.recording import Recording
from esper_audit.diagnosis import judge_program
from esper_audit.traces.reading import read_log
from esper_audit.traces.recordings import recording_of

LOGS = Path(__file__).parents[1] / "data" / "trace_logs"
PARTS = (
    *("None", "L", "G['", "']", "['", "(", ")", "size=[", "9" * 400, "\x00", "\ud800", "-1", "["),
    *("'", '"', "\\", "0/0", "9/9: ", "; ", "# ", "len(", "type=<class", "+- ", "| ", "\n", " == "),
    *("check_tensor(", "DispatchKeySet(", "(" * 300, "~", "%", "1e999", '"""', "lambda:"),
)
VALUES: tuple[object, ...] = (
    *(None, -1, 0, 1.5, float("nan"), float("inf"), 10**30, "x", "", True, "9/9", "[1", "{}"),
    *([], {}, ["a", 1, None], {"a": 1}, '{"recompile_limit": "x"}', '{"recompile_limit": -5}'),
)


def broken(text: str, chance: random.Random) -> str:
    letters = list(text)
    for _ in range(chance.randrange(1, 6)):
        at = chance.randrange(len(letters) + 1)
        if chance.random() < 0.5:
            letters[at:at] = chance.choice(PARTS)
        else:
            del letters[at : at + chance.randrange(12)]
    return "".join(letters)


def forged(log, chance):
    """Some compiles of a log, with what torch wrote of them changed."""
    log = copy.deepcopy(log)
    start = chance.randrange(len(log.compiles))
    log.compiles = log.compiles[start : start + 8]
    for logged in log.compiles:
        logged.guards = tuple(broken(line, chance) for line in logged.guards)
        logged.reasons = [broken(reason, chance) for reason in logged.reasons]
        logged.breaks = [broken(text, chance) for text in logged.breaks]
        for metrics in (logged.metrics, *logged.later, *logged.symbols):
            for name in metrics:
                if chance.random() < 0.3:
                    metrics[name] = chance.choice(VALUES)
        if chance.random() < 0.2:
            logged.id, logged.stack = chance.choice(("", "x", "!1/0/0", "a/b/c")), ()
    return log


@pytest.mark.parametrize("seed", range(4))
def test_a_log_that_holds_anything_is_made_a_recording(seed):
    chance = random.Random(seed)
    logs = [log for place in sorted(LOGS.glob("*/*0.log.gz")) for log in read_log(str(place))]
    for _ in range(12):
        made = recording_of(forged(chance.choice(logs), chance))
        judge_program(made)
        assert not [part for part in made.unrecognized if part.where.startswith("the guards of")]
        assert msgspec.json.decode(msgspec.json.encode(made), type=Recording)
