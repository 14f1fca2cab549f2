"""What was worked out before is not worked out again, and is forgotten in time."""

from __future__ import annotations

from esper_audit.traces.remembered import Remembered


def test_an_answer_is_worked_out_once_until_it_is_forgotten():
    asked: list[str] = []
    held: Remembered[str] = Remembered(most=10)

    def answer(name: str) -> str:
        return held.answer(name, 4, lambda: asked.append(name) or name.upper())  # type: ignore[func-returns-value]

    assert [answer(name) for name in "abab"] == list("ABAB") and asked == ["a", "b"]
    assert answer("c") == "C" and answer("a") == "A"
    assert asked == ["a", "b", "c", "a"]
